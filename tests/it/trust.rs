//! Who may say how a request was reached: what a stranger says of it goes nowhere, what a trusted peer says decides.

use crate::support::{Origin, Proxy, Reply, client::exchange};

const NOBODY: &str = "trusted = []\n";

/// One of each kind, and every name that is known to have been used for an attack.
const SAID: &[(&str, &str)] = &[
    ("Forwarded", "for=192.0.2.1;host=evil.example;proto=https"),
    ("X-Forwarded", "evil"),
    ("X-Forwarded-For", "192.0.2.1"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Server", "evil"),
    ("X-Forwarded-User", "root"),
    ("X-Forwarded-Client-Cert", "Hash=1"),
    ("X-Real-IP", "192.0.2.1"),
    ("X-Client-IP", "192.0.2.1"),
    ("True-Client-IP", "192.0.2.1"),
    ("CF-Connecting-IP", "192.0.2.1"),
    ("Fastly-Client-IP", "192.0.2.1"),
    ("X-Cluster-Client-IP", "192.0.2.1"),
    ("X-Original-Host", "evil.example"),
    ("X-Original-URL", "/admin"),
    ("X-Original-URI", "/admin"),
    ("X-Rewrite-URL", "/admin"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method", "DELETE"),
    ("X-Method-Override", "DELETE"),
    ("X-HTTP-Host-Override", "evil.example"),
    ("X-Host", "evil.example"),
    ("Front-End-Https", "on"),
    ("X-Url-Scheme", "https"),
    ("X-Scheme", "https"),
    ("X-ProxyUser-Ip", "192.0.2.1"),
    ("X-Proxy-Host", "evil.example"),
    ("X-Script-Name", "/evil"),
    ("X-Request-URI", "/admin"),
    ("X-SSL", "1"),
    ("X-SSL-Client-S-DN", "CN=root"),
    ("Proxy", "http://evil.example"),
    ("Base-Url", "http://evil.example"),
    ("X_Forwarded_Host", "evil.example"),
    ("X_User", "root"),
    ("X.Forwarded.Host", "evil.example"),
    ("X!Original!Url", "/admin"),
    ("$WSSN", "evil.example"),
    ("Forwarded-Host", "evil.example"),
    ("Https", "on"),
    ("WL-Proxy-SSL", "true"),
    ("Surrogate-Capability", "x=\"ESI/1.0\""),
    ("X-Sendfile-Type", "X-Sendfile"),
    ("X-Accel-Mapping", "/=/secret/"),
    ("X-Middleware-Subrequest", "middleware"),
    ("X-Invoke-Status", "500"),
    ("X-Now-Route-Matches", "1"),
];

#[tokio::test]
async fn what_a_stranger_says_reaches_neither_the_key_nor_the_origin() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::with_server(&origin, NOBODY, "").await;
    proxy.get_with("/a", SAID).await;
    let seen = origin.last("/a");
    for (name, value) in SAID {
        let ours = match *name {
            "X-Forwarded-For" => Some("127.0.0.1"),
            "X-Forwarded-Host" => Some("test.example"),
            "X-Forwarded-Proto" => Some("http"),
            _ => None,
        };
        assert_eq!(
            seen.header(&name.to_ascii_lowercase()),
            ours,
            "{name}: {value}"
        );
    }
    assert!(
        proxy.get("/a").await.is_hit(),
        "nothing of it split the key"
    );
    for said in SAID {
        assert!(proxy.get_with("/a", &[*said]).await.is_hit(), "{said:?}");
    }
}

#[tokio::test]
async fn other_fields_of_a_stranger_pass() {
    let origin = Origin::start().await;
    let proxy = Proxy::with_server(&origin, NOBODY, "").await;
    let fields = [
        ("X-User-Id", "7"),
        ("Remote-User", "alice"),
        ("X-Requested-With", "x"),
        ("Destination", "/b"),
        ("X-Api-Key", "k"),
    ];
    proxy.get_with("/a", &fields).await;
    let seen = origin.last("/a");
    for (name, value) in fields {
        assert_eq!(
            seen.header(&name.to_ascii_lowercase()),
            Some(value),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_stranger_cannot_write_past_a_purge() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    for server in [NOBODY, ""] {
        let proxy = Proxy::with_server(&origin, server, "").await;
        proxy.get("/a").await;
        assert!(proxy.get("/a").await.is_hit());
        let fields = [("X-Forwarded-Host", "evil.example")];
        proxy.send("PUT", "/a", &fields, "x").await;
        assert!(!proxy.get("/a").await.is_hit(), "{server}");
    }
}

#[tokio::test]
async fn what_a_trusted_peer_says_is_continued() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let fields = [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("Via", "1.1 one"),
        ("Via", "1.0 two"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Prefix", "/api"),
        ("X-Forwarded-Prefix", "/v1"),
        ("Forwarded", "for=192.0.2.1;proto=https"),
        ("Forwarded", "for=\"[2001:db8::1]:47\""),
        ("X-Real-IP", "192.0.2.1"),
        ("X-Forwarded-User", "alice"),
        ("X_User", "alice"),
    ];
    proxy.get_with("/a", &fields).await;
    let raw = origin.last("/a");
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.1, 10.0.0.1, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-prefix", "/api, /v1"),
        (
            "forwarded",
            "for=192.0.2.1;proto=https, for=\"[2001:db8::1]:47\", for=127.0.0.1",
        ),
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-user", "alice"),
        ("x_user", "alice"),
        ("host", "test.example"),
    ] {
        assert_eq!(raw.header(name), Some(value), "{name}");
        assert_eq!(raw.lines(name), 1, "{name} is one line");
    }
    let via = raw.header("via").unwrap();
    assert!(
        via.starts_with("1.1 one, 1.0 two, 1.1 sidecache ("),
        "{via}"
    );
    assert_eq!(raw.lines("via"), 1);
}

#[tokio::test]
async fn what_is_not_said_is_added_as_it_is() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let said = [("Forwarded", "proto=https;host=\"api.example:8443\"")];
    proxy.get_with("/a", &said).await;
    let seen = origin.last("/a");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("api.example:8443"));
    let open = [("Forwarded", "for=\"192.0.2.1")];
    proxy.get_with("/b", &open).await;
    assert_eq!(
        origin.last("/b").header("forwarded"),
        None,
        "ours would be lost in it"
    );
}

#[tokio::test]
async fn one_entry_for_all_clients_of_a_trusted_proxy() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "").await;
    let same = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
    ];
    proxy.get_with("/a", &same).await;
    for client in [
        ("Forwarded", "for=192.0.2.1"),
        ("Forwarded", "for=192.0.2.2;by=10.0.0.1"),
        ("X-Forwarded-For", "192.0.2.3"),
        ("X-Real-IP", "192.0.2.4"),
        ("X-Forwarded-Client-Cert", "Hash=5"),
        ("X-Forwarded-Request-Id", "6"),
    ] {
        let answer = proxy.get_with("/a", &[same[0], same[1], client]).await;
        assert!(answer.is_hit(), "{client:?}");
    }
    assert!(
        !proxy.get_with("/a", &same[..1]).await.is_hit(),
        "another host"
    );
    assert!(
        !proxy.get_with("/a", &same[1..]).await.is_hit(),
        "another scheme"
    );
}

#[tokio::test]
async fn the_effective_host_is_the_one_that_is_purged() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "[cache]\npurge_token = \"0123456789abcdef\"").await;
    let outside = [("Host", "pod-1"), ("X-Forwarded-Host", "api.example")];
    proxy.get_with("/a", &outside).await;
    let token = ("X-Sidecache-Purge", "0123456789abcdef");
    proxy
        .send("PURGE", "/a", &[("Host", "other.example"), token], "")
        .await;
    assert!(proxy.get_with("/a", &outside).await.is_hit());
    proxy
        .send("PURGE", "/a", &[("Host", "api.example"), token], "")
        .await;
    assert!(!proxy.get_with("/a", &outside).await.is_hit());
    let other_pod = [("Host", "pod-2"), ("X-Forwarded-Host", "api.example")];
    assert!(
        !proxy.get_with("/a", &other_pod).await.is_hit(),
        "the origin is asked for another host, and may answer by it"
    );
}

#[tokio::test]
async fn vary_on_how_it_was_reached_is_in_the_key() {
    let origin = Origin::start().await;
    let vary = "X-Forwarded-Proto, X-Forwarded-Host, Host";
    origin.answer("/a", Reply::fresh("a", 60).header("vary", vary));
    origin.answer("/b", Reply::fresh("b", 60).header("vary", "Forwarded"));
    for server in ["", NOBODY] {
        let proxy = Proxy::with_server(&origin, server, "").await;
        proxy.get("/a").await;
        assert!(proxy.get("/a").await.is_hit());
        let http = [("X-Forwarded-Proto", "http")];
        assert!(
            proxy.get_with("/a", &http).await.is_hit(),
            "the origin sees the same"
        );
        let https = [("X-Forwarded-Proto", "https")];
        assert_eq!(
            proxy.get_with("/a", &https).await.is_hit(),
            server == NOBODY
        );
        origin.answer(
            "/c",
            Reply::fresh("c", 60).header("vary", "X-Forwarded-Host"),
        );
        let vary = proxy.get("/c").await;
        assert_eq!(
            vary.header("vary"),
            Some("X-Forwarded-Host"),
            "nothing is added"
        );
        assert!(proxy.get("/c").await.is_hit());
        proxy.get("/b").await;
        assert!(!proxy.get("/b").await.is_hit());
    }
}

#[tokio::test]
async fn only_the_peers_that_are_listed_are_believed() {
    let origin = Origin::start().await;
    for (trusted, believed) in [
        ("[\"loopback\"]", true),
        ("[\"127.0.0.1\"]", true),
        ("[\"10.0.0.0/8\", \"127.0.0.0/30\"]", true),
        ("[\"0.0.0.0/0\"]", true),
        ("[\"private\"]", false),
        ("[\"127.0.0.2\", \"::1\"]", false),
        ("[]", false),
    ] {
        let server = format!("trusted = {trusted}\n");
        let proxy = Proxy::with_server(&origin, &server, "").await;
        proxy
            .get_with("/a", &[("X-Forwarded-For", "192.0.2.1")])
            .await;
        let seen = origin.last("/a");
        let expected = if believed {
            "192.0.2.1, 127.0.0.1"
        } else {
            "127.0.0.1"
        };
        assert_eq!(seen.header("x-forwarded-for"), Some(expected), "{trusted}");
    }
}

#[tokio::test]
async fn trailers_of_a_request_say_nothing_of_it_either() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let raw = "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: x-sum, x-forwarded-for, x_user\r\n\
        Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 7\r\nx-forwarded-for: 192.0.2.1\r\nx_user: root\r\n\r\n";
    exchange(proxy.address(), raw.as_bytes()).await;
    let body = String::from_utf8(origin.last("/a").body).unwrap();
    assert_eq!(
        body.to_ascii_lowercase(),
        "4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n"
    );
}
