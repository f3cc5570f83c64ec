//! The operator's side: alive, ready, metrics that add up.

use crate::support::{Origin, Proxy, Reply, get, redis::Redis, request, until};

#[tokio::test]
async fn alive_and_ready_are_on_the_admin_port_alone() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(get(proxy.admin(), "/healthz", &[]).await.text(), "ok\n");
    assert_eq!(
        get(proxy.admin(), "/readyz", &[]).await.json()["status"],
        "ready"
    );
    proxy.get("/metrics").await;
    assert_eq!(
        origin.count("/metrics"),
        1,
        "on the public port it is the upstream's path"
    );
    assert_eq!(
        request(proxy.admin(), "POST", "/readyz", &[], b"")
            .await
            .status,
        405
    );
    assert_eq!(get(proxy.admin(), "/", &[]).await.status, 404);
}

#[tokio::test]
async fn ready_says_degraded_when_redis_is_out() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    let proxy = Proxy::to(
        &origin,
        &format!(
            "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
            redis.url()
        ),
    )
    .await;
    let status = async || get(proxy.admin(), "/readyz", &[]).await.json()["redis"].clone();
    until("redis is up", async || status().await == "up").await;
    redis.kill();
    until("redis is out", async || status().await == "out").await;
    let ready = get(proxy.admin(), "/readyz", &[]).await;
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (200, &"degraded".into())
    );
}

#[tokio::test]
async fn per_route_the_outcomes_sum_to_the_requests() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.answer("/fails", Reply::closing());
    let routes = "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nmethods = [\"GET\", \"POST\"]\n";
    let proxy = Proxy::to(&origin, routes).await;
    let mut sent = 0.0;
    for (method, path) in [
        ("GET", "/a"),
        ("GET", "/a"),
        ("POST", "/a"),
        ("GET", "/fails"),
        ("GET", "/none"),
        ("GET", "/a"),
    ] {
        proxy.send(method, path, &[], "").await;
        sent += 1.0;
    }
    let count = |outcome| {
        proxy.metric(&format!(
            "sidecache_requests_total{{route=\"r\",outcome=\"{outcome}\"}}"
        ))
    };
    let counts = ["hit", "stale", "revalidated", "miss", "bypass", "failed"].map(count);
    assert_eq!(counts.iter().sum::<f64>(), sent);
    assert_eq!(counts, [1.0, 0.0, 0.0, 3.0, 1.0, 1.0]);
    let durations = ["store", "upstream"].map(|from| {
        proxy.metric(&format!(
            "sidecache_request_duration_seconds_count{{route=\"r\",from=\"{from}\"}}"
        ))
    });
    assert_eq!(durations.iter().sum::<f64>(), sent);
}

#[tokio::test]
async fn metrics_are_served_as_openmetrics() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let answer = get(proxy.admin(), "/metrics", &[]).await;
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(answer.text().ends_with("# EOF\n"));
    for name in [
        "sidecache_requests",
        "sidecache_memory_bytes",
        "sidecache_redis_up",
        "sidecache_connections",
    ] {
        assert!(answer.text().contains(&format!("# TYPE {name} ")), "{name}");
    }
}

#[tokio::test]
async fn metrics_are_coded_for_whoever_takes_that() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let headers = [("Accept-Encoding", "gzip"), ("X-Request-Id", "mine")];
    let coded = get(proxy.admin(), "/metrics", &headers).await;
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    assert_eq!(coded.header("x-request-id"), Some("mine"));
    let plain = get(proxy.admin(), "/metrics", &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.header("x-request-id").is_some());
    assert!(coded.gunzipped().ends_with("# EOF\n"));
    assert!(coded.body.len() * 3 < plain.body.len());
}

async fn health(arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_sidecache"))
        .arg("health")
        .args(arguments)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[tokio::test]
async fn the_health_command_asks_the_admin_port() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let health = async |admin: String| health(&["--admin", &admin]).await;
    assert_eq!(health(proxy.admin().to_string()).await.0, Some(0));
    let (code, text) = health("127.0.0.1:1".to_owned()).await;
    assert_eq!(
        (code, text.contains("the admin port does not answer")),
        (Some(1), true),
        "{text}"
    );
    let (code, text) = health(proxy.address().to_string()).await;
    assert_eq!(
        (code, text.contains("not healthy")),
        (Some(1), true),
        "{text}"
    );
}

/// A container whose only program is this one may hold another server.
#[tokio::test]
async fn the_health_command_asks_another_server() {
    let origin = Origin::start().await;
    origin.answer("/good?a=1", Reply::ok("whatever"));
    origin.answer("/bad", Reply::ok("").status(503));
    let health = async |url: String| health(&["--url", &url]).await;
    let at = |path: &str| format!("http://{}{path}", origin.address());
    assert_eq!(health(at("/good?a=1")).await, (Some(0), String::new()));
    for (url, expected, says) in [
        (at("/bad"), 1, "it answers 503"),
        (
            "http://127.0.0.1:1/".to_owned(),
            1,
            "that server does not answer",
        ),
        ("https://127.0.0.1/".to_owned(), 2, "not of the form"),
        ("127.0.0.1:1".to_owned(), 2, "not of the form"),
        ("localhost:3000/x".to_owned(), 2, "not of the form"),
    ] {
        let (code, text) = health(url.clone()).await;
        assert_eq!(
            (code, text.contains(says)),
            (Some(expected), true),
            "{url}: {text}"
        );
    }
}
