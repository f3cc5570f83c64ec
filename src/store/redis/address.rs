//! Where Redis is: one URL for a server, for what sentinels watch, and for a cluster.
//!
//! ```text
//! redis://[user:password@]host[:port][/db]                    one server; rediss:// with TLS, unix:///path for a socket
//! redis+sentinel://[user:password@]host[:port],…/service[/db] the primary that these sentinels name
//! redis+cluster://[user:password@]host[:port],…               a cluster, asked through any of these
//! ```

use ::redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use ::redis::{RedisError, TlsCertificates, io::tcp::TcpSettings};

/// More hosts than anybody lists by hand.
const MAX_HOSTS: usize = 64;

/// How the servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    /// One server.
    Server,
    /// A primary and its replicas, watched by sentinels under this name.
    Sentinel {
        /// What the sentinels call it.
        service: String,
    },
    /// Servers that share the keys among them.
    Cluster,
}

/// Certificates in PEM, for `rediss` URLs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Whom to trust in place of the system's roots.
    pub ca: Option<Vec<u8>>,
    /// Who we are: certificate chain and private key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// See the module docs. Two that were made of one URL are equal.
#[derive(Clone)]
pub struct Address {
    url: String,
    pub(super) topology: Topology,
    /// Servers that may be asked first: the server, the sentinels, or nodes of the cluster.
    hosts: Vec<ConnectionInfo>,
    /// What the servers that hold the data want to know: user, password, database, TLS.
    node: ConnectionInfo,
}

/// Why a text is no address: a clause that completes a sentence and shows nothing of the text.
pub type Fault = &'static str;

impl Address {
    /// Reads `url`.
    ///
    /// # Errors
    /// A clause such as "is not the URL of a Redis server".
    pub fn parse(url: &str) -> Result<Self, Fault> {
        const NONE: Fault = "is not the URL of a Redis server";
        let (scheme, rest) = url.split_once("://").ok_or(NONE)?;
        let (plain, kind) = match scheme.split_once('+') {
            Some((plain @ ("redis" | "rediss"), kind @ ("sentinel" | "cluster"))) => (plain, kind),
            _ => (scheme, ""),
        };
        if !["redis", "rediss", "unix", "redis+unix"].contains(&plain) {
            return Err(NONE);
        }
        if rest.contains('#') {
            return Err("cannot hold a fragment: certificates are always checked");
        }
        if kind.is_empty() {
            let node = connection(url)?;
            return Ok(Self {
                url: url.to_owned(),
                topology: Topology::Server,
                hosts: vec![node.clone()],
                node,
            });
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, listed) = match authority.rsplit_once('@') {
            Some((user, listed)) => (format!("{user}@"), listed),
            None => (String::new(), authority),
        };
        let names: Vec<&str> = listed.split(',').collect();
        if names.len() > MAX_HOSTS {
            return Err("lists more than 64 hosts");
        }
        if names.iter().any(|name| name.is_empty()) {
            return Err("lists a host without a name");
        }
        let all = |user: &str| -> Result<Vec<ConnectionInfo>, Fault> {
            let one = |name: &&str| connection(&format!("{plain}://{user}{name}"));
            names.iter().map(one).collect()
        };
        if kind == "cluster" {
            if !matches!(path, "" | "0") {
                return Err("cannot name a database: a cluster has only one");
            }
            let hosts = all(&user)?;
            let node = hosts[0].clone();
            return Ok(Self {
                url: url.to_owned(),
                topology: Topology::Cluster,
                hosts,
                node,
            });
        }
        let (service, db) = path.split_once('/').unwrap_or((path, "0"));
        if service.is_empty() {
            return Err("does not say which primary the sentinels are asked for");
        }
        Ok(Self {
            url: url.to_owned(),
            topology: Topology::Sentinel {
                service: service.to_owned(),
            },
            hosts: all("")?, // sentinels have users of their own, mostly none
            node: connection(&format!("{plain}://{user}{}/{db}", names[0]))?,
        })
    }

    /// Clients of the servers that may be asked first.
    pub(super) fn first(&self, certificates: &Certificates) -> Result<Vec<Client>, RedisError> {
        let hosts = self.hosts.iter().cloned();
        hosts.map(|host| client(host, certificates)).collect()
    }

    /// A client of the server at `host` and `port`, which somebody of that address named.
    pub(super) fn at(
        &self,
        host: &str,
        port: u16,
        certificates: &Certificates,
    ) -> Result<Client, RedisError> {
        let address = match self.node.addr() {
            ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                host: host.to_owned(),
                port,
                insecure: false,
                tls_params: None,
            },
            _ => ConnectionAddr::Tcp(host.to_owned(), port),
        };
        client(self.node.clone().set_addr(address), certificates)
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Address {}

impl std::fmt::Debug for Address {
    /// The URL may hold a password, so only what it is about is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.topology).finish()
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("ca", &self.ca.is_some())
            .field("client", &self.client.is_some())
            .finish()
    }
}

impl Certificates {
    /// Whether they can be used, as far as that can be said without connecting.
    ///
    /// # Errors
    /// Where they are no certificates, or not in PEM.
    pub fn check(&self) -> Result<(), Fault> {
        let probe = connection("rediss://localhost")?;
        client(probe, self)
            .map(drop)
            .map_err(|_| "holds no certificate in PEM")
    }
}

fn connection(url: &str) -> Result<ConnectionInfo, Fault> {
    // The client's own words may quote the URL.
    url.into_connection_info()
        .map_err(|_| "is not the URL of a Redis server")
}

fn client(server: ConnectionInfo, certificates: &Certificates) -> Result<Client, RedisError> {
    // Off by default in the library: small requests would wait for the previous one's acknowledgement.
    let server = server.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    match server.addr() {
        ConnectionAddr::TcpTls { .. } => Client::build_with_tls(
            server,
            TlsCertificates {
                client_tls: certificates
                    .client
                    .clone()
                    .map(|(client_cert, client_key)| ClientTlsConfig {
                        client_cert,
                        client_key,
                    }),
                root_cert: certificates.ca.clone(),
            },
        ),
        _ => Client::open(server),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_is_one_url() {
        let hosts = |url: &str| {
            let address = Address::parse(url).unwrap();
            let hosts = address.hosts.iter().map(|host| host.addr().to_string());
            (address.topology.clone(), hosts.collect::<Vec<_>>())
        };
        assert_eq!(
            hosts("redis://localhost"),
            (Topology::Server, vec!["localhost:6379".to_owned()])
        );
        assert_eq!(
            hosts("redis+cluster://u:p@a:7000,b:7001"),
            (Topology::Cluster, vec!["a:7000".into(), "b:7001".into()])
        );
        let service = "main".to_owned();
        assert_eq!(
            hosts("redis+sentinel://a:26379,b:26379/main/2"),
            (
                Topology::Sentinel { service },
                vec!["a:26379".into(), "b:26379".into()]
            )
        );
        assert_eq!(hosts("unix:///run/redis.sock").0, Topology::Server);
    }

    #[test]
    fn the_servers_with_the_data_get_user_password_and_database() {
        let address = Address::parse("rediss+sentinel://me:p%40ss@a,b/main/2").unwrap();
        let node = address.at("c", 7, &Certificates::default()).unwrap();
        let node = node.get_connection_info();
        assert_eq!(node.addr().to_string(), "c:7");
        assert!(matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
        let settings = node.redis_settings();
        let seen = (settings.username(), settings.password(), settings.db());
        assert_eq!(seen, (Some("me"), Some("p@ss"), 2));
        let sentinel = address.hosts[0].redis_settings();
        assert_eq!((sentinel.username(), sentinel.password()), (None, None));
    }

    #[test]
    fn what_is_no_address_says_why_and_shows_nothing() {
        for (url, clause) in [
            ("memcached://a", "is not"),
            ("redis:a", "is not"),
            ("redis://a:port", "is not"),
            ("redis+cluster://a,,b", "without a name"),
            ("redis+cluster://a/1", "database"),
            ("redis+sentinel://a,b", "which primary"),
            ("rediss://a#insecure", "fragment"),
        ] {
            let fault = Address::parse(url).unwrap_err();
            assert!(fault.contains(clause), "{url}: {fault}");
        }
        let shown = format!("{:?}", Address::parse("redis://:secret@a").unwrap());
        assert!(!shown.contains("secret"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_address_or_a_fault(
            scheme in "(redis|rediss|unix|redis\\+cluster|rediss\\+sentinel|.{0,3})://",
            rest in "[a-z0-9@:,/?#%\\[\\].]{0,24}",
        ) {
            if let Ok(address) = Address::parse(&(scheme + &rest)) {
                proptest::prop_assert!(address.first(&Certificates::default()).is_ok_and(|f| !f.is_empty()));
            }
        }
    }
}
