//! An origin that answers by `Origin` and forgets to say so: what one site may read is not another's.

use crate::support::{Origin, Proxy, Reply};

const A: [(&str, &str); 1] = [("Origin", "https://a.example")];
const B: [(&str, &str); 1] = [("Origin", "https://b.example")];
const ALLOW: &str = "access-control-allow-origin";

async fn start() -> (Origin, Proxy) {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    (origin, proxy)
}

fn to(site: &str) -> Reply {
    Reply::fresh("x", 60).header(ALLOW, site)
}

#[tokio::test]
async fn what_repeats_the_origin_is_for_that_site_alone() {
    let (origin, proxy) = start().await;
    origin.answer("/a", to("https://a.example"));
    proxy.get_with("/a", &A).await;
    origin.answer("/a", to("https://b.example"));
    let other = proxy.get_with("/a", &B).await;
    assert_eq!(other.header(ALLOW), Some("https://b.example"));
    origin.answer("/a", to("https://c.example"));
    for (fields, site) in [(A, "https://a.example"), (B, "https://b.example")] {
        let again = proxy.get_with("/a", &fields).await;
        assert!(again.is_hit(), "{}", again.cache_status());
        assert_eq!(again.header(ALLOW), Some(site));
        assert_eq!(
            again.header("vary"),
            Some("Origin"),
            "caches behind know it"
        );
    }
}

#[tokio::test]
async fn the_first_answer_says_by_what_it_was_selected_too() {
    let (origin, proxy) = start().await;
    origin.answer("/a", to("null").header("vary", "Accept"));
    let first = proxy.get_with("/a", &[("Origin", "null")]).await;
    let vary = first.header("vary").unwrap();
    assert!(vary.contains("Accept") && vary.contains("Origin"), "{vary}");
}

#[tokio::test]
async fn what_every_site_may_read_is_stored_once() {
    let (origin, proxy) = start().await;
    origin.answer("/a", to("*"));
    proxy.get("/a").await;
    for fields in [A, B] {
        assert!(proxy.get_with("/a", &fields).await.is_hit());
    }
    assert_eq!(proxy.get("/a").await.header("vary"), None);
}

/// What came without `Origin` and does not allow any site says nothing of what a site would get.
#[tokio::test]
async fn a_site_is_not_served_what_was_asked_for_without_one() {
    for first in [
        Reply::fresh("x", 60),
        to("https://main.example"),
        Reply::fresh("x", 60).header("access-control-allow-credentials", "true"),
    ] {
        let (origin, proxy) = start().await;
        origin.answer("/a", first);
        proxy.get("/a").await;
        origin.answer("/a", to("https://a.example"));
        let site = proxy.get_with("/a", &A).await;
        assert_eq!(site.header(ALLOW), Some("https://a.example"));
        assert!(proxy.get("/a").await.is_hit());
        assert!(proxy.get_with("/a", &A).await.is_hit());
    }
}

/// A site that the origin refuses, by saying nothing of it, is not the next one.
#[tokio::test]
async fn a_site_that_is_refused_hides_nothing_from_another() {
    for refused in [Reply::fresh("x", 60), to("https://main.example")] {
        let (origin, proxy) = start().await;
        let evil = [("Origin", "https://evil.example")];
        for first in [&evil[..], &A] {
            let second = if *first == A { &evil[..] } else { &A };
            for site in [first, second, first, second] {
                let allowed = *site == A;
                origin.answer(
                    "/a",
                    if allowed {
                        to("https://a.example")
                    } else {
                        refused.clone()
                    },
                );
                let answer = proxy.get_with("/a", site).await;
                let allow = answer.header(ALLOW) == Some("https://a.example");
                assert_eq!(allow, allowed, "{}", answer.cache_status());
                assert!(
                    answer
                        .header("vary")
                        .is_some_and(|vary| vary.contains("Origin"))
                );
            }
        }
        assert_eq!(origin.count("/a"), 2, "each site has its own");
    }
}

/// A confirmation for one site makes nothing of it for another (RFC 9111 §4.3.4).
#[tokio::test]
async fn a_confirmation_moves_no_answer_from_site_to_site() {
    let (origin, proxy) = start().await;
    let stored = to("*").header("etag", "\"1\"");
    origin.answer("/a", stored.header("cache-control", "max-age=1"));
    proxy.get("/a").await;
    proxy.advance(61);
    let confirmed = to("https://a.example").status(304).header("etag", "\"1\"");
    origin.answer_when("/a", "if-none-match", confirmed);
    let site = proxy.get_with("/a", &A).await;
    assert_eq!(site.header(ALLOW), Some("https://a.example"));
    let confirmed = to("https://b.example").status(304).header("etag", "\"1\"");
    origin.answer_when("/a", "if-none-match", confirmed);
    origin.answer("/a", to("https://b.example").header("etag", "\"1\""));
    let other = proxy.get_with("/a", &B).await;
    assert_eq!(other.header(ALLOW), Some("https://b.example"));
    let again = proxy.get_with("/a", &A).await;
    assert!(again.is_hit(), "{}", again.cache_status());
    assert_eq!(again.header(ALLOW), Some("https://a.example"));
}

/// Nor does a HEAD (RFC 9111 §4.3.5).
#[tokio::test]
async fn a_head_moves_no_answer_from_site_to_site() {
    let (origin, proxy) = start().await;
    origin.answer("/a", to("*").header("etag", "\"1\""));
    proxy.get("/a").await;
    proxy.advance(61);
    origin.answer("/a", to("https://a.example").header("etag", "\"1\""));
    proxy.send("HEAD", "/a", &A, "").await;
    origin.answer("/a", to("https://b.example").header("etag", "\"1\""));
    let other = proxy.get_with("/a", &B).await;
    assert_eq!(other.header(ALLOW), Some("https://b.example"));
}

/// A rest that does not repeat the fields of the part is put together with them.
#[tokio::test]
async fn a_completed_part_is_for_the_site_that_its_beginning_was_for() {
    let (origin, proxy) = start().await;
    let part = |body, range| {
        Reply::fresh(body, 60)
            .status(206)
            .header("content-range", range)
            .header("etag", "\"1\"")
    };
    let first = part("01234", "bytes 0-4/10").header(ALLOW, "https://a.example");
    origin.answer("/a", first);
    proxy.get_with("/a", &[A[0], ("Range", "bytes=0-4")]).await;
    origin.answer("/a", part("56789", "bytes 5-9/10"));
    let whole = proxy.get_with("/a", &A).await;
    assert_eq!(whole.text(), "0123456789");
    origin.answer("/a", to("https://b.example"));
    let other = proxy.get_with("/a", &B).await;
    assert_eq!(other.header(ALLOW), Some("https://b.example"));
}
