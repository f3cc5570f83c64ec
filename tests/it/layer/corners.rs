//! What clients, outer layers and handlers may do to a cache that stands between them.

use super::{minute, text};
use crate::support::client::{self, exchange};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
    response::Response,
    routing::{any, get},
};
use http_body_util::BodyExt;
use sidecache::{
    CacheLayer,
    clock::{Clock, Manual},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tower::ServiceExt;

const SECOND: Duration = Duration::from_secs(1);

/// RFC 9112 §3.2.2: an absolute target wins over Host. What an inner service makes of Host must not be stored for the
/// host of the target.
#[tokio::test]
async fn a_host_that_contradicts_the_target_poisons_nothing() {
    let handler = |headers: HeaderMap| async move {
        let host = headers["host"].to_str().unwrap().to_owned();
        format!("<link href=//{host}/app.js>")
    };
    let app = Router::new().route("/", get(handler)).layer(minute().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let attack =
        b"GET http://victim.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    exchange(address, attack).await;
    let plain = b"GET / HTTP/1.1\r\nHost: victim.example\r\nConnection: close\r\n\r\n";
    let answer = client::parse(&exchange(address, plain).await, false);
    assert_eq!(answer.text(), "<link href=//victim.example/app.js>");
}

/// One call that never ends must not be what everybody waits for, for ever.
#[tokio::test]
async fn a_call_that_hangs_is_given_up() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let handler = move || {
        let call = count.fetch_add(1, SeqCst);
        async move {
            if call == 0 {
                std::future::pending::<()>().await;
            }
            "well"
        }
    };
    let layer = minute().await;
    let app = Router::new().route("/a", get(handler)).layer(layer.clone());
    let ask = || {
        let app = app.clone();
        async move {
            let request = Request::get("/a").body(Body::empty()).unwrap();
            app.oneshot(request).await.unwrap()
        }
    };
    tokio::time::pause();
    // The first client gives up, as a timeout outside of the layer would.
    let first = tokio::time::timeout(SECOND, ask()).await;
    assert!(first.is_err());
    let later = tokio::time::timeout(3600 * SECOND, ask()).await;
    assert!(later.is_ok(), "an hour later it still waits");
}

#[tokio::test]
async fn a_drain_ends_although_a_call_hangs() {
    let layer = minute().await;
    let handler = || std::future::pending::<&'static str>();
    let app = Router::new().route("/a", get(handler)).layer(layer.clone());
    tokio::time::pause();
    let request = Request::get("/a").body(Body::empty()).unwrap();
    let _ = tokio::time::timeout(SECOND, app.oneshot(request)).await;
    let drained = tokio::time::timeout(3600 * SECOND, layer.drain()).await;
    assert!(drained.is_ok());
}

/// Nobody knows what became of a write whose handler panicked.
#[tokio::test]
async fn a_write_that_panics_purges() {
    let state = Arc::new(AtomicUsize::new(1));
    let (read, written) = (Arc::clone(&state), Arc::clone(&state));
    let app = Router::new()
        .route(
            "/a",
            get(move || async move { read.load(SeqCst).to_string() }).post(move || async move {
                written.store(2, SeqCst);
                if written.load(SeqCst) == 2 {
                    panic!("after the commit");
                }
            }),
        )
        .layer(minute().await);
    let ask = |method: &str| {
        let request = Request::builder().method(method).uri("/a");
        app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    assert_eq!(text(ask("GET").await.unwrap()).await, "1");
    let written = ask("POST").await.unwrap();
    assert!(written.status().is_server_error());
    assert_eq!(text(ask("GET").await.unwrap()).await, "2");
}

/// The tag that the layer gave out for its own coding is the handler's tag to the handler.
#[tokio::test]
async fn a_tag_of_our_coding_is_known_to_the_handler() {
    let handler = |headers: HeaderMap| async move {
        match headers.get("if-match") {
            Some(tag) if !tag.to_str().unwrap().contains("\"1\"") => (
                StatusCode::PRECONDITION_FAILED,
                [("etag", "\"1\"")],
                String::new(),
            ),
            _ => (StatusCode::OK, [("etag", "\"1\"")], "x".repeat(5000)),
        }
    };
    let layer = CacheLayer::builder()
        .ttl(60 * SECOND)
        .compress(true)
        .build()
        .await
        .unwrap();
    let app = Router::new()
        .route("/a", get(handler).put(handler))
        .layer(layer);
    let read = Request::get("/a").header("accept-encoding", "gzip");
    let read = app
        .clone()
        .oneshot(read.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let tag = read.headers()["etag"].clone();
    assert_eq!(tag, "\"1-gzip\"");
    let write = Request::put("/a").header("if-match", tag);
    let write = app
        .oneshot(write.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(write.status(), StatusCode::OK);
}

/// What asks for another protocol goes to the inner service as it is.
#[tokio::test]
async fn an_upgrade_passes() {
    let handler = |headers: HeaderMap| async move {
        match headers.get("upgrade") {
            Some(_) => Response::builder()
                .status(101)
                .header("upgrade", "websocket")
                .header("connection", "upgrade")
                .body(Body::empty())
                .unwrap(),
            None => Response::builder().status(426).body(Body::empty()).unwrap(),
        }
    };
    let app = Router::new()
        .route("/ws", any(handler))
        .layer(minute().await);
    let request = Request::get("/ws")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13");
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "websocket");
}

/// What the inner service sees of the target is what the key is made of.
#[tokio::test]
async fn a_rewritten_target_is_in_the_key() {
    let handler = |uri: axum::http::Uri| async move { uri.query().unwrap_or("").to_owned() };
    let rewrite = |mut request: axum::extract::Request| async move {
        let who = request.headers()["x-api-key"].to_str().unwrap().to_owned();
        *request.uri_mut() = format!("/a?tenant={who}").parse().unwrap();
        request
    };
    let app = Router::new()
        .route("/a", get(handler))
        .layer(minute().await)
        .layer(axum::middleware::map_request(rewrite));
    for who in ["alice", "bob"] {
        let request = Request::get("/a").header("x-api-key", who);
        let response = app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(text(response).await, format!("tenant={who}"));
    }
}

/// The date that is added to a response is of the layer's clock.
#[tokio::test]
async fn what_is_fetched_again_is_fresh() {
    let clock = Manual::at(SystemTime::now());
    let layer = CacheLayer::builder()
        .ttl(60 * SECOND)
        .clock(Clock::Manual(clock.clone()))
        .build()
        .await
        .unwrap();
    let app = Router::new()
        .route("/a", get(|| async { "a" }))
        .layer(layer);
    let ask = || {
        app.clone()
            .oneshot(Request::get("/a").body(Body::empty()).unwrap())
    };
    ask().await.unwrap();
    clock.advance(61 * SECOND);
    ask().await.unwrap();
    let third = ask().await.unwrap();
    let status = third.headers()["cache-status"].to_str().unwrap().to_owned();
    assert!(status.contains("hit; ttl=60"), "{status}");
}

/// Handlers that read the content of a GET, as search APIs do, get it, or the request passes.
#[tokio::test]
async fn the_content_of_a_get_is_not_lost() {
    let handler = |body: String| async move { body };
    let app = Router::new()
        .route("/a", get(handler))
        .layer(minute().await);
    for content in ["one", "two"] {
        let request = Request::get("/a").header("content-length", "3");
        let request = request.body(Body::from(content)).unwrap();
        assert_eq!(
            text(app.clone().oneshot(request).await.unwrap()).await,
            content
        );
    }
}

/// A field that an outer layer has put there is not the client's to take away.
#[tokio::test]
async fn a_client_takes_no_field_away_that_an_outer_layer_added() {
    let handler = |headers: HeaderMap| async move {
        let tenant = headers
            .get("x-tenant")
            .map(|v| v.to_str().unwrap().to_owned());
        tenant.unwrap_or_else(|| "everybody's".to_owned())
    };
    let add = |mut request: axum::extract::Request| async move {
        let tenant = "alice".parse().unwrap();
        request.headers_mut().insert("x-tenant", tenant);
        request
    };
    let app = Router::new()
        .route("/a", get(handler))
        .layer(minute().await)
        .layer(axum::middleware::map_request(add));
    let request = Request::get("/a").header("connection", "close, x-tenant");
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(text(response).await, "alice");
}

/// A client of HTTP/1.1 cannot choose another key for the same resource by the scheme of its target, and a purge by path
/// still finds it.
#[tokio::test]
async fn the_scheme_of_a_target_makes_no_second_key() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let handler = move || async move { count.fetch_add(1, SeqCst).to_string() };
    let app = Router::new()
        .route("/a", get(handler))
        .layer(minute().await);
    for uri in ["http://a/a", "https://a/a", "gopher://a/a"] {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        assert_eq!(text(app.clone().oneshot(request).await.unwrap()).await, "0");
    }
}

/// As in HTTP/1.1: the authority is the host, whatever Host says (RFC 9113 §8.3.1).
#[tokio::test]
async fn a_host_that_contradicts_the_authority_of_http_2_poisons_nothing() {
    let handler = |headers: HeaderMap| async move {
        let host = headers
            .get("host")
            .map(|host| host.to_str().unwrap().to_owned());
        host.unwrap_or_else(|| "victim.example".to_owned())
    };
    let app = Router::new().route("/", get(handler)).layer(minute().await);
    let ask = |host: Option<&str>| {
        let mut request =
            Request::get("https://victim.example/").version(axum::http::Version::HTTP_2);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    ask(Some("evil.example")).await.unwrap();
    assert_eq!(text(ask(None).await.unwrap()).await, "victim.example");
}

/// Whether a prefix was taken away may depend on the caller: the inner service saw something else then.
#[tokio::test]
async fn what_the_inner_service_saw_is_in_the_key_also_where_it_is_the_end_of_what_came() {
    let handler = |uri: axum::http::Uri| async move { uri.path().to_owned() };
    let strip = |mut request: axum::extract::Request| async move {
        if request.headers().contains_key("x-beta") {
            *request.uri_mut() = "/a".parse().unwrap();
        }
        request
    };
    let app = Router::new()
        .fallback(handler)
        .layer(minute().await)
        .layer(axum::middleware::map_request(strip));
    let ask = |beta: bool| {
        let mut request = Request::get("/v1/a");
        if beta {
            request = request.header("x-beta", "1");
        }
        app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    assert_eq!(text(ask(false).await.unwrap()).await, "/v1/a");
    assert_eq!(text(ask(true).await.unwrap()).await, "/a");
}

/// As in the proxy, content may take as long as it keeps coming: the limit counts from its end.
#[tokio::test]
async fn a_slow_upload_is_not_cut_off() {
    let handler = |body: String| async move { body.len().to_string() };
    let app = Router::new()
        .route("/a", axum::routing::post(handler))
        .layer(minute().await);
    tokio::time::pause();
    let pieces = futures_util::stream::unfold(0, |sent| async move {
        if sent == 5 {
            return None;
        }
        tokio::time::sleep(10 * SECOND).await;
        Some((Ok::<_, std::convert::Infallible>("x"), sent + 1))
    });
    let request = Request::post("/a").body(Body::from_stream(pieces)).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(
        (response.status(), text(response).await),
        (StatusCode::OK, "5".to_owned())
    );
}

/// Events come when they come: nobody but their own client waits for them.
#[tokio::test]
async fn an_event_stream_may_be_silent() {
    let handler = || async {
        let events = futures_util::stream::unfold(0, |sent| async move {
            if sent == 2 {
                return None;
            }
            tokio::time::sleep(40 * SECOND).await;
            Some((Ok::<_, std::convert::Infallible>("data: x\n\n"), sent + 1))
        });
        let mut response = Response::new(Body::from_stream(events));
        let kind = "text/event-stream".parse().unwrap();
        response.headers_mut().insert("content-type", kind);
        response
    };
    let app = Router::new()
        .route("/a", get(handler))
        .layer(minute().await);
    tokio::time::pause();
    let request = Request::get("/a").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let events = response.into_body().collect().await;
    assert!(events.is_ok(), "{events:?}");
}

/// The same layer around a route and around its router: the inner one must not wait for the outer one's fetch.
#[tokio::test]
async fn a_layer_inside_itself_does_not_wait_for_itself() {
    let layer = minute().await;
    let app = Router::new()
        .route("/a", get(|| async { "a" }).layer(layer.clone()))
        .layer(layer.clone());
    tokio::time::pause();
    let request = Request::get("/a").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// Many bodies do not know that they are empty. That of a GET is, where nothing announces it.
#[tokio::test]
async fn a_body_that_does_not_say_that_it_is_empty_switches_nothing_off() {
    let app = Router::new().route("/a", get(|| async { "a" })).layer(
        tower::ServiceBuilder::new()
            .layer(tower_http::timeout::RequestBodyTimeoutLayer::new(SECOND))
            .layer(minute().await),
    );
    let ask = || {
        app.clone()
            .oneshot(Request::get("/a").body(Body::empty()).unwrap())
    };
    ask().await.unwrap();
    let second = ask().await.unwrap();
    let status = second.headers()["cache-status"].to_str().unwrap();
    assert!(status.contains("hit"), "{status}");
}
