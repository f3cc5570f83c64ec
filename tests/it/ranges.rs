//! Parts of what is stored, and what is stored in parts.

use crate::support::{Origin, Proxy, Reply};

async fn ranged(proxy: &Proxy, path: &str, range: &str) -> crate::support::Answer {
    proxy.get_with(path, &[("Range", range)]).await
}

#[tokio::test]
async fn a_stored_whole_answers_every_range() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("0123456789", 60).header("x-kept", "1"));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    for (range, body, content_range) in [
        ("bytes=0-1", "01", "bytes 0-1/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
    ] {
        let part = ranged(&proxy, "/a", range).await;
        assert_eq!(
            (part.status, part.text(), part.header("content-range")),
            (206, body, Some(content_range))
        );
        assert_eq!((part.is_hit(), part.header("x-kept")), (true, Some("1")));
    }
    let beyond = ranged(&proxy, "/a", "bytes=10-").await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some("bytes */10"))
    );
    let ignored = ranged(&proxy, "/a", "lines=1-2").await;
    assert_eq!((ignored.status, ignored.text()), (200, "0123456789"));
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn several_ranges_come_as_one_multipart_body() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("0123456789", 60).header("content-type", "text/plain"),
    );
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let parts = ranged(&proxy, "/a", "bytes=0-1,8-9").await;
    assert_eq!((parts.status, parts.complete), (206, true));
    let boundary = parts
        .header("content-type")
        .unwrap()
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let expected = format!(
        "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--{boundary}--\r\n"
    );
    assert_eq!(parts.text(), expected);
    assert_eq!(
        ranged(&proxy, "/a", "bytes=0-5,3-9").await.status,
        200,
        "overlapping ones get the whole"
    );
}

#[tokio::test]
async fn if_range_and_preconditions_come_first() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("0123456789", 60).header("etag", "\"1\""));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    for (condition, status) in [("\"1\"", 206), ("\"2\"", 200), ("W/\"1\"", 200)] {
        let answer = proxy
            .get_with("/a", &[("Range", "bytes=0-1"), ("If-Range", condition)])
            .await;
        assert_eq!(answer.status, status, "{condition}");
    }
    let both = [("Range", "bytes=0-1"), ("If-None-Match", "\"1\"")];
    assert_eq!(proxy.get_with("/a", &both).await.status, 304);
}

#[tokio::test]
async fn ranges_are_of_the_identity_representation() {
    let origin = Origin::start().await;
    let body = "0123456789".repeat(200);
    origin.answer("/a", Reply::fresh(&body, 60).json());
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let part = proxy
        .get_with(
            "/a",
            &[("Range", "bytes=10-12"), ("Accept-Encoding", "gzip")],
        )
        .await;
    assert_eq!(
        (part.status, part.text(), part.header("content-encoding")),
        (206, "012", None)
    );
}

#[tokio::test]
async fn a_stored_part_answers_what_lies_in_it() {
    let origin = Origin::start().await;
    let part = Reply::fresh("45678", 60)
        .status(206)
        .header("content-range", "bytes 4-8/20");
    origin.answer("/a", part);
    let proxy = Proxy::to(&origin, "").await;
    let miss = ranged(&proxy, "/a", "bytes=4-8").await;
    assert_eq!(
        (miss.status, miss.text(), miss.cache_status()),
        (206, "45678", "fwd=uri-miss; stored")
    );
    let hit = ranged(&proxy, "/a", "bytes=5-6").await;
    assert_eq!((hit.status, hit.text(), hit.is_hit()), (206, "56", true));
    assert_eq!(hit.header("content-range"), Some("bytes 5-6/20"));
    assert_eq!(origin.count("/a"), 1);
    origin.answer("/a", Reply::fresh("all of it", 60));
    let whole = proxy.get("/a").await;
    assert_eq!((whole.status, whole.text()), (200, "all of it"));
}

#[tokio::test]
async fn a_stored_beginning_is_completed_with_the_rest() {
    let origin = Origin::start().await;
    let part = |body: &str, range: &str| {
        Reply::fresh(body, 60)
            .status(206)
            .header("content-range", range)
            .header("etag", "\"1\"")
    };
    origin.answer("/a", part("01234", "bytes 0-4/10"));
    let proxy = Proxy::to(&origin, "").await;
    ranged(&proxy, "/a", "bytes=0-4").await;
    origin.answer("/a", part("56789", "bytes 5-9/10"));
    let whole = proxy.get("/a").await;
    assert_eq!((whole.status, whole.text()), (200, "0123456789"));
    assert_eq!(whole.cache_status(), "fwd=partial; stored; detail=range");
    let seen = origin.last("/a");
    assert_eq!(
        (seen.header("range"), seen.header("if-range")),
        (Some("bytes=5-"), Some("\"1\""))
    );
    assert!(proxy.get("/a").await.is_hit());
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn parts_of_different_representations_are_never_put_together() {
    let origin = Origin::start().await;
    let part = |body: &str, range: &str, tag: &str| {
        Reply::fresh(body, 60)
            .status(206)
            .header("content-range", range)
            .header("etag", tag)
    };
    let proxy = Proxy::to(&origin, "").await;
    for tag in ["\"2\"", "W/\"1\""] {
        let path = format!("/{}", tag.len());
        origin.answer(
            &path,
            part(
                "01234",
                "bytes 0-4/10",
                if tag == "\"2\"" { "\"1\"" } else { tag },
            ),
        );
        ranged(&proxy, &path, "bytes=0-4").await;
        origin.answer(&path, part("XXXXX", "bytes 5-9/10", tag));
        let answer = proxy.get(&path).await;
        assert!(
            !answer.text().contains("01234X"),
            "{tag}: {}",
            answer.text()
        );
        assert_eq!(
            origin.last(&path).header("range"),
            None,
            "{tag}: the whole is asked for after all"
        );
    }
}

#[tokio::test]
async fn an_origin_that_ignores_the_range_fills_the_cache() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("0123456789", 60));
    let proxy = Proxy::to(&origin, "").await;
    let part = ranged(&proxy, "/a", "bytes=0-1").await;
    assert_eq!((part.status, part.text()), (206, "01"));
    assert_eq!(origin.last("/a").header("range"), Some("bytes=0-1"));
    assert_eq!(proxy.get("/a").await.text(), "0123456789");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn a_part_that_is_not_what_it_says_is_not_stored() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("0123456789", 60)
            .status(206)
            .header("content-range", "bytes 0-1/20"),
    );
    let proxy = Proxy::to(&origin, "").await;
    let passed = ranged(&proxy, "/a", "bytes=0-1").await;
    assert_eq!((passed.status, passed.text()), (206, "0123456789"));
    origin.answer("/a", Reply::fresh("whole", 60));
    assert_eq!(proxy.get("/a").await.text(), "whole");
}
