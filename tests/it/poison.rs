//! What one caller provokes, or an origin misspells, is nobody else's answer.

use crate::support::{Origin, Proxy, Reply};

async fn with(toml: &str) -> (Origin, Proxy) {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, toml).await;
    (origin, proxy)
}

const ROUTE: &str = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nttl = \"1h\"\n";

/// A long field, an odd method, a type that is not spoken: the origin refuses one request, and says max-age on everything.
#[tokio::test]
async fn an_error_that_one_request_provokes_is_not_stored() {
    let class = format!("{ROUTE}ttl_by_status = {{ 4xx = \"1h\" }}\n");
    let overriding = format!("{ROUTE}override = true\n");
    for toml in ["", ROUTE, &class, &overriding] {
        let (origin, proxy) = with(toml).await;
        for status in [
            400, 401, 403, 405, 406, 413, 414, 415, 416, 417, 421, 429, 431,
        ] {
            let path = format!("/{status}");
            origin.answer(&path, Reply::fresh("no", 600).status(status));
            let refused = proxy.get_with(&path, &[("X-Long", "x")]).await;
            assert_eq!(refused.status, status);
            assert_eq!(refused.cache_status(), "fwd=uri-miss; detail=one-request");
            origin.answer(&path, Reply::fresh("yes", 600));
            assert_eq!(proxy.get(&path).await.text(), "yes", "{status}");
        }
    }
}

#[tokio::test]
async fn an_error_is_stored_where_the_route_names_it() {
    let toml = format!("{ROUTE}ttl_by_status = {{ 403 = \"10s\", 4xx = \"1h\" }}\n");
    let (origin, proxy) = with(&toml).await;
    origin.answer("/own", Reply::fresh("no", 100).status(403));
    origin.answer("/silent", Reply::ok("no").status(403));
    for path in ["/own", "/silent"] {
        proxy.get(path).await;
        let again = proxy.get(path).await;
        assert!(again.is_hit() && again.status == 403, "{path}");
    }
    proxy.advance(50);
    assert!(proxy.get("/own").await.is_hit(), "the origin's lifetime");
    assert!(!proxy.get("/silent").await.is_hit());
}

/// One who is refused takes nothing away from the others.
#[tokio::test]
async fn an_error_that_one_request_provokes_leaves_what_is_stored() {
    let toml = format!("{ROUTE}stale_if_error = \"1h\"\n");
    let (origin, proxy) = with(&toml).await;
    origin.answer("/a", Reply::fresh("a", 10));
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer("/a", Reply::fresh("no", 600).status(431));
    proxy.get("/a").await;
    origin.answer("/a", Reply::ok("").status(503));
    assert_eq!(proxy.get("/a").await.text(), "a");
}

#[tokio::test]
async fn what_a_targeted_field_forbids_is_forbidden_however_it_is_spelt() {
    for field in ["cdn-cache-control", "cache-control"] {
        for value in [
            "Private",
            "No-Store",
            "private,",
            "no-store, max-age = 60",
            "private=",
            "\"no-store\"",
            "no-store;",
            "no-store=1",
            "private=\"x",
        ] {
            let (origin, proxy) = with("").await;
            let reply = Reply::ok("for alice").header(field, value);
            let reply = match field {
                "cache-control" => reply.header("expires", "Thu, 31 Dec 2099 00:00:00 GMT"),
                _ => reply.header("cache-control", "max-age=600"),
            };
            origin.answer("/a", reply);
            proxy.get("/a").await;
            origin.answer("/a", Reply::ok("for bob"));
            assert_eq!(proxy.get("/a").await.text(), "for bob", "{field}: {value}");
        }
    }
}

#[tokio::test]
async fn a_lifetime_that_nobody_can_read_is_not_the_routes() {
    for (field, value) in [
        ("cache-control", "max-age = 0"),
        ("cache-control", "max-age=x"),
        ("cache-control", "max-age=-1"),
        ("cache-control", "max-age=\"\""),
        ("cache-control", "s-maxage = 0"),
        ("cache-control", "public; max-age=0"),
        ("cdn-cache-control", "max-age = 0"),
        ("expires", "0"),
    ] {
        let (origin, proxy) = with(ROUTE).await;
        origin.answer("/a", Reply::ok("x").header(field, value));
        proxy.get("/a").await;
        assert!(!proxy.get("/a").await.is_hit(), "{field}: {value}");
    }
}
