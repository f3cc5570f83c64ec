//! The program in its two parts: the backend over a database, and proxies before it.

use crate::{
    Failure,
    client::Client,
    error,
    process::{Process, Start, free_address},
    servers::{Redis, listens},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
/// Tables are made and filled when it starts.
const FILLING: Duration = Duration::from_secs(1200);

/// The demo's routes as they are shipped.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy.toml");

/// Where the program is, and where it works.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
}

/// The demo backend.
pub(crate) struct Backend {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// A proxy.
pub(crate) struct Proxy {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Place {
    fn start(
        &self,
        name: &'static str,
        arguments: Vec<String>,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Process, Failure> {
        Process::start(Start {
            name,
            folder: &self.folder,
            program: self.program.clone(),
            arguments,
            environment,
            signal: "TERM",
            as_nobody: false,
        })
    }

    /// Starts the backend on `database`, which gets this many messages if it is empty.
    pub(crate) async fn backend(&self, database: &str, messages: u32) -> Result<Backend, Failure> {
        let address = free_address()?;
        let arguments = format!("demo --backend-only --backend {address} --messages {messages}");
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        let environment = vec![("DATABASE_URL", database.to_owned())];
        let process = self.start("backend", arguments, environment)?;
        process.wait(PATIENCE, || listens(address)).await?;
        // It listens before it fills, and answers after that.
        process
            .wait(FILLING, || answers(address, "/healthz"))
            .await?;
        Ok(Backend { process, address })
    }

    /// Starts a proxy before `backend`, with the repository's proxy.toml.
    pub(crate) async fn proxy(&self, backend: &Backend, redis: &Redis) -> Result<Proxy, Failure> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut arguments: Vec<String> = ["run", "--config", CONFIG].map(str::to_owned).into();
        for setting in [
            format!("server.listen={address}"),
            format!("admin.listen={admin}"),
            format!("upstream.url=http://{}", backend.address),
        ] {
            arguments.extend(["--set".to_owned(), setting]);
        }
        let environment = vec![("REDIS_URL", redis.url.clone())];
        let process = self.start("sidecache", arguments, environment)?;
        process.wait(PATIENCE, || answers(admin, "/readyz")).await?;
        Ok(Proxy {
            process,
            address,
            admin,
        })
    }
}

async fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = async { Client::connect(address).await?.get(path).await };
    timeout(Duration::from_secs(1), ask)
        .await
        .is_ok_and(|answer| answer.is_ok())
}

// === impl Backend ===

impl Backend {
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        Client::connect(self.address).await
    }

    /// All statements that it has run for requests.
    pub(crate) async fn statements(&self) -> Result<u64, Failure> {
        let metrics = metrics(self.address).await?;
        Ok(sum(&metrics, "db_query_duration_seconds_count"))
    }
}

// === impl Proxy ===

impl Proxy {
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        Client::connect(self.address).await
    }

    /// How many lookups in Redis have found something.
    pub(crate) async fn redis_hits(&self) -> Result<u64, Failure> {
        let metrics = metrics(self.admin).await?;
        let hits = metrics
            .lines()
            .filter(|line| line.contains("result=\"hit\""));
        let hits: String = hits.flat_map(|line| [line, "\n"]).collect();
        Ok(sum(&hits, "sidecache_redis_calls_total"))
    }
}

async fn metrics(address: SocketAddr) -> Result<String, Failure> {
    let answer = Client::connect(address).await?.get("/metrics").await?;
    let text = String::from_utf8(answer.body.into());
    text.map_err(|_| error("/metrics is not text".to_owned()))
}

/// The sum of a metric over its labels.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}
