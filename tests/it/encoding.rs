//! gzip for those who accept it, coded once.

use crate::support::{Origin, Proxy, Reply};

const GZIP: &[(&str, &str)] = &[("Accept-Encoding", "gzip")];

fn text(size: usize) -> String {
    "compressible ".repeat(size / 13 + 1)[..size].to_owned()
}

#[tokio::test]
async fn bodies_of_at_least_min_size_are_coded_for_those_who_accept_it() {
    let origin = Origin::start().await;
    let (small, large) = (text(999), text(1000));
    origin.answer("/small", Reply::fresh(&small, 60).json());
    origin.answer("/large", Reply::fresh(&large, 60).json());
    let proxy = Proxy::to(&origin, "").await;
    for round in ["miss", "hit"] {
        let coded = proxy.get_with("/large", GZIP).await;
        assert_eq!(coded.header("content-encoding"), Some("gzip"), "{round}");
        assert_eq!(coded.header("vary"), Some("Accept-Encoding"), "{round}");
        assert_eq!(coded.gunzipped(), large, "{round}");
        assert!(coded.body.len() < 200, "{round}");
        let plain = proxy.get("/large").await;
        assert_eq!(
            (plain.header("content-encoding"), plain.text()),
            (None, &*large),
            "{round}"
        );
        assert_eq!(
            plain.header("vary"),
            Some("Accept-Encoding"),
            "both say that there is another one"
        );
        let small_one = proxy.get_with("/small", GZIP).await;
        assert_eq!(
            (small_one.header("content-encoding"), small_one.text()),
            (None, &*small),
            "{round}"
        );
    }
    assert_eq!(origin.count("/large"), 1, "one stored answer serves both");
    assert_eq!(
        origin.last("/large").header("accept-encoding"),
        Some("identity")
    );
}

#[tokio::test]
async fn a_coding_is_made_once_and_weighed() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh(text(100_000), 60).json());
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let before = proxy.metric("sidecache_memory_bytes");
    let first = proxy.get_with("/a", GZIP).await;
    let after = proxy.metric("sidecache_memory_bytes");
    assert!(
        after >= before + first.body.len() as f64,
        "{before} then {after}"
    );
    let second = proxy.get_with("/a", GZIP).await;
    assert_eq!(first.body, second.body);
    assert_eq!(proxy.metric("sidecache_memory_bytes"), after);
}

#[tokio::test]
async fn tags_differ_by_coding_and_304_is_answered_across_them() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh(text(2000), 60).json().header("etag", "\"v1\""),
    );
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(proxy.get("/a").await.header("etag"), Some("\"v1\""));
    assert_eq!(
        proxy.get_with("/a", GZIP).await.header("etag"),
        Some("\"v1-gzip\"")
    );
    for (tag, coding) in [
        ("\"v1\"", "gzip"),
        ("\"v1-gzip\"", "gzip"),
        ("\"v1-gzip\"", "identity"),
    ] {
        let fields = [("If-None-Match", tag), ("Accept-Encoding", coding)];
        assert_eq!(
            proxy.get_with("/a", &fields).await.status,
            304,
            "{tag} and {coding}"
        );
    }
}

#[tokio::test]
async fn what_does_not_shrink_or_may_not_be_changed_stays_as_it_is() {
    let origin = Origin::start().await;
    let body = text(5000);
    origin.answer(
        "/image",
        Reply::fresh(&body, 60).header("content-type", "image/png"),
    );
    origin.answer(
        "/coded",
        Reply::fresh(&body, 60)
            .json()
            .header("content-encoding", "br"),
    );
    origin.answer(
        "/no",
        Reply::ok(&body)
            .json()
            .header("cache-control", "max-age=60, no-transform"),
    );
    let proxy = Proxy::to(&origin, "").await;
    for path in ["/image", "/coded", "/no"] {
        for _ in 0..2 {
            let answer = proxy.get_with(path, GZIP).await;
            assert_ne!(answer.header("content-encoding"), Some("gzip"), "{path}");
            assert_eq!(answer.body, body.as_bytes(), "{path}");
        }
    }
}

#[tokio::test]
async fn what_passes_through_is_coded_as_it_arrives() {
    let origin = Origin::start().await;
    let body = text(3000);
    let uncacheable = || {
        Reply::ok(&body[..1500])
            .piece(&body[1500..])
            .json()
            .header("cache-control", "no-store")
    };
    origin.answer("/said", uncacheable());
    origin.answer("/chunked", uncacheable().chunked());
    let proxy = Proxy::to(&origin, "").await;
    for path in ["/said", "/chunked"] {
        let coded = proxy.get_with(path, GZIP).await;
        assert_eq!(
            (coded.header("content-encoding"), coded.complete),
            (Some("gzip"), true),
            "{path}"
        );
        assert_eq!(coded.gunzipped(), body, "{path}");
        let plain = proxy.get(path).await;
        assert_eq!(
            (plain.text(), plain.header("vary")),
            (&*body, Some("Accept-Encoding")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn switched_off_nothing_is_coded_and_accept_encoding_goes_on() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh(text(5000), 60).json());
    let proxy = Proxy::to(&origin, "[compress]\nenabled = false").await;
    for _ in 0..2 {
        let answer = proxy.get_with("/a", GZIP).await;
        assert_eq!(
            (answer.header("content-encoding"), answer.header("vary")),
            (None, None)
        );
    }
    assert_eq!(origin.last("/a").header("accept-encoding"), Some("gzip"));
}
