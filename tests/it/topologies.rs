//! Redis behind TLS, watched by sentinels, and as a cluster: the same promises as for one server.

use crate::support::{
    Origin, Proxy, Reply,
    load::{Load, hits_again, origin},
    redis::{Cluster, Redis, free_port},
    relay::Relay,
    until,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// No memory tier: every request asks Redis.
fn toml(url: &str, more: &str) -> String {
    format!(
        "[cache]\nprefix = \"t\"\n[cache.memory]\nmax = 0\n[cache.redis]\nurl = \"{url}\"\n{more}"
    )
}

/// The commands that docs/redis.md says a user needs.
const ALLOWED: [&str; 17] = [
    "+xrevrange",
    "+getrange",
    "+pttl",
    "+set",
    "+eval",
    "+evalsha",
    "+del",
    "+exists",
    "+ping",
    "+unwatch",
    "+xadd",
    "+xread",
    "+xrange",
    "+xtrim",
    "+expire",
    "+time",
    "+info",
];

/// A certificate authority in `folder`, and what it signed for `localhost`.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority
            .distinguished_name
            .push(DnType::CommonName, "the authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let signed = CertificateParams::new(names).unwrap();
        let signed = signed.signed_by(&key, &authority).unwrap();
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("cert.pem", signed.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn a_large_value_is_stored(origin: &Origin, proxy: &Proxy, path: &str) {
    origin.answer(path, Reply::fresh("x".repeat(300 << 10), 60));
    until("it is stored", async || proxy.get(path).await.is_hit()).await;
}

/// The one connection for large values is used again by the next one.
async fn large_values_share_a_connection(redis: &Redis, origin: &Origin, proxy: &Proxy) {
    let connections = || {
        let list = redis.command::<String>(&["CLIENT", "LIST"]);
        let ours = list.lines().filter(|line| line.contains(" user=cache "));
        let id = |line: &str| line.split(' ').next().unwrap().to_owned();
        ours.map(id).collect::<Vec<_>>()
    };
    let before = connections().len();
    let store = async |path: &str| a_large_value_is_stored(origin, proxy, path).await;
    store("/large/1").await;
    until("a connection is open", async || {
        connections().len() > before
    })
    .await;
    let opened = connections();
    store("/large/2").await;
    store("/large/3").await;
    assert_eq!(connections(), opened);
}

#[tokio::test]
async fn tls_on_both_sides_and_a_user_who_may_do_no_more_than_needed() {
    let (files, other) = (Files::new(), Files::new());
    let (ca, cert, key) = (
        files.path("ca.pem"),
        files.path("cert.pem"),
        files.path("key.pem"),
    );
    let tls_port = free_port();
    let arguments = [
        "--tls-port",
        &tls_port.to_string(),
        "--tls-ca-cert-file",
        text(&ca),
        "--tls-cert-file",
        text(&cert),
        "--tls-key-file",
        text(&key),
    ];
    let redis = Redis::start_with(free_port(), &arguments);
    let user = ["ACL", "SETUSER", "cache", "on", ">pass", "~t:*"];
    redis.command::<String>(&[&user[..], &ALLOWED].concat());
    let origin = origin().await;
    let url = format!("rediss://cache:pass@localhost:{tls_port}");
    let trusted = format!(
        "ca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"\n",
        text(&ca),
        text(&cert),
        text(&key)
    );
    let proxy = Proxy::to(&origin, &toml(&url, &format!("pool_size = 1\n{trusted}"))).await;
    hits_again(&proxy).await;
    until("the log is there", async || {
        redis.command::<i64>(&["EXISTS", "t:{t}:v2:purges"]) == 1
    })
    .await;
    large_values_share_a_connection(&redis, &origin, &proxy).await;
    let untrusting = format!("ca = \"{}\"\n", text(&other.path("ca.pem")));
    let without = Proxy::to(&origin, &toml(&url, &untrusting)).await;
    assert_eq!(without.get("/1").await.text(), "/1");
    assert_eq!(without.metric("sidecache_redis_up"), 0.0);
}

#[tokio::test]
async fn sentinels_fail_over_under_load() {
    let mut primary = Redis::start();
    let port = primary.port().to_string();
    let replica = Redis::start_with(free_port(), &["--replicaof", "127.0.0.1", &port]);
    until("it is replicated", async || replica.is_in_step()).await;
    let sentinel = Redis::sentinel(&primary);
    until("the sentinel knows the replica", async || {
        let replicas: Vec<redis::Value> = sentinel.command(&["SENTINEL", "REPLICAS", "main"]);
        replicas.len() == 1
    })
    .await;
    let origin = origin().await;
    let nobody = free_port();
    let url = format!(
        "redis+sentinel://127.0.0.1:{nobody},127.0.0.1:{}/main",
        sentinel.port()
    );
    let proxy = Proxy::to(&origin, &toml(&url, "")).await;
    hits_again(&proxy).await;
    a_large_value_is_stored(&origin, &proxy, "/large/before").await;
    let load = Load::on(proxy.address());
    load.goes_on().await;
    primary.kill();
    load.goes_on().await;
    until("the replica is promoted", async || replica.is_primary()).await;
    hits_again(&proxy).await;
    a_large_value_is_stored(&origin, &proxy, "/large/after").await;
    assert!(!replica.keys().is_empty());
    load.goes_on().await;
    load.end().await;
}

#[tokio::test]
async fn a_cluster_loses_a_primary_under_load() {
    let mut cluster = Cluster::start();
    let origin = origin().await;
    let proxy = Proxy::to(&origin, &toml(&cluster.url(), "")).await;
    hits_again(&proxy).await;
    assert_eq!(proxy.metric("sidecache_redis_up"), 3.0);
    assert_eq!(proxy.metric("sidecache_redis_servers"), 3.0);
    let load = Load::on(proxy.address());
    load.goes_on().await;
    let victim = cluster.nodes.iter().position(Redis::is_primary).unwrap();
    cluster.nodes[victim].kill();
    load.goes_on().await;
    until("it is seen to be out", async || {
        proxy.metric("sidecache_redis_up") == 2.0
    })
    .await;
    until("its replica has taken its place", async || {
        proxy.metric("sidecache_redis_up") == 3.0
    })
    .await;
    hits_again(&proxy).await;
    load.goes_on().await;
    load.end().await;
    for (node, key) in cluster.keys() {
        let ttl: i64 = node.command(&["PTTL", &key]);
        assert!(ttl > 0, "{key} has no TTL");
    }
}

#[tokio::test]
async fn a_purge_that_a_failover_lost_is_not_forgotten() {
    let (origin, old) = (Origin::start().await, Redis::start());
    let port = old.port().to_string();
    let new = Redis::start_with(free_port(), &["--replicaof", "127.0.0.1", &port]);
    let (for_one, for_two) = (Relay::to(old.port()).await, Relay::to(old.port()).await);
    let shared = |relay: &Relay| {
        format!(
            "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
            relay.url()
        )
    };
    let one = Proxy::to(&origin, &shared(&for_one)).await;
    let two = Proxy::to(&origin, &shared(&for_two)).await;
    origin.answer("/a", Reply::fresh("old", 3600));
    for proxy in [&one, &two] {
        proxy.get("/a").await;
        assert!(proxy.get("/a").await.is_hit());
    }
    until("both follow the log, and it is replicated", async || {
        let followed = new.try_command::<i64>(&["XLEN", "t:{t}:v2:purges"]);
        followed.is_ok_and(|records| records >= 1)
    })
    .await;
    new.command::<String>(&["REPLICAOF", "NO", "ONE"]);
    for_two.lead_to(new.port()); // it does not hear of what comes now
    origin.answer("/a", Reply::ok("done"));
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 3600));
    // Another record comes first, so that the log does not look shorter than it was.
    origin.answer("/b", Reply::ok("done"));
    assert_eq!(two.send("PUT", "/b", &[], "x").await.status, 200);
    for_one.lead_to(new.port());
    for proxy in [&one, &two] {
        until("what was lost is made good", async || {
            proxy.get("/a").await.text() == "new"
        })
        .await;
    }
}
