//! Spellings of a path: which are one, which nobody can tell the meaning of, and what a write to any of them changes.

use crate::support::{Origin, Proxy, Reply, client::exchange};

const ROUTES: &str = "[[route]]\nname = \"me\"\npath = \"/api/me\"\ncache = false\n\
    [[route]]\nname = \"user\"\npath = \"/api/users/{id}\"\nttl = 300\ntags = [\"user:{id}\"]\n\
    [[route]]\nname = \"static\"\npath = \"/{*rest}\"\nttl = 300\nshare = \"all\"\n\
    [[route]]\nname = \"write\"\npath = \"/api/users/{id}\"\nmethods = [\"PUT\"]\n\
    purge = [\"hard:tag:user:{id}\", \"hard:path:/list/{id}\"]\n";

#[tokio::test]
async fn a_path_that_servers_read_in_several_ways_is_never_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    for path in [
        "/static/../api/me",
        "/static/%2e%2e/api/me",
        "/static/..%2fapi/me",
        "/static/..%5capi/me",
        "/static/..\\api/me",
        "/static/..;/api/me",
        "/api/me;x.css",
        "/api/me%3bx.css",
        "/api/me%00.css",
        "/api/me%0a.css",
        "/api/me%0D.css",
        "/api/me%7f.css",
        "/api/me%23.css",
        "/api/me%3f.css",
        "/api/me%252f.css",
        "/static/%252e%252e/api/me",
        "/api/me%zz.css",
        "/api/me%",
        "/static/%c0%ae%c0%ae/api/me",
        "/static%e0%80%af..",
        "/static%f0%80%80%afx",
        "//api/me",
        "/api/me%20",
        "/api%20/me",
        "/static/..%20/api/me",
    ] {
        origin.answer(path, Reply::ok("mine"));
        for count in 1..=2 {
            let answer = proxy.get(path).await;
            let status = answer.cache_status();
            // Where the route says so itself, that comes first.
            let passed = ["fwd=bypass; detail=path", "fwd=bypass; detail=route"].contains(&status);
            assert!(passed, "{path}: {status}");
            assert_eq!(origin.count(path), count, "it goes on as it came: {path}");
        }
    }
}

#[tokio::test]
async fn harmless_escapes_are_stored_each_for_itself() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    for path in [
        "/%61",
        "/a%20b",
        "/a%2cb",
        "/a%e9",
        "/a%E9",
        "/caf%c3%a9",
        "/a,b=c:d@e!",
    ] {
        origin.answer(path, Reply::ok(path));
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
        assert_eq!(proxy.get(path).await.text(), path);
    }
}

#[tokio::test]
async fn a_route_is_not_evaded_by_a_spelling() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    for path in ["/api/me", "/api/%6de", "/%61pi/me"] {
        origin.answer(path, Reply::ok("mine"));
        let status = proxy.get(path).await;
        assert_eq!(status.cache_status(), "fwd=bypass; detail=route", "{path}");
    }
}

#[tokio::test]
async fn a_write_purges_what_any_reading_of_its_path_names() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    for path in [
        "/api/users/7",
        "/api/./users/7",
        "//api/users/7",
        "/api/%75sers/7",
        "/api/x/../users/7",
        "/api%2fusers/7",
        "/api%5Cusers/7",
        "/api/users/7;v=2",
        "/api;x/users/7",
        "/api/users/7%3fx",
        "/api%252fusers/7",
        "/x/%c0%ae./api/users/7",
    ] {
        for stored in ["/api/users/7", "/list/7"] {
            origin.answer(stored, Reply::ok("old"));
            proxy.get(stored).await;
            assert!(proxy.get(stored).await.is_hit(), "{stored}");
        }
        origin.answer(path, Reply::ok("done"));
        assert_eq!(
            proxy.send("PUT", path, &[], "x").await.status,
            200,
            "{path}"
        );
        for stored in ["/api/users/7", "/list/7"] {
            assert!(
                !proxy.get(stored).await.is_hit(),
                "{stored} after PUT {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_purge_is_of_every_spelling() {
    let origin = Origin::start().await;
    let toml = format!("[cache]\npurge_token = \"0123456789abcdef\"\n{ROUTES}");
    let proxy = Proxy::to(&origin, &toml).await;
    let token = [("X-Sidecache-Purge", "0123456789abcdef")];
    let url = async |path: &str| {
        let body = format!("{{\"urls\": [\"http://test.example{path}\"], \"hard\": true}}");
        let json = [("Content-Type", "application/json")];
        let body = body.as_bytes();
        crate::support::client::request(proxy.admin(), "POST", "/api/purge", &json, body)
            .await
            .status
    };
    origin.answer("/b/%c3%a9", Reply::ok("old"));
    for path in [
        "/b/%C3%A9",
        "//b/%c3%a9",
        "/x/../b/%c3%a9",
        "/b%2f%c3%a9",
        "/b/\u{e9}",
    ] {
        for admin in [false, true] {
            proxy.get("/b/%c3%a9").await;
            assert!(proxy.get("/b/%c3%a9").await.is_hit(), "{path}");
            let status = if admin {
                url(path).await
            } else {
                proxy.send("PURGE", path, &token, "").await.status
            };
            assert_eq!(status, 200, "{path}");
            assert!(!proxy.get("/b/%c3%a9").await.is_hit(), "{path} {admin}");
        }
    }
}

#[tokio::test]
async fn bytes_that_no_uri_may_have_are_escaped_for_everybody() {
    let origin = Origin::start().await;
    origin.answer("/caf%C3%A9?q=%C3%BC", Reply::ok("a"));
    let toml = "[[route]]\nname = \"r\"\npath = \"/caf\u{e9}\"\nttl = 300\n";
    let proxy = Proxy::to(&origin, toml).await;
    let raw = "GET /caf\u{e9}?q=\u{fc} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n";
    exchange(proxy.address(), raw.as_bytes()).await;
    assert_eq!(origin.count("/caf%C3%A9?q=%C3%BC"), 1);
    assert!(proxy.get("/caf%C3%A9?q=%C3%BC").await.is_hit());
    origin.answer("/caf%C3%A9", Reply::ok("done"));
    proxy.send("PUT", "/caf\u{e9}", &[], "x").await;
    assert!(!proxy.get("/caf%C3%A9?q=%C3%BC").await.is_hit());
}

#[tokio::test]
async fn the_answer_to_a_post_is_not_kept_under_such_a_path() {
    let origin = Origin::start().await;
    for path in ["/a%2fb", "/a;b"] {
        let reply = Reply::fresh("a", 60).header("content-location", path);
        origin.answer(path, reply);
        let proxy = Proxy::to(&origin, "").await;
        let posted = proxy.send("POST", path, &[], "x").await;
        assert_eq!(posted.cache_status(), "fwd=method", "{path}");
    }
}
