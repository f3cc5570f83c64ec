//! What a client has already, of answers that are not kept: the origin hears of it, as it would without the cache.

use crate::support::{Origin, Proxy, Reply, origin::Received};
use std::sync::{Arc, Mutex};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// What the origin was asked, each with its `If-None-Match` or else its `If-Modified-Since`.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Option<String>>>>);

impl Heard {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn last(&self) -> Option<String> {
        self.0.lock().unwrap().last().unwrap().clone()
    }

    /// Answers 304 to whoever has `"v1"`, and with the whole to all others, both under this `Cache-Control`.
    fn answer(&self, asked: &Received, control: &str) -> Reply {
        assert_eq!(asked.header("accept-encoding"), Some("identity"));
        let tags = asked.header("if-none-match");
        let condition = tags.or_else(|| asked.header("if-modified-since"));
        self.0.lock().unwrap().push(condition.map(str::to_owned));
        let has = condition.is_some_and(|has| {
            has == DATE
                || has
                    .split(", ")
                    .any(|tag| tag.trim_start_matches("W/") == "\"v1\"")
        });
        let reply = if has {
            Reply::ok("").status(304)
        } else {
            Reply::ok("x".repeat(3000)).json()
        };
        let reply = reply.header("cache-control", control);
        reply.header("etag", "\"v1\"").header("last-modified", DATE)
    }

    /// From now on `origin` answers under this `Cache-Control`.
    fn from(&self, origin: &Origin, control: &'static str) {
        let heard = self.clone();
        origin.answer_by(move |asked| heard.answer(asked, control));
    }
}

/// An origin that knows what it has, and a proxy that has asked it for the whole and kept nothing.
async fn with(control: &'static str, toml: &str) -> (Origin, Heard, Proxy) {
    let (origin, heard) = (Origin::start().await, Heard::default());
    heard.from(&origin, control);
    let proxy = Proxy::to(&origin, toml).await;
    assert_eq!(proxy.get("/a").await.status, 200);
    (origin, heard, proxy)
}

const BY_DATE: &[(&str, &str)] = &[("If-Modified-Since", DATE)];

#[tokio::test]
async fn the_origin_hears_what_the_client_has_of_what_is_not_kept() {
    let too_large = "[cache]\nmax_object = \"1KiB\"\n";
    let on_its_own = "[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"off\"\n";
    for (what, control, toml) in [
        ("no lifetime", "public", ""),
        ("private", "private, max-age=60", ""),
        ("no-store", "no-store", ""),
        ("too large", "max-age=60", too_large),
        ("not collapsed", "public", on_its_own),
    ] {
        let (_origin, heard, proxy) = with(control, toml).await;
        for conditions in [BY_DATE, &[("If-None-Match", "\"v1\"")]] {
            for _ in 0..2 {
                let answer = proxy.get_with("/a", conditions).await;
                assert_eq!((answer.status, answer.text()), (304, ""), "{what}");
                assert_eq!(heard.last().as_deref(), Some(conditions[0].1), "{what}");
            }
        }
        assert_eq!(proxy.get("/a").await.status, 200, "{what}");
        assert_eq!(heard.count(), 6, "{what}");
    }
}

#[tokio::test]
async fn the_origin_hears_its_own_tag_where_the_client_has_the_coding_that_it_would_get() {
    let (_origin, heard, proxy) = with("public", "").await;
    let coded = "W/\"v1-gzip\"";
    for (coding, status, told) in [
        ("gzip", 304, "W/\"v1-gzip\", W/\"v1\""),
        ("identity", 200, coded),
        ("br", 200, coded),
    ] {
        let fields = [("If-None-Match", coded), ("Accept-Encoding", coding)];
        let answer = proxy.get_with("/a", &fields).await;
        assert_eq!(answer.status, status, "{coding}");
        assert_eq!(heard.last().as_deref(), Some(told), "{coding}");
    }
}

#[tokio::test]
async fn once_it_may_be_kept_the_whole_is_fetched_and_kept() {
    let (origin, heard, proxy) = with("public", "").await;
    heard.from(&origin, "max-age=60");
    for (told, is_hit) in [(Some(DATE), false), (None, false), (None, true)] {
        let answer = proxy.get_with("/a", BY_DATE).await;
        assert_eq!((answer.status, answer.is_hit()), (304, is_hit));
        assert_eq!(heard.last().as_deref(), told);
    }
    assert!(proxy.get("/a").await.is_hit());
    assert_eq!(heard.count(), 3);
}

#[tokio::test]
async fn what_was_never_asked_for_is_fetched_whole() {
    let (origin, heard) = (Origin::start().await, Heard::default());
    heard.from(&origin, "max-age=60");
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(proxy.get_with("/a", BY_DATE).await.status, 304);
    assert!(proxy.get("/a").await.is_hit(), "it is there for all others");
    assert_eq!(heard.count(), 1);
}

#[tokio::test]
async fn what_has_changed_is_sent() {
    let (_origin, heard, proxy) = with("public", "").await;
    let other = "\"v0\"";
    let answer = proxy.get_with("/a", &[("If-None-Match", other)]).await;
    assert_eq!((answer.status, answer.text().len()), (200, 3000));
    assert_eq!(heard.last().as_deref(), Some(other));
}
