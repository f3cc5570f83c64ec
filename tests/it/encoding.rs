//! zstd, brotli and gzip for those who accept them, coded once.

use crate::support::{
    Origin, Proxy, Reply,
    client::{Connection, unchunk},
    coding::decoded,
};
use futures_util::future::join_all;

const GZIP: &[(&str, &str)] = &[("Accept-Encoding", "gzip")];
const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

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
async fn each_coding_has_a_tag_and_304_is_answered_to_its_own() {
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
    for (tag, coding, status) in [
        ("\"v1\"", "identity", 304),
        ("\"v1\"", "gzip", 200),
        ("\"v1-gzip\"", "gzip", 304),
        ("W/\"v1-gzip\"", "gzip", 304),
        ("\"v1-gzip\"", "identity", 200),
        ("\"v1-gzip\", \"v1\"", "identity", 304),
    ] {
        let fields = [("If-None-Match", tag), ("Accept-Encoding", coding)];
        let answer = proxy.get_with("/a", &fields).await;
        assert_eq!(answer.status, status, "{tag} and {coding}");
    }
}

/// Chromium asks so for a part of what it has in gzip (RFC 9110 §13.1.2: the representation that is selected now).
#[tokio::test]
async fn a_part_is_not_what_the_tag_of_a_coding_names() {
    let origin = Origin::start().await;
    let reply = Reply::fresh(text(2000), 60).json();
    origin.answer("/a", reply.header("etag", "\"v1\""));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get_with("/a", GZIP).await;
    let part = [("Range", "bytes=10-19"), ("Accept-Encoding", "identity")];
    let with = |tag: &'static str| [part[0], part[1], ("If-None-Match", tag)];
    let answer = proxy.get_with("/a", &with("\"v1-gzip\"")).await;
    assert_eq!(
        (answer.status, answer.header("etag")),
        (206, Some("\"v1\""))
    );
    assert_eq!(proxy.get_with("/a", &with("\"v1\"")).await.status, 304);
}

/// What the client has need not be made again to say so.
#[tokio::test]
async fn a_304_codes_nothing() {
    let origin = Origin::start().await;
    let reply = Reply::fresh(text(200_000), 60).json();
    origin.answer("/a", reply.header("etag", "\"v1\""));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let before = proxy.metric("sidecache_memory_bytes");
    for validator in [("If-None-Match", "\"v1-gzip\""), ("If-None-Match", "*")] {
        let answer = proxy.get_with("/a", &[validator, GZIP[0]]).await;
        assert_eq!(answer.status, 304);
        assert_eq!(answer.header("etag"), Some("\"v1-gzip\""));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("content-length"), None);
    }
    assert_eq!(proxy.metric("sidecache_memory_bytes"), before);
}

/// What is not stored is compared as what is (RFC 9110 §13.1.2, §13.1.3), and says by what it was selected.
#[tokio::test]
async fn preconditions_on_what_passes_are_evaluated() {
    let origin = Origin::start().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let reply = Reply::ok(text(2000))
        .json()
        .header("cache-control", "private");
    let reply = reply.header("etag", "\"v1\"").header("last-modified", date);
    origin.answer("/a", reply);
    let proxy = Proxy::to(&origin, "").await;
    let whole = proxy.get_with("/a", GZIP).await;
    assert_eq!(
        whole.header("etag"),
        Some("W/\"v1-gzip\""),
        "made anew each time"
    );
    for (validator, coding, status) in [
        (("If-None-Match", "W/\"v1-gzip\""), "gzip", 304),
        (("If-None-Match", "\"v1-gzip\""), "identity", 200),
        (("If-None-Match", "\"v1\""), "identity", 304),
        (("If-Modified-Since", date), "identity", 304),
        (
            ("If-Modified-Since", "Sat, 05 Nov 1994 08:49:37 GMT"),
            "identity",
            200,
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let fields = [validator, ("Accept-Encoding", coding)];
            let answer = proxy.send(method, "/a", &fields, "").await;
            assert_eq!(answer.status, status, "{method} {validator:?} and {coding}");
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            if (status, coding) == (304, "gzip") {
                assert_eq!(answer.header("etag"), whole.header("etag"));
            }
        }
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

#[tokio::test]
async fn the_client_gets_what_it_likes_best_and_the_operators_first_where_it_does_not_care() {
    let origin = Origin::start().await;
    let body = text(5000);
    origin.answer("/kept", Reply::fresh(&body, 60).json());
    let passing = Reply::ok(&body).json().header("cache-control", "no-store");
    origin.answer("/passing", passing);
    let default = Proxy::to(&origin, "").await;
    let other = Proxy::to(&origin, "[compress]\ncodings = [\"gzip\", \"br\"]").await;
    for (accepted, by_default, by_the_other) in [
        ("gzip, deflate, br, zstd", Some("zstd"), Some("gzip")),
        ("gzip, deflate, br", Some("br"), Some("gzip")),
        ("gzip;q=0.5, br", Some("br"), Some("br")),
        ("x-gzip", Some("gzip"), Some("gzip")),
        ("*", Some("zstd"), Some("gzip")),
        ("*, zstd;q=0, gzip;q=0", Some("br"), Some("br")),
        ("zstd", Some("zstd"), None),
        ("zstd;q=0, br;q=0, gzip;q=0", None, None),
        ("zstd;q=0.8, gzip;q=0.9, identity", None, None),
        ("identity;q=0, gzip;q=0.1", Some("gzip"), Some("gzip")),
        ("deflate", None, None),
        ("", None, None),
    ] {
        for (proxy, expected) in [(&default, by_default), (&other, by_the_other)] {
            for path in ["/kept", "/kept", "/passing"] {
                let fields = [("Accept-Encoding", accepted)];
                let answer = proxy.get_with(path, &fields).await;
                let coding = answer.header("content-encoding");
                assert_eq!(coding, expected, "{path} for {accepted:?}");
                assert_eq!(answer.decoded(), body, "{path} for {accepted:?}");
                let vary = answer.header("vary");
                assert_eq!(vary, Some("Accept-Encoding"), "{path} for {accepted:?}");
            }
        }
    }
    assert_eq!(origin.count("/kept"), 2, "one of each proxy");
}

#[tokio::test]
async fn each_coding_is_made_once_however_many_ask_and_weighed() {
    let origin = Origin::start().await;
    let body = text(200_000);
    origin.answer("/a", Reply::fresh(&body, 60).json());
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let mut weighed = proxy.metric("sidecache_memory_bytes");
    for coding in CODINGS {
        let fields = [("Accept-Encoding", coding)];
        let answers = join_all((0..8).map(|_| proxy.get_with("/a", &fields))).await;
        for answer in &answers {
            assert_eq!(answer.header("content-encoding"), Some(coding));
            assert!(
                answer.is_hit() && answer.body == answers[0].body,
                "{coding}"
            );
            assert_eq!(answer.decoded(), body);
        }
        let now = proxy.metric("sidecache_memory_bytes");
        assert!(now >= weighed + answers[0].body.len() as f64, "{coding}");
        assert!(now < weighed + 10_000.0, "{coding}: kept once");
        weighed = now;
    }
}

#[tokio::test]
async fn what_the_origin_confirms_keeps_its_codings() {
    let origin = Origin::start().await;
    let body = text(100_000);
    let reply = Reply::fresh(&body, 60).json().header("etag", "\"v1\"");
    origin.answer("/a", reply);
    let confirmed = Reply::ok("").status(304).header("etag", "\"v1\"");
    let confirmed = confirmed.header("cache-control", "max-age=60");
    origin.answer_when("/a", "if-none-match", confirmed);
    let proxy = Proxy::to(&origin, "").await;
    proxy.get_with("/a", GZIP).await;
    let coded = proxy.get_with("/a", GZIP).await;
    let weighed = proxy.metric("sidecache_memory_bytes");
    proxy.advance(61);
    assert!(!proxy.get("/a").await.is_hit());
    assert_eq!(origin.count("/a"), 2);
    let now = proxy.metric("sidecache_memory_bytes");
    assert!(now >= weighed, "{weighed} with gzip, then {now}");
    assert_eq!(proxy.get_with("/a", GZIP).await.body, coded.body);
}

#[tokio::test]
async fn a_tag_is_of_one_coding() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh(text(2000), 60).json().header("etag", "\"v1\""),
    );
    let proxy = Proxy::to(&origin, "").await;
    for coding in CODINGS {
        let coded = proxy.get_with("/a", &[("Accept-Encoding", coding)]).await;
        let own = format!("\"v1-{coding}\"");
        assert_eq!(coded.header("etag"), Some(&*own));
        for asked in ["zstd", "br", "gzip", "identity"] {
            let fields = [("If-None-Match", &*own), ("Accept-Encoding", asked)];
            let answer = proxy.get_with("/a", &fields).await;
            let has_it = asked == coding;
            assert_eq!(answer.status == 304, has_it, "{own} and {asked}");
            assert_eq!(
                answer.header("content-encoding").is_none(),
                has_it || asked == "identity"
            );
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            let tag = match asked {
                "identity" => "\"v1\"".to_owned(),
                coding => format!("\"v1-{coding}\""),
            };
            assert_eq!(answer.header("etag"), Some(&*tag), "{own} and {asked}");
        }
        let unknown = format!("\"v2-{coding}\"");
        let fields = [("If-None-Match", &*unknown), ("Accept-Encoding", coding)];
        assert_eq!(proxy.get_with("/a", &fields).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_small_or_does_not_get_smaller_stays_as_it_is_in_every_coding() {
    let origin = Origin::start().await;
    let small = text(999).into_bytes();
    let random: Vec<u8> = (0..3000).map(|_| fastrand::u8(..)).collect();
    origin.answer("/small", Reply::fresh(&small, 60).json());
    origin.answer("/random", Reply::fresh(&random, 60).json());
    let proxy = Proxy::to(&origin, "").await;
    for (path, body) in [("/small", &small), ("/random", &random)] {
        proxy.get(path).await;
        for coding in CODINGS {
            for _ in 0..2 {
                let answer = proxy.get_with(path, &[("Accept-Encoding", coding)]).await;
                assert_eq!(
                    answer.header("content-encoding"),
                    None,
                    "{path} in {coding}"
                );
                assert!(
                    answer.is_hit() && answer.body == *body,
                    "{path} in {coding}"
                );
            }
        }
    }
}

#[tokio::test]
async fn each_piece_of_what_passes_can_be_read_before_the_next_is_there() {
    let origin = Origin::start().await;
    let piece = text(3000);
    let kept = Reply::fresh(&piece, 60).json().chunked().then_never();
    origin.answer("/kept", kept.clone());
    origin.answer("/passing", kept.header("vary", "*"));
    let proxy = Proxy::to(&origin, "").await;
    for coding in CODINGS {
        for path in ["/kept", "/passing"] {
            let mut reader = Connection::open(proxy.address()).await;
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n");
            reader.send(&head).await;
            let is_there = |received: &[u8]| {
                let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                let (body, complete) = end
                    .map(|end| unchunk(&received[end + 4..]))
                    .unwrap_or_default();
                assert!(!complete, "{path} in {coding}");
                !body.is_empty() && decoded(Some(coding), &body) == piece.as_bytes()
            };
            assert!(reader.read_until(is_there).await, "{path} in {coding}");
        }
    }
}
