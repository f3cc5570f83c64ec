//! Opens connections, each within a limit: to one server, or to the primary that sentinels name at that moment.

use super::{
    address::{Address, Certificates, Topology},
    settings::Settings,
};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, aio::MultiplexedConnection,
};
use std::time::Duration;

/// Calls under way per connection; more wait, within their budget.
const MAX_IN_FLIGHT: usize = 1024;

/// Whom to call.
#[derive(Debug)]
enum Whom {
    Server(Client),
    Primary {
        sentinels: Vec<Client>,
        service: String,
        address: Address,
        certificates: Certificates,
    },
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Dialer {
    whom: Whom,
    limit: Duration,
}

impl Dialer {
    /// For the only server that `settings` speak of, or the primary among them.
    pub(super) fn new(settings: &Settings) -> Result<Self, RedisError> {
        let mut clients = settings.address.first(&settings.certificates)?;
        let whom = match &settings.address.topology {
            Topology::Sentinel { service } => Whom::Primary {
                sentinels: clients,
                service: service.clone(),
                address: settings.address.clone(),
                certificates: settings.certificates.clone(),
            },
            Topology::Server | Topology::Cluster => Whom::Server(clients.swap_remove(0)),
        };
        Ok(Self {
            whom,
            limit: settings.connect_timeout,
        })
    }

    /// For one server.
    pub(super) fn to(client: Client, limit: Duration) -> Self {
        Self {
            whom: Whom::Server(client),
            limit,
        }
    }

    /// Whom it calls, for the log.
    pub(super) fn name(&self) -> String {
        match &self.whom {
            Whom::Server(client) => client.get_connection_info().addr().to_string(),
            Whom::Primary { service, .. } => service.clone(),
        }
    }

    /// The server to be connected to now.
    ///
    /// # Errors
    /// Where no sentinel says which one that is within the limit, for each that has to be asked.
    pub(super) async fn find(&self) -> Result<Client, RedisError> {
        match &self.whom {
            Whom::Server(client) => Ok(client.clone()),
            Whom::Primary {
                sentinels,
                service,
                address,
                certificates,
            } => {
                let (host, port) = self.ask(sentinels, service).await?;
                address.at(&host, port, certificates)
            }
        }
    }

    /// A connection to `server`, as [`Self::find`] gave it, that has answered once.
    ///
    /// # Errors
    /// Where it cannot be had within the limit, or is to be a primary and is none.
    pub(super) async fn open(
        &self,
        server: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = self.connect_to(server, config).await?;
        if let Whom::Primary { .. } = self.whom {
            // A sentinel may not have heard yet: only a primary takes writes.
            let role = Cmd::new().arg("ROLE").to_owned();
            let (role,): (String,) = self.within(first_of(&role, &mut connection)).await?;
            if role != "master" {
                return Err((ErrorKind::Io, "what sentinels call the primary is none").into());
            }
        }
        Ok(connection)
    }

    /// [`Self::find`] and [`Self::open`].
    ///
    /// # Errors
    /// As theirs.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.open(&self.find().await?, config).await
    }

    /// The address of the primary, from the first sentinel that knows it.
    async fn ask(&self, sentinels: &[Client], service: &str) -> Result<(String, u16), RedisError> {
        let mut last = RedisError::from((ErrorKind::Io, "no sentinel answers"));
        let question = Cmd::new()
            .arg("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(service)
            .to_owned();
        for sentinel in sentinels {
            let asked = async {
                let config = AsyncConnectionConfig::new().set_connection_timeout(Some(self.limit));
                let mut connection = self.connect_to(sentinel, &config).await?;
                self.within(question.query_async::<Option<(String, u16)>>(&mut connection))
                    .await
            };
            match asked.await {
                Ok(Some(primary)) => return Ok(primary),
                Ok(None) => last = (ErrorKind::Io, "the sentinels know no such primary").into(),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(
        &self,
        server: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.within(server.get_multiplexed_async_connection_with_config(config))
            .await
    }

    /// `call` within the limit.
    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        match tokio::time::timeout(self.limit, call).await {
            Ok(result) => result,
            Err(_) => Err((ErrorKind::Io, "no answer in time").into()),
        }
    }
}

/// The first member of an array reply whose rest differs from server to server.
async fn first_of(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<(String,), RedisError> {
    let reply: Vec<::redis::Value> = command.query_async(connection).await?;
    let first = reply.into_iter().next().unwrap_or(::redis::Value::Nil);
    Ok((::redis::from_redis_value(first)?,))
}

/// For connections that many calls share.
pub(super) fn lane_config(settings: &Settings) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_concurrency_limit(MAX_IN_FLIGHT)
        .set_pipeline_buffer_size(MAX_IN_FLIGHT)
        .set_response_timeout(Some(Duration::from_secs(1)))
}
