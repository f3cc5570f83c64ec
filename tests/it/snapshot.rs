//! One snapshot of routes and settings for each request, from its beginning to its end.

use crate::support::{Origin, Proxy, Reply, until};
use sidecache::proxy::Live;

const KEPT: &str = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nttl = \"1m\"\n";
const PASSED: &str = "[[route]]\nname = \"b\"\npath = \"/{*rest}\"\ncache = false\n";

fn replace(proxy: &Proxy, origin: &Origin, toml: &str) {
    let config = crate::support::proxy::config(origin.address(), toml);
    proxy.app().proxy().replace(Live::new(
        config.proxy,
        config.routes,
        config.default_policy,
        config.cache,
        proxy.app().metrics(),
    ));
}

#[tokio::test]
async fn what_is_configured_meanwhile_is_for_the_next_request() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let proxy = Proxy::to(&origin, KEPT).await;
    origin.hold();
    let address = proxy.address();
    let begun = tokio::spawn(async move { crate::support::get(address, "/a", &[]).await });
    until("the origin is asked", async || origin.count("/a") == 1).await;
    replace(&proxy, &origin, PASSED);
    origin.release();
    assert_eq!(
        begun.await.unwrap().cache_status(),
        "fwd=uri-miss; stored",
        "by the route that it began with"
    );
    let next = proxy.get("/a").await;
    assert_eq!(next.cache_status(), "fwd=bypass; detail=route");
    replace(&proxy, &origin, KEPT);
    assert!(proxy.get("/a").await.is_hit(), "what is stored has stayed");
}

#[tokio::test]
async fn a_refresh_keeps_the_rule_of_the_request_that_began_it() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("old"));
    let stale = KEPT.replace(
        "ttl = \"1m\"",
        "ttl = \"1m\"\nstale_while_revalidate = \"1h\"",
    );
    let proxy = Proxy::to(&origin, &stale).await;
    proxy.get("/a").await;
    proxy.advance(90);
    origin.answer("/a", Reply::ok("new"));
    origin.hold();
    assert_eq!(proxy.get("/a").await.text(), "old");
    until("the refresh has begun", async || origin.count("/a") == 2).await;
    replace(&proxy, &origin, PASSED);
    origin.release();
    replace(&proxy, &origin, KEPT);
    until("the refresh is stored", async || {
        let answer = proxy.get("/a").await;
        answer.is_hit() && answer.text() == "new"
    })
    .await;
    assert_eq!(origin.count("/a"), 2);
}
