//! What makes requests ask for the same thing: parameters of the query, and the name of the host.

use crate::support::{Origin, Proxy, Reply, client::request};

/// A proxy whose one route has this key.
async fn with_key(key: &str) -> (Origin, Proxy) {
    let origin = Origin::start().await;
    let toml = format!(
        "[[route]]\nname = \"a\"\npath = \"/{{*rest}}\"\nttl = \"1m\"\nkey = {{ {key} }}\n"
    );
    let proxy = Proxy::to(&origin, &toml).await;
    (origin, proxy)
}

/// Whether `second` is answered from what `first` was answered.
async fn shares(key: &str, first: &str, second: &str) -> bool {
    let (origin, proxy) = with_key(key).await;
    origin.answer("/s", Reply::ok("x"));
    proxy.get(&format!("/s{first}")).await;
    proxy.get(&format!("/s{second}")).await.is_hit()
}

#[tokio::test]
async fn each_way_to_say_which_parameters_count_does_what_it_says() {
    for (key, one, other, shared) in [
        ("query = [\"q\"]", "?q=1&x=2", "?y=3&q=1", true),
        ("query = { only = [\"q\"] }", "?q=1&x=2", "?q=1", true),
        ("query = { only = [\"q\"] }", "?q=1", "?q=2", false),
        ("query = { only = [\"q\"] }", "?q=1", "?q=1&q[]=evil", false),
        ("query = { only = [\"q\"] }", "", "?api_key=alice", false),
        (
            "query = { except = [\"utm_*\"] }",
            "?a=1&utm_x=2",
            "?a=1",
            true,
        ),
        (
            "query = { except = [\"utm_*\"] }",
            "?a=1&b=2",
            "?b=2&a=1",
            false,
        ),
        (
            "query = { except = [\"x\", \"tracking\"] }",
            "?x=1&gclid=2",
            "",
            true,
        ),
        (
            "query = { preset = \"tracking\" }",
            "?a=1&fbclid=2",
            "?a=1",
            true,
        ),
        (
            "query = { preset = \"tracking\" }",
            "?token=1",
            "?token=2",
            false,
        ),
        (
            "query = { except = [\"token\"] }",
            "?token=1",
            "?token=2",
            false,
        ),
        ("query = { sort = true }", "?b=2&a=1", "?a=1&b=2", true),
        ("query = { sort = true }", "?a=2&a=1", "?a=1&a=2", false),
        ("query = { sort = false }", "?b=2&a=1", "?a=1&b=2", false),
        (
            "query = { preset = \"tracking\", sort = true }",
            "?b=2&gclid=3&a=1",
            "?a=1&b=2",
            true,
        ),
    ] {
        assert_eq!(shares(key, one, other).await, shared, "{key} {one} {other}");
    }
}

/// The origin gets the query as it was sent, and a purge by path sees what is in the key.
#[tokio::test]
async fn a_purge_by_path_sees_the_parameters_that_count() {
    let (origin, proxy) = with_key("query = { preset = \"tracking\", sort = true }").await;
    let path = "/s?b=2&gclid=3&a=1";
    origin.answer("/s", Reply::ok("x"));
    proxy.get(path).await;
    assert_eq!(origin.count(path), 1, "as it was sent");
    for (pattern, hit) in [("/s?b=2*", true), ("/s?a=1&b=2", false)] {
        let body = format!("{{\"paths\": [\"{pattern}\"], \"hard\": true}}");
        let json = [("Content-Type", "application/json")];
        request(proxy.admin(), "POST", "/api/purge", &json, body.as_bytes()).await;
        assert_eq!(proxy.get(path).await.is_hit(), hit, "{pattern}");
    }
}

const ONE_NAME: &str = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nttl = \"1m\"\nkey = { host = \"API.example\" }\n";

async fn by(proxy: &Proxy, method: &str, path: &str, host: &str) -> crate::support::Answer {
    proxy.send(method, path, &[("Host", host)], "").await
}

#[tokio::test]
async fn one_name_for_the_host_makes_all_others_the_same() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ONE_NAME).await;
    origin.answer("/a", Reply::ok("x"));
    by(&proxy, "GET", "/a", "10.0.0.1:8080").await;
    assert_eq!(origin.last("/a").header("host"), Some("10.0.0.1:8080"));
    for host in ["api.example", "localhost:8080"] {
        assert!(by(&proxy, "GET", "/a", host).await.is_hit(), "{host}");
    }
    let apart = Proxy::to(&origin, &ONE_NAME.replace("API.example", "as-sent")).await;
    by(&apart, "GET", "/a", "10.0.0.1").await;
    assert!(!by(&apart, "GET", "/a", "10.0.0.2").await.is_hit());
}

/// Whatever name a write or a purge comes by, and whatever route it takes.
#[tokio::test]
async fn what_is_kept_under_one_name_is_changed_by_every_name() {
    let origin = Origin::start().await;
    let tokens = "[cache]\npurge_token = \"0123456789abcdef\"\n";
    let proxy = Proxy::to(&origin, &format!("{tokens}{ONE_NAME}")).await;
    let tell = async |path: &str, reply: Reply| {
        origin.answer(path, reply.header("cache-groups", "\"g\""));
        by(&proxy, "GET", path, "b.example").await;
        assert!(by(&proxy, "GET", path, "c.example").await.is_hit());
    };
    let is_gone = async |path: &str| !by(&proxy, "GET", path, "c.example").await.is_hit();

    tell("/a", Reply::ok("x")).await;
    by(&proxy, "PUT", "/a", "d.example").await;
    assert!(is_gone("/a").await, "its own URI");

    tell("/b", Reply::ok("x")).await;
    origin.answer(
        "/list",
        Reply::ok("").header("location", "http://d.example/b"),
    );
    by(&proxy, "POST", "/list", "d.example").await;
    assert!(is_gone("/b").await, "what it made");

    tell("/c", Reply::ok("x")).await;
    let grouped = Reply::ok("").header("cache-group-invalidation", "\"g\"");
    origin.answer("/list", grouped);
    by(&proxy, "POST", "/list", "d.example").await;
    assert!(is_gone("/c").await, "its group");

    tell("/d", Reply::ok("x")).await;
    let token = ("X-Sidecache-Purge", "0123456789abcdef");
    let fields = [("Host", "d.example"), token];
    proxy.send("PURGE", "/d", &fields, "").await;
    assert!(is_gone("/d").await, "PURGE");

    tell("/e", Reply::ok("x")).await;
    let json = [("Content-Type", "application/json")];
    let body = "{\"urls\": [\"http://e.example/e\"], \"hard\": true}";
    request(proxy.admin(), "POST", "/api/purge", &json, body.as_bytes()).await;
    assert!(is_gone("/e").await, "by URL");
}
