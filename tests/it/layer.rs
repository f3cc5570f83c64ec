//! The cache as a tower layer, in front of axum routers.

use axum::{
    Router,
    body::Body,
    extract::Extension,
    http::{HeaderMap, Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use sidecache::{
    CacheLayer,
    clock::{Clock, Manual},
    layer::{BuildError, Builder},
};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::support::{redis::Redis, until};

const SECOND: Duration = Duration::from_secs(1);

/// How often a handler was called.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn one_more(&self) -> usize {
        self.0.fetch_add(1, SeqCst) + 1
    }
}

/// What `answer` makes of the number of the call, behind `layer`.
fn app<R, F>(layer: &CacheLayer, calls: &Calls, answer: F) -> Router
where
    R: IntoResponse + Send + 'static,
    F: Fn(usize) -> R + Clone + Send + Sync + 'static,
{
    let calls = calls.clone();
    let handler = move || {
        let response = answer(calls.one_more());
        async move { response }
    };
    Router::new()
        .route("/a", get(handler.clone()).post(handler))
        .layer(layer.clone())
}

async fn send(app: &Router, method: &str, fields: &[(&str, &str)]) -> Response {
    let request = Request::builder().method(method).uri("/a");
    let request = fields
        .iter()
        .fold(request.header("host", "a"), |request, (name, value)| {
            request.header(*name, *value)
        });
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn get_a(app: &Router, fields: &[(&str, &str)]) -> Response {
    send(app, "GET", fields).await
}

fn status(response: &Response) -> &str {
    response.headers()["cache-status"].to_str().unwrap()
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn minute() -> CacheLayer {
    let builder = CacheLayer::builder().ttl(60 * SECOND);
    builder.build().await.unwrap()
}

#[tokio::test]
async fn the_second_request_is_a_hit_with_age_and_validator() {
    let (layer, calls) = (minute().await, Calls::default());
    let app = app(&layer, &calls, |call| format!("call {call}"));
    let first = get_a(&app, &[]).await;
    assert_eq!(status(&first), "sidecache; fwd=uri-miss; stored");
    assert_eq!(text(first).await, "call 1");
    let second = get_a(&app, &[]).await;
    assert!(status(&second).contains("hit"), "{}", status(&second));
    assert_eq!(second.headers()["age"], "0");
    let tag = second.headers()["etag"].clone();
    assert_eq!(text(second).await, "call 1");
    let known = get_a(&app, &[("if-none-match", tag.to_str().unwrap())]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert!(known.headers().get("x-request-id").is_none());
    assert_eq!(calls.count(), 1);
    let head = send(&app, "HEAD", &[]).await;
    assert_eq!(
        (head.headers()["content-length"].clone(), text(head).await),
        ("6".parse().unwrap(), String::new())
    );
}

#[tokio::test]
async fn what_the_handler_says_wins_over_the_ttl() {
    let clock = Manual::at(SystemTime::UNIX_EPOCH + 1_000_000 * SECOND);
    let layer = CacheLayer::builder()
        .ttl(60 * SECOND)
        .clock(Clock::Manual(clock.clone()))
        .build()
        .await
        .unwrap();
    let calls = Calls::default();
    let app = app(&layer, &calls, |call| {
        ([("cache-control", "max-age=5")], format!("call {call}"))
    });
    get_a(&app, &[]).await;
    clock.advance(4 * SECOND);
    assert_eq!(text(get_a(&app, &[]).await).await, "call 1");
    clock.advance(2 * SECOND);
    assert_eq!(text(get_a(&app, &[]).await).await, "call 2");
}

#[tokio::test]
async fn concurrent_misses_share_one_call() {
    let (layer, calls) = (minute().await, Calls::default());
    let gate = Arc::new(Semaphore::new(0));
    let (count, held) = (calls.clone(), Arc::clone(&gate));
    let app = Router::new()
        .route(
            "/a",
            get(move || {
                let call = count.one_more();
                async move {
                    let _ = held.acquire().await.unwrap();
                    format!("call {call}")
                }
            }),
        )
        .layer(layer.clone());
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { text(get_a(&app, &[]).await).await })
        })
        .collect();
    until("all but the first follow", async || {
        layer.metrics().contains("sidecache_followers 19")
    })
    .await;
    gate.add_permits(1);
    for answer in asking {
        assert_eq!(answer.await.unwrap(), "call 1");
    }
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_call_goes_on_when_its_client_has_left() {
    let (layer, calls) = (minute().await, Calls::default());
    let gate = Arc::new(Semaphore::new(0));
    let (count, held) = (calls.clone(), Arc::clone(&gate));
    let handler = move || {
        count.one_more();
        async move {
            let _ = held.acquire().await.unwrap();
            "done"
        }
    };
    let app = Router::new().route("/a", get(handler)).layer(layer.clone());
    let leaving = tokio::spawn({
        let app = app.clone();
        async move { get_a(&app, &[]).await }
    });
    until("the handler is called", async || calls.count() == 1).await;
    leaving.abort();
    gate.add_permits(1);
    layer.drain().await;
    assert!(status(&get_a(&app, &[]).await).contains("hit"));
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_purge_by_tag_takes_the_responses_of_that_tag() {
    let (layer, calls) = (minute().await, Calls::default());
    let app = app(&layer, &calls, |call| {
        ([("surrogate-key", "user:1 users")], format!("call {call}"))
    });
    let first = get_a(&app, &[]).await;
    assert!(first.headers().get("surrogate-key").is_none(), "it is ours");
    layer.purge_tags(["user:2"]).await;
    assert_eq!(text(get_a(&app, &[]).await).await, "call 1");
    layer.purge_tags(["user:1"]).await;
    assert_eq!(text(get_a(&app, &[]).await).await, "call 2");
    layer.purge_all().await;
    assert_eq!(text(get_a(&app, &[]).await).await, "call 3");
}

#[tokio::test]
async fn a_write_purges_its_own_uri() {
    let (layer, calls) = (minute().await, Calls::default());
    let app = app(&layer, &calls, |call| format!("call {call}"));
    get_a(&app, &[]).await;
    let written = send(&app, "POST", &[]).await;
    assert_eq!(status(&written), "sidecache; fwd=method");
    assert_eq!(text(get_a(&app, &[]).await).await, "call 3");
}

#[tokio::test]
async fn what_is_for_one_caller_reaches_no_other() {
    for field in ["private", "no-store", "private=\"x\", max-age=60, no-store"] {
        let (layer, calls) = (minute().await, Calls::default());
        let app = app(&layer, &calls, move |call| {
            ([("cache-control", field)], format!("call {call}"))
        });
        get_a(&app, &[]).await;
        assert_eq!(text(get_a(&app, &[]).await).await, "call 2", "{field}");
    }
    let (layer, calls) = (minute().await, Calls::default());
    let app = app(&layer, &calls, |call| format!("call {call}"));
    for credential in [("authorization", "Bearer 1"), ("cookie", "session=1")] {
        let before = calls.count();
        get_a(&app, &[credential]).await;
        get_a(&app, &[credential]).await;
        assert_eq!(calls.count(), before + 2, "{credential:?}");
    }
    let (layer, calls) = (minute().await, Calls::default());
    let app = self::app(&layer, &calls, |call| {
        ([("set-cookie", format!("session={call}"))], "hello")
    });
    get_a(&app, &[]).await;
    assert_eq!(get_a(&app, &[]).await.headers()["set-cookie"], "session=2");
}

#[tokio::test]
async fn variants_are_kept_apart() {
    let (layer, calls) = (minute().await, Calls::default());
    let count = calls.clone();
    let handler = move |headers: HeaderMap| async move {
        count.one_more();
        let language = headers["accept-language"].clone();
        ([("vary", "Accept-Language")], language.as_bytes().to_vec())
    };
    let app = Router::new().route("/a", get(handler)).layer(layer);
    for language in ["de", "en", "de", "en"] {
        let response = get_a(&app, &[("accept-language", language)]).await;
        assert_eq!(text(response).await, language);
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_body_streams_to_its_client_while_it_is_stored() {
    let layer = minute().await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let receiver = Arc::new(tokio::sync::Mutex::new(Some(receiver)));
    let handler = move || async move {
        let receiver = receiver.lock().await.take().unwrap();
        Body::from_stream(stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((
                Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())),
                receiver,
            ))
        }))
    };
    let app = Router::new().route("/a", get(handler)).layer(layer);
    sender.send("one ").unwrap();
    let response = get_a(&app, &[]).await;
    let mut pieces = response.into_body().into_data_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "one ");
    sender.send("two").unwrap();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "two");
    drop(sender);
    assert!(pieces.next().await.is_none());
    until("it is stored", async || {
        status(&get_a(&app, &[]).await).contains("hit")
    })
    .await;
    assert_eq!(text(get_a(&app, &[]).await).await, "one two");
}

#[tokio::test]
async fn a_failing_service_is_an_answer() {
    use sidecache::layer::RequestBody;
    let calls = Calls::default();
    let count = calls.clone();
    let service = tower::service_fn(move |_: axum::http::Request<RequestBody>| {
        let call = count.one_more();
        async move {
            match call {
                1 => Ok(axum::http::Response::new(Body::from("well"))),
                _ => Err(std::io::Error::other("broken")),
            }
        }
    });
    let clock = Manual::at(SystemTime::UNIX_EPOCH + 1_000_000 * SECOND);
    let layer = CacheLayer::builder()
        .ttl(10 * SECOND)
        .stale_if_error(60 * SECOND)
        .clock(Clock::Manual(clock.clone()))
        .build()
        .await
        .unwrap();
    let service = tower::Layer::layer(&layer, service);
    let ask = async || {
        let request = axum::http::Request::get("http://a/a").body(Body::empty());
        service.clone().oneshot(request.unwrap()).await.unwrap()
    };
    assert_eq!(ask().await.status(), StatusCode::OK);
    clock.advance(20 * SECOND);
    let stale = ask().await;
    assert_eq!(stale.status(), StatusCode::OK);
    assert!(
        stale.headers()["cache-status"]
            .to_str()
            .unwrap()
            .contains("stale-if-error")
    );
    clock.advance(100 * SECOND);
    let failed = ask().await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(failed.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn extensions_and_content_reach_the_inner_service() {
    let layer = minute().await;
    let handler = |Extension(who): Extension<&'static str>, body: String| async move {
        format!("{who} said {body}")
    };
    let app = Router::new()
        .route("/a", get(handler).post(handler))
        .layer(layer)
        .layer(Extension("outer"));
    assert_eq!(text(get_a(&app, &[]).await).await, "outer said ");
    let request = Request::post("/a").body(Body::from("this")).unwrap();
    assert_eq!(
        text(app.oneshot(request).await.unwrap()).await,
        "outer said this"
    );
}

#[tokio::test]
async fn nested_routers_do_not_share_their_responses() {
    let layer = minute().await;
    let nested = |name: &'static str| {
        let router = Router::new().route("/a", get(move || async move { name }));
        router.layer(layer.clone())
    };
    let app = Router::new()
        .nest("/one", nested("one"))
        .nest("/two", nested("two"));
    for name in ["one", "two", "one", "two"] {
        let request = Request::get(format!("/{name}/a")).body(Body::empty());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(text(response).await, name);
    }
}

#[tokio::test]
async fn two_layers_share_a_redis() {
    let redis = Redis::start();
    let shared = async || {
        let builder = CacheLayer::builder().ttl(60 * SECOND).memory(0);
        builder.redis(redis.url(), "layer").build().await.unwrap()
    };
    let (one, two, calls) = (shared().await, shared().await, Calls::default());
    let first = app(&one, &calls, |call| format!("call {call}"));
    let second = app(&two, &calls, |call| format!("call {call}"));
    until("the other finds it in Redis", async || {
        get_a(&first, &[]).await;
        status(&get_a(&second, &[]).await).contains("detail=redis")
    })
    .await;
    let before = calls.count();
    one.purge_all().await;
    until("the other obeys the purge", async || {
        get_a(&second, &[]).await;
        calls.count() > before
    })
    .await;
}

#[tokio::test]
async fn a_redis_url_that_is_none_is_an_error_that_shows_nothing_of_it() {
    let build = |url| Builder::default().redis(url, "x").build();
    let error = build("redis:/user:secret@host").await.unwrap_err();
    assert!(matches!(error, BuildError::RedisUrl(_)));
    assert!(!error.to_string().contains("secret"), "{error}");
}
