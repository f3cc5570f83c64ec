//! Parts are never taken for the whole, and are put together only with bytes that belong to them.

use crate::support::{Answer, Origin, Proxy, Reply};

async fn ranged(proxy: &Proxy, path: &str, range: &str) -> Answer {
    proxy.get_with(path, &[("Range", range)]).await
}

/// `body` as the part `range`, of the representation `"1"`.
fn part(body: &str, range: &str) -> Reply {
    Reply::fresh(body, 60)
        .status(206)
        .header("content-range", range)
        .header("etag", "\"1\"")
}

fn whole() -> Reply {
    Reply::fresh("0123456789", 60).header("etag", "\"1\"")
}

fn seen(answer: &Answer) -> (u16, &str, Option<&str>) {
    (answer.status, answer.text(), answer.header("content-range"))
}

#[tokio::test]
async fn a_part_that_is_confirmed_is_still_a_part() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer(
        "/a",
        part("01234", "bytes 0-4/10").header("cache-control", "no-cache"),
    );
    ranged(&proxy, "/a", "bytes=0-4").await;
    let confirmed = Reply::ok("").status(304).header("etag", "\"1\"");
    origin.answer("/a", confirmed.header("cache-control", "max-age=60"));
    let again = ranged(&proxy, "/a", "bytes=0-4").await;
    assert_eq!(seen(&again), (206, "01234", Some("bytes 0-4/10")));
    origin.answer("/a", whole());
    assert_eq!(seen(&proxy.get("/a").await), (200, "0123456789", None));
}

#[tokio::test]
async fn a_head_makes_no_whole_of_a_part() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", part("01234", "bytes 0-4/10"));
    ranged(&proxy, "/a", "bytes=0-4").await;
    origin.answer("/a", whole().chunked());
    let head = [("Range", "bytes=1-2")];
    let head = proxy.send("HEAD", "/a", &head, "").await;
    assert_eq!(head.status, 200, "Range is for GET (RFC 9110 §14.2)");
    assert_eq!(seen(&proxy.get("/a").await), (200, "0123456789", None));
}

#[tokio::test]
async fn content_range_is_of_the_bytes_that_are_sent() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (path, first, second, asked, expected) in [
        (
            "/a",
            "bytes 0-4/*",
            "bytes 5-9/*",
            "bytes=5-",
            "bytes 5-9/*",
        ),
        (
            "/b",
            "bytes 0-4/100",
            "bytes 5-9/100",
            "bytes=5-6,8-9",
            "bytes 5-9/100",
        ),
    ] {
        origin.answer(path, part("01234", first));
        ranged(&proxy, path, "bytes=0-4").await;
        origin.answer(path, part("56789", second));
        let answer = ranged(&proxy, path, asked).await;
        assert_eq!(seen(&answer), (206, "56789", Some(expected)), "{path}");
    }
    let both = ranged(&proxy, "/b", "bytes=3-6").await;
    assert_eq!((both.text(), both.is_hit()), ("3456", true));
}

#[tokio::test]
async fn a_rest_that_is_cut_short_completes_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let head = "HTTP/1.1 206 OK\r\ncache-control: max-age=60\r\netag: \"1\"\r\n";
    for (path, framing) in [("/closed", ""), ("/short", "content-length: 2\r\n")] {
        origin.answer(path, part("0123", "bytes 0-3/10"));
        ranged(&proxy, path, "bytes=0-3").await;
        let cut = format!("{head}{framing}content-range: bytes 4-9/10\r\n\r\n45");
        origin.answer(path, Reply::raw(cut));
        let answer = proxy.get(path).await;
        assert_ne!(answer.text(), "012345", "{path}");
        origin.answer(path, whole());
        assert_eq!(proxy.get(path).await.text(), "0123456789", "{path}");
    }
}

#[tokio::test]
async fn only_who_asks_for_a_range_hears_that_there_is_none() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let unsatisfiable = || Reply::fresh("", 60).status(416);
    origin.answer("/a", unsatisfiable());
    assert_eq!(ranged(&proxy, "/a", "bytes=99-").await.status, 416);
    origin.answer("/a", whole());
    assert_eq!(seen(&proxy.get("/a").await), (200, "0123456789", None));
    // The representation has become shorter than what is stored of it.
    for (path, tag) in [("/weak", "W/\"1\""), ("/strong", "\"1\"")] {
        let stored = Reply::fresh("01234", 60)
            .status(206)
            .header("etag", tag)
            .header("content-range", "bytes 0-4/10");
        origin.answer(path, stored);
        ranged(&proxy, path, "bytes=0-4").await;
        origin.answer_when(path, "range", unsatisfiable());
        origin.answer(path, Reply::fresh("012", 60));
        assert_eq!(seen(&proxy.get(path).await), (200, "012", None), "{path}");
    }
}

#[tokio::test]
async fn if_range_reaches_the_origin_beside_its_range() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (path, control, range) in [
        ("/fresh", "max-age=60", "bytes=5-"),
        ("/stale", "no-cache", "bytes=0-4"),
    ] {
        let stored = Reply::ok("01234")
            .status(206)
            .header("etag", "\"1\"")
            .header("cache-control", control)
            .header("content-range", "bytes 0-4/10");
        origin.answer(path, stored);
        ranged(&proxy, path, "bytes=0-4").await;
        origin.answer(
            path,
            Reply::fresh("another one", 60).header("etag", "\"2\""),
        );
        let condition = if path == "/fresh" { "\"0\"" } else { "\"1\"" };
        let asked = [("Range", range), ("If-Range", condition)];
        let answer = proxy.get_with(path, &asked).await;
        assert_eq!(seen(&answer), (200, "another one", None), "{path}");
        let at_origin = origin.last(path);
        assert_eq!(
            (at_origin.header("range"), at_origin.header("if-range")),
            (Some(range), Some(condition)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_part_that_is_not_as_long_as_it_says_is_for_its_own_client() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let (short, long) = ("bytes 0-9/10", "bytes 0-2/10");
    for (path, range, reply) in [
        ("/short", short, part("01234", short)),
        ("/short/chunked", short, part("01234", short).chunked()),
        (
            "/short/open",
            "bytes 0-9/*",
            part("01234", "bytes 0-9/*").chunked(),
        ),
        ("/long", long, part("01234", long)),
        ("/long/chunked", long, part("01234", long).chunked()),
    ] {
        origin.answer(path, reply);
        for _ in 0..2 {
            let answer = ranged(&proxy, path, "bytes=0-").await;
            assert_eq!(seen(&answer), (206, "01234", Some(range)), "{path}");
            assert_eq!(
                answer.cache_status(),
                "fwd=uri-miss; detail=status",
                "{path}"
            );
        }
        assert_eq!(origin.count(path), 2, "{path}");
        origin.answer(path, whole());
        assert_eq!(
            seen(&ranged(&proxy, path, "bytes=-2").await).1,
            "89",
            "{path}"
        );
    }
}
