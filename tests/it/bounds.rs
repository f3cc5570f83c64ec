//! What one request can cost is bounded by its size: what is longer than is read counts as it is, passes, or is refused.
//! What each costs is counted by `make guard`.

use crate::support::{Origin, Proxy, Reply};

const KEYED: &str = "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 300\nshare = \"all\"\ncookies = { key = [\"lang\"] }\n\
                     key = { headers = [\"x-tenant\"] }\n";

#[tokio::test]
async fn a_target_that_cannot_be_read_is_414() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for unit in ["%41", "./", "/", ";a", "%2f"] {
        let path = format!("/{}a", unit.repeat(5000 / unit.len()));
        for method in ["GET", "POST"] {
            let refused = proxy.send(method, &path, &[], "").await;
            assert_eq!(refused.status, 414, "{unit}");
            assert!(refused.text().contains("long_target"), "{}", refused.text());
        }
    }
    let plain = format!("/{}a", "a/".repeat(15_000));
    origin.answer(&plain, Reply::fresh("a", 60));
    assert_eq!(proxy.get(&plain).await.status, 200);
    assert!(proxy.get(&plain).await.is_hit());
}

/// What such a write changes has to be guessed, which costs more with every byte.
#[tokio::test]
async fn a_write_to_a_long_path_that_servers_read_in_several_ways_is_414() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let path = |length: usize| format!("/{}a", ";a".repeat(length / 2));
    for method in ["POST", "PUT", "DELETE", "GET"] {
        assert_eq!(proxy.send(method, &path(1500), &[], "").await.status, 404);
        let is_write = method != "GET";
        let status = proxy.send(method, &path(1600), &[], "").await.status;
        assert_eq!(status, if is_write { 414 } else { 404 }, "{method}");
    }
    let plain = format!("/{}a", "%41".repeat(1300));
    assert_eq!(proxy.send("POST", &plain, &[], "").await.status, 404);
}

#[tokio::test]
async fn a_connection_field_that_cannot_be_obeyed_is_431() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("a", 60));
    let listed = "a,".repeat(513);
    let refused = proxy
        .get_with("/a", &[("Connection", &listed), ("A", "1")])
        .await;
    assert_eq!(refused.status, 431);
    assert!(refused.text().contains("long_connection"));
    assert_eq!(origin.count("/a"), 0);
    let host = "a".repeat(300);
    assert_eq!(proxy.get_with("/a", &[("Host", &host)]).await.status, 400);
}

#[tokio::test]
async fn what_is_too_long_for_a_key_passes_with_all_of_it() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, KEYED).await;
    origin.answer("/a", Reply::ok("a"));
    let tenant = |length: usize| [("X-Tenant", "x".repeat(length))];
    let cookies = |count: usize| [("Cookie", format!("{}lang=de", "a=1; ".repeat(count)))];
    for (fields, is_kept) in [
        (tenant(4096), true),
        (tenant(4097), false),
        (cookies(255), true),
        (cookies(256), false),
    ] {
        let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
        proxy.get_with("/a", &fields).await;
        let again = proxy.get_with("/a", &fields).await;
        assert_eq!(again.is_hit(), is_kept, "{}", again.cache_status());
        if !is_kept {
            assert_eq!(again.cache_status(), "fwd=bypass; detail=too-long");
            let (name, value) = fields[0];
            let received = origin.last("/a");
            assert_eq!(received.header(&name.to_lowercase()), Some(value));
        }
    }
}

/// A circle cannot be hidden behind what a client puts into `Via`.
#[tokio::test]
async fn the_end_of_a_long_via_is_read() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::ok("a"));
    let via = |hops: usize| {
        format!(
            "{}{}",
            "1.1 a, ".repeat(3000),
            "1.1 sidecache, ".repeat(hops)
        )
    };
    assert_eq!(proxy.get_with("/a", &[("Via", &via(9))]).await.status, 200);
    assert_eq!(proxy.get_with("/a", &[("Via", &via(10))]).await.status, 508);
}

#[tokio::test]
async fn an_answer_may_have_200_fields_and_one_with_more_says_so() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let of = |count: usize| {
        let fields = (0..count).map(|n| (format!("x-{n}"), n.to_string()));
        fields.fold(Reply::fresh("a", 60), |reply, (name, value)| {
            reply.header(&name, value)
        })
    };
    for path in ["/a", "/a"] {
        origin.answer(path, of(190));
        let answer = proxy.get(path).await;
        assert_eq!((answer.status, answer.header("x-189")), (200, Some("189")));
    }
    assert!(proxy.get("/a").await.is_hit());
    origin.answer("/b", of(250));
    let refused = proxy.get("/b").await;
    assert_eq!(refused.status, 502);
    let said = refused.json();
    assert_eq!(said["cause"], "upstream_head");
    assert!(
        said["detail"].as_str().unwrap().contains("200 fields"),
        "{said}"
    );
    let counted = "sidecache_upstream_failures_total{cause=\"upstream_head\"}";
    assert_eq!(proxy.metric(counted), 1.0);
    // A write that is answered so has been carried out for all anybody knows.
    origin.answer("/b", of(1));
    assert_eq!(proxy.get("/b").await.text(), "a");
    assert!(proxy.get("/b").await.is_hit());
    origin.answer("/b", of(250));
    assert_eq!(proxy.send("PUT", "/b", &[], "").await.status, 502);
    origin.answer("/b", of(1));
    assert!(!proxy.get("/b").await.is_hit());
}

/// Nobody is given another one's answer, and nothing is kept that nobody could be given.
#[tokio::test]
async fn what_is_too_long_to_be_compared_selects_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer(
        "/a",
        Reply::fresh("a", 60).header("vary", "accept-language"),
    );
    let language = |length: usize| "de,".repeat(length / 3);
    for (length, is_kept) in [(900, true), (3000, true), (5000, false)] {
        let language = language(length);
        let fields = [("Accept-Language", &*language)];
        proxy.get_with("/a", &fields).await;
        let again = proxy.get_with("/a", &fields).await;
        assert_eq!(again.is_hit(), is_kept, "{}", again.cache_status());
    }
    assert!(
        proxy
            .get_with("/a", &[("Accept-Language", "de")])
            .await
            .cache_status()
            .starts_with("fwd=vary-miss")
    );
}

/// Of a list that is not read nothing is believed: whole and as it is.
#[tokio::test]
async fn a_list_that_is_not_read_says_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "[cache]\nclient_directives = \"respect\"\n").await;
    let body = "a".repeat(5000);
    origin.answer("/a", Reply::fresh(&body, 60).json().header("etag", "\"1\""));
    proxy.get("/a").await;
    for (name, value) in [
        ("If-None-Match", format!("{}\"1\"", "\"2\",".repeat(1100))),
        ("Accept-Encoding", format!("{}gzip", "a,".repeat(2100))),
        ("Cache-Control", format!("{}no-cache", "a,".repeat(2100))),
        ("Range", format!("bytes={}4-5", "0-1,".repeat(1100))),
    ] {
        let answer = proxy.get_with("/a", &[(name, &value)]).await;
        assert_eq!((answer.status, answer.is_hit()), (200, true), "{name}");
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.body.len(), body.len());
    }
}

#[tokio::test]
async fn what_a_response_says_at_length_is_passed_on_and_not_believed() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let long = format!("max-age=60{}", ", a=1".repeat(1000));
    origin.answer("/a", Reply::ok("a").header("cache-control", long.clone()));
    let answer = proxy.get("/a").await;
    assert_eq!(answer.cache_status(), "fwd=uri-miss; detail=no-store");
    assert_eq!(answer.header("cache-control"), Some(&*long));
}
