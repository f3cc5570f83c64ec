//! No answer reaches a caller that it was not meant for.

use crate::support::{Origin, Proxy, Reply, until};

const TTL: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 300\n";

#[tokio::test]
async fn private_and_no_store_are_never_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    for (path, value) in [
        ("/private", "private, max-age=60"),
        ("/no-store", "no-store"),
    ] {
        origin.answer(path, Reply::ok("mine").header("cache-control", value));
        for _ in 0..2 {
            assert!(!proxy.get(path).await.is_hit(), "{path}");
        }
        assert_eq!(origin.count(path), 2, "{path}");
    }
}

#[tokio::test]
async fn callers_with_credentials_neither_fill_nor_use_what_only_the_route_makes_cacheable() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("for anyone"));
    let proxy = Proxy::to(&origin, TTL).await;
    for (field, detail) in [("Authorization", "authorization"), ("Cookie", "cookie")] {
        let answer = proxy.get_with("/a", &[(field, "secret")]).await;
        assert_eq!(
            answer.cache_status(),
            format!("fwd=uri-miss; detail={detail}"),
            "nothing was stored"
        );
    }
    assert!(
        !proxy.get("/a").await.is_hit(),
        "what they fetched was not stored"
    );
    assert!(proxy.get("/a").await.is_hit());
    for field in ["Authorization", "Cookie"] {
        let answer = proxy.get_with("/a", &[(field, "secret")]).await;
        assert!(
            answer.cache_status().starts_with("fwd=bypass"),
            "{field}: {}",
            answer.cache_status()
        );
    }
}

#[tokio::test]
async fn credentials_in_the_key_keep_callers_apart() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("alice"));
    let proxy = Proxy::to(
        &origin,
        &format!("{TTL}key = {{ headers = [\"authorization\"] }}\n"),
    )
    .await;
    let alice = [("Authorization", "alice")];
    proxy.get_with("/a", &alice).await;
    assert!(proxy.get_with("/a", &alice).await.is_hit());
    origin.answer("/a", Reply::ok("bob"));
    let bob = proxy.get_with("/a", &[("Authorization", "bob")]).await;
    assert_eq!((bob.text(), bob.is_hit()), ("bob", false));
    assert_eq!(proxy.get_with("/a", &alice).await.text(), "alice");
}

#[tokio::test]
async fn share_all_lets_callers_with_credentials_share() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("same for all"));
    let proxy = Proxy::to(&origin, &format!("{TTL}share = \"all\"\n")).await;
    proxy.get_with("/a", &[("Authorization", "alice")]).await;
    assert!(proxy.get_with("/a", &[("Cookie", "bob")]).await.is_hit());
}

#[tokio::test]
async fn authorization_is_lifted_by_the_origin_alone() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let alice = [("Authorization", "alice")];
    for (path, value, stored) in [
        ("/plain", "max-age=60", false),
        ("/public", "max-age=60, public", true),
        ("/shared", "s-maxage=60", true),
        ("/must", "max-age=60, must-revalidate", true),
    ] {
        origin.answer(path, Reply::ok("a").header("cache-control", value));
        proxy.get_with(path, &alice).await;
        assert_eq!(proxy.get(path).await.is_hit(), stored, "{path}");
    }
}

#[tokio::test]
async fn set_cookie_is_not_stored_unless_the_route_says_so() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("a", 60).header("set-cookie", "session=1"),
    );
    let route = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nset_cookie = ";
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..2 {
        let answer = proxy.get("/a").await;
        assert_eq!(answer.cache_status(), "fwd=uri-miss; detail=set-cookie");
        assert_eq!(
            answer.header("set-cookie"),
            Some("session=1"),
            "its own caller gets it"
        );
    }
    let stripping = Proxy::to(&origin, &format!("{route}\"strip\"")).await;
    stripping.get("/a").await;
    let hit = stripping.get("/a").await;
    assert_eq!((hit.is_hit(), hit.header("set-cookie")), (true, None));
    let storing = Proxy::to(&origin, &format!("{route}\"store\"")).await;
    storing.get("/a").await;
    assert_eq!(
        storing.get("/a").await.header("set-cookie"),
        Some("session=1")
    );
}

#[tokio::test]
async fn vary_keeps_variants_apart() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let en = [("X-Lang", "en")];
    let de = [("X-Lang", "de")];
    origin.answer("/a", Reply::fresh("hello", 60).header("vary", "X-Lang"));
    proxy.get_with("/a", &en).await;
    origin.answer("/a", Reply::fresh("hallo", 60).header("vary", "X-Lang"));
    let other = proxy.get_with("/a", &de).await;
    assert_eq!(
        (other.text(), other.cache_status()),
        ("hallo", "fwd=vary-miss; stored")
    );
    for (fields, text) in [(&en, "hello"), (&de, "hallo")] {
        let hit = proxy.get_with("/a", fields).await;
        assert_eq!((hit.text(), hit.is_hit()), (text, true));
    }
    assert!(!proxy.get("/a").await.is_hit(), "absent is another value");
}

#[tokio::test]
async fn vary_star_is_never_reused() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60).header("vary", "*"));
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..2 {
        assert_eq!(
            proxy.get("/a").await.cache_status(),
            "fwd=uri-miss; detail=vary-star"
        );
    }
}

#[tokio::test]
async fn those_who_wait_for_a_private_answer_fetch_their_own() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("mine").header("cache-control", "private"));
    origin.hold();
    let proxy = Proxy::to(&origin, TTL).await;
    let address = proxy.address();
    let clients: Vec<_> = (0..10)
        .map(|_| tokio::spawn(crate::support::get(address, "/a", &[])))
        .collect();
    until("the first fetch is under way", async || {
        origin.count("/a") >= 1
    })
    .await;
    origin.release();
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!(
            (
                answer.text(),
                answer.header("cache-status").unwrap().contains("collapsed")
            ),
            ("mine", false)
        );
    }
    assert_eq!(origin.count("/a"), 10, "each has its own");
}

#[tokio::test]
async fn forwarded_host_and_scheme_are_part_of_the_key() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("for one", 60));
    let proxy = Proxy::to(&origin, "").await;
    proxy
        .get_with("/a", &[("X-Forwarded-Host", "evil.example")])
        .await;
    assert!(
        !proxy.get("/a").await.is_hit(),
        "what was made for another host is not for this one"
    );
    assert!(
        !proxy
            .get_with("/a", &[("X-Forwarded-Proto", "https")])
            .await
            .is_hit()
    );
    assert!(proxy.get("/a").await.is_hit());
}

const WINDOWS: &str = r#"
[cache]
client_directives = "respect"
stale_on_disconnect = "1h"

[[route]]
name = "while-revalidate"
path = "/swr/{*rest}"
ttl = "60s"
stale_while_revalidate = "30s"

[[route]]
name = "if-error"
path = "/sie/{*rest}"
ttl = "60s"
stale_if_error = "10m"
"#;

/// Who asks first, and who after that.
const PAIRS: [[&[(&str, &str)]; 2]; 5] = [
    [&[("Cookie", "sid=alice")], &[("Cookie", "sid=bob")]],
    [&[("Cookie", "sid=alice")], &[]],
    [&[("Cookie", "sid=alice")], &[("Authorization", "bob")]],
    [&[], &[("Cookie", "sid=bob")]],
    [&[], &[("X-Api-Key", "bob")]],
];

/// What opens a window in which stale answers are served: where, what the second client says, and what the origin answers.
type Window = (&'static str, Option<(&'static str, &'static str)>, Reply);

fn windows(field: (&str, &str)) -> [Window; 4] {
    let second = || Reply::ok("second").header(field.0, field.1);
    [
        ("/swr", None, second()),
        ("/sie", None, Reply::ok("down").status(503)),
        ("/none", None, Reply::closing()),
        ("/none", Some(("Cache-Control", "max-stale")), second()),
    ]
}

/// Whether the second of `pair` gets what was made for the first one.
async fn is_shared(
    (origin, proxy): (&Origin, &Proxy),
    path: &str,
    pair: [&[(&str, &str)]; 2],
    replies: [Reply; 2],
) -> bool {
    let [first, second] = replies;
    origin.answer(path, first);
    assert_eq!(proxy.get_with(path, pair[0]).await.text(), "first");
    origin.answer(path, second);
    proxy.get_with(path, pair[1]).await.text() == "first"
}

#[tokio::test]
async fn what_is_stale_at_once_is_nobody_elses_in_a_window_that_the_origin_did_not_open() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, WINDOWS).await;
    let mut number = 0;
    for field in [
        ("expires", "0"),
        ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("cache-control", "max-age=0"),
        ("cache-control", "max-age = 0"),
    ] {
        for (folder, says, then) in windows(field) {
            for tag in [None, Some("\"1\"")] {
                for pair in PAIRS {
                    number += 1;
                    let path = format!("{folder}/{number}");
                    let first = Reply::ok("first").header(field.0, field.1);
                    let first = tag.into_iter().fold(first, |r, tag| r.header("etag", tag));
                    let asks = [
                        pair[0].to_vec(),
                        pair[1].iter().copied().chain(says).collect(),
                    ];
                    let replies = [first, then.clone()];
                    let shared = is_shared((&origin, &proxy), &path, [&asks[0], &asks[1]], replies);
                    assert!(!shared.await, "{path} {field:?} {asks:?} {tag:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_window_is_for_callers_without_credentials_and_for_what_the_origin_lets_all_share() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, WINDOWS).await;
    let [alice, bob] = PAIRS[0];
    for (number, (control, pair)) in [
        ("max-age=0", [&[][..], &[]]),
        ("public, max-age=0", [alice, bob]),
        (
            "max-age=0, stale-while-revalidate=9, stale-if-error=9",
            [alice, bob],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        for (folder, says, then) in windows(("cache-control", control)) {
            let path = format!("{folder}/{number}/{}", says.is_some());
            let asks: Vec<_> = pair[1].iter().copied().chain(says).collect();
            let first = Reply::ok("first").header("cache-control", control);
            let first = first.header("etag", "\"1\"");
            let shared = is_shared((&origin, &proxy), &path, [pair[0], &asks], [first, then]);
            assert!(shared.await, "{path} {control}");
        }
    }
}

#[tokio::test]
async fn a_caller_with_credentials_closes_no_window_of_the_others() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, WINDOWS).await;
    let page = |text: &str, tag: &str| Reply::fresh(text, 0).header("etag", tag);
    let bob = [("Cookie", "sid=bob")];
    let confirmed = Reply::fresh("", 0).status(304).header("etag", "\"1\"");
    for (path, his, text) in [
        ("/sie/own", page("bob's", "\"2\""), "bob's"),
        ("/sie/same", confirmed, "anyone's"),
    ] {
        origin.answer(path, page("anyone's", "\"1\""));
        proxy.get(path).await;
        origin.answer(path, his);
        assert_eq!(proxy.get_with(path, &bob).await.text(), text, "{path}");
        origin.answer(path, Reply::ok("down").status(503));
        assert_eq!(proxy.get_with(path, &bob).await.status, 503, "{path}");
        assert_eq!(proxy.get(path).await.text(), "anyone's", "{path}");
    }
}

#[tokio::test]
async fn what_is_stale_at_once_is_confirmed_for_each_caller_by_the_origin() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("same", 0).header("etag", "\"1\""));
    proxy.get_with("/a", &[("Cookie", "sid=alice")]).await;
    let same = Reply::fresh("", 0).status(304).header("etag", "\"1\"");
    origin.answer_when("/a", "if-none-match", same);
    let bob = proxy.get_with("/a", &[("Cookie", "sid=bob")]).await;
    assert_eq!((bob.status, bob.text()), (200, "same"));
    assert_eq!(origin.last("/a").header("cookie"), Some("sid=bob"));
}
