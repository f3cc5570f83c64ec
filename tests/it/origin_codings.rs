//! An origin that has codings of its own.

use crate::support::{
    Answer, Origin, Proxy, Reply, origin::Received, proxy::synchronised, redis::Redis, until,
};

const OWN: &str = "[[route]]\nname = \"own\"\npath = \"/own/{*rest}\"\ncompress = false\n";

/// Nothing that any coder of ours would make.
const BR: &[u8] = b"\x8b\x03precompressed by the origin at its own level, byte for byte\x03";

const NEW_BR: &[u8] = b"\x8b\x03precompressed anew\x03";

fn plain() -> String {
    "what the file says ".repeat(200)
}

fn wants_br(request: &Received) -> bool {
    let accepted = request.header("accept-encoding").unwrap_or_default();
    accepted.split(", ").any(|coding| coding == "br")
}

/// As a file server with a `.br` beside each file.
fn file(request: &Received, br: &[u8], version: &str) -> Reply {
    let reply = if wants_br(request) {
        let reply = Reply::fresh(br, 60).header("content-encoding", "br");
        reply.header("etag", format!("\"{version}-br\""))
    } else {
        Reply::fresh(plain(), 60).header("etag", format!("\"{version}\""))
    };
    let reply = reply.header("content-type", "text/javascript");
    reply.header("vary", "Accept-Encoding")
}

/// One with the first version of each file.
async fn files() -> Origin {
    let origin = Origin::start().await;
    origin.answer_by(|request| file(request, BR, "v1"));
    origin
}

const ACCEPTS_BR: (&str, &str) = ("Accept-Encoding", "gzip, br");

async fn in_br(proxy: &Proxy, path: &str, more: &[(&str, &str)]) -> Answer {
    proxy.get_with(path, &[&[ACCEPTS_BR], more].concat()).await
}

fn facts(answer: &Answer) -> (u16, Option<&str>, Option<&str>, &[u8]) {
    (
        answer.status,
        answer.header("content-encoding"),
        answer.header("etag"),
        &answer.body,
    )
}

#[tokio::test]
async fn each_client_gets_the_origins_own_coding_byte_for_byte_from_the_cache() {
    let origin = files().await;
    let proxy = Proxy::to(&origin, OWN).await;
    let text = plain();
    for hit in [false, true] {
        let coded = in_br(&proxy, "/own/a.js", &[]).await;
        assert_eq!(facts(&coded), (200, Some("br"), Some("\"v1-br\""), BR));
        assert_eq!(coded.header("vary"), Some("Accept-Encoding"));
        let whole = proxy.get("/own/a.js").await;
        let expected = (200, None, Some("\"v1\""), text.as_bytes());
        assert_eq!(facts(&whole), expected);
        assert_eq!((coded.is_hit(), whole.is_hit()), (hit, hit));
    }
    // Whoever lists the same in another order gets the same; who accepts only gzip is not given br.
    let order = [("Accept-Encoding", "br,gzip")];
    assert!(proxy.get_with("/own/a.js", &order).await.is_hit());
    let gzip = [("Accept-Encoding", "gzip")];
    let whole = proxy.get_with("/own/a.js", &gzip).await;
    assert_eq!(facts(&whole), (200, None, Some("\"v1\""), text.as_bytes()));
    assert!(!whole.is_hit());
    // What no such route matches is coded here, of one body for all.
    let ours = in_br(&proxy, "/other.js", &[]).await;
    assert_eq!(ours.decoded(), text);
    assert!(proxy.get("/other.js").await.is_hit());
}

#[tokio::test]
async fn tags_and_ranges_are_of_the_coding_that_the_client_gets() {
    let origin = files().await;
    let proxy = Proxy::to(&origin, OWN).await;
    in_br(&proxy, "/own/a.js", &[]).await;
    proxy.get("/own/a.js").await;
    let tagged = |tag| [("If-None-Match", tag)];
    for (tag, coded, whole) in [("\"v1-br\"", 304, 200), ("\"v1\"", 200, 304)] {
        let answer = in_br(&proxy, "/own/a.js", &tagged(tag)).await;
        assert_eq!((answer.status, answer.is_hit()), (coded, true), "{tag}");
        let answer = proxy.get_with("/own/a.js", &tagged(tag)).await;
        assert_eq!((answer.status, answer.is_hit()), (whole, true), "{tag}");
    }
    let range = [("Range", "bytes=2-5"), ("If-Range", "\"v1-br\"")];
    let part = in_br(&proxy, "/own/a.js", &range).await;
    assert_eq!(
        facts(&part),
        (206, Some("br"), Some("\"v1-br\""), &BR[2..=5])
    );
    let of = format!("bytes 2-5/{}", BR.len());
    assert_eq!(part.header("content-range"), Some(&*of));
    let whole = proxy.get_with("/own/a.js", &range).await;
    assert_eq!(whole.status, 200, "the tag names other bytes");
    let part = proxy.get_with("/own/a.js", &range[..1]).await;
    let expected = (206, None, Some("\"v1\""), &plain().into_bytes()[2..=5]);
    assert_eq!(facts(&part), expected);
}

#[tokio::test]
async fn a_write_purges_every_coding_and_what_expires_is_confirmed_by_its_own_tag() {
    let origin = Origin::start().await;
    origin.answer_by(|request| match request.header("if-none-match") {
        Some("\"v1\"" | "\"v1-br\"") => {
            let tag = request.header("if-none-match").unwrap();
            let reply = Reply::ok("").status(304).header("etag", tag);
            reply.header("cache-control", "max-age=60")
        }
        _ => file(request, BR, "v1"),
    });
    let proxy = Proxy::to(&origin, OWN).await;
    for _ in 0..2 {
        in_br(&proxy, "/own/a.js", &[]).await;
        proxy.get("/own/a.js").await;
        proxy.advance(61);
    }
    let coded = in_br(&proxy, "/own/a.js", &[]).await;
    assert!(
        coded.cache_status().contains("fwd-status=304"),
        "{}",
        coded.cache_status()
    );
    assert_eq!(facts(&coded), (200, Some("br"), Some("\"v1-br\""), BR));
    let whole = proxy.get("/own/a.js").await;
    assert!(
        whole.cache_status().contains("fwd-status=304"),
        "{}",
        whole.cache_status()
    );
    assert_eq!(whole.text(), plain());
    origin.answer_by(|request| file(request, NEW_BR, "v2"));
    assert_eq!(proxy.send("PUT", "/own/a.js", &[], "x").await.status, 200);
    let coded = in_br(&proxy, "/own/a.js", &[]).await;
    assert_eq!(facts(&coded), (200, Some("br"), Some("\"v2-br\""), NEW_BR));
    assert_eq!(proxy.get("/own/a.js").await.header("etag"), Some("\"v2\""));
}

#[tokio::test]
async fn replicas_share_each_coding() {
    let (origin, redis) = (files().await, Redis::start());
    let toml = format!(
        "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n{OWN}",
        redis.url()
    );
    let one = Proxy::to(&origin, &toml).await;
    let two = Proxy::to(&origin, &toml).await;
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    in_br(&one, "/own/a.js", &[]).await;
    one.get("/own/a.js").await;
    let line = "sidecache_redis_calls_total{result=\"written\"}";
    until("both are in redis", async || one.metric(line) >= 2.0).await;
    let coded = in_br(&two, "/own/a.js", &[]).await;
    assert_eq!(facts(&coded), (200, Some("br"), Some("\"v1-br\""), BR));
    let whole = two.get("/own/a.js").await;
    assert_eq!(
        (whole.text(), whole.is_hit(), coded.is_hit()),
        (&*plain(), true, true)
    );
}

#[tokio::test]
async fn an_origin_that_forgets_vary_gives_its_coding_to_nobody_who_does_not_accept_it() {
    let origin = Origin::start().await;
    origin.answer_by(|request| {
        if wants_br(request) {
            Reply::fresh(BR, 60).header("content-encoding", "br")
        } else {
            Reply::fresh("plain", 60)
        }
    });
    let proxy = Proxy::to(&origin, OWN).await;
    let coded = in_br(&proxy, "/own/a", &[]).await;
    assert_eq!(
        coded.header("vary"),
        Some("Accept-Encoding"),
        "caches behind this one have to know"
    );
    let whole = proxy.get("/own/a").await;
    assert_eq!((whole.text(), whole.is_hit()), ("plain", false));
    let gzip = [("Accept-Encoding", "gzip")];
    assert_eq!(proxy.get_with("/own/a", &gzip).await.text(), "plain");
}

/// Who wants it uncoded gets what an origin that looks at that would not give to others.
#[tokio::test]
async fn what_somebody_wants_uncoded_is_for_those_alone_also_where_the_origin_forgets_vary() {
    let origin = Origin::start().await;
    origin.answer_by(|request| {
        if wants_br(request) {
            Reply::fresh(BR, 60).header("content-encoding", "br")
        } else {
            Reply::fresh("plain", 60)
        }
    });
    let proxy = Proxy::to(&origin, OWN).await;
    let whole = proxy.get("/own/a").await;
    let expected = ("plain", Some("Accept-Encoding"));
    assert_eq!((whole.text(), whole.header("vary")), expected);
    let coded = in_br(&proxy, "/own/a", &[]).await;
    let said = (coded.header("content-encoding"), &*coded.body);
    assert_eq!((said, coded.is_hit()), ((Some("br"), BR), false));
    for _ in 0..2 {
        let (whole, coded) = (
            proxy.get("/own/a").await,
            in_br(&proxy, "/own/a", &[]).await,
        );
        assert!(whole.is_hit() && coded.is_hit());
        assert_eq!((&*whole.body, &*coded.body), (&b"plain"[..], BR));
    }
}

/// It codes nothing then, or not this.
#[tokio::test]
async fn what_comes_uncoded_to_who_accepts_codings_is_for_all() {
    let origin = Origin::start().await;
    origin.answer("/own/a.png", Reply::fresh("picture", 60));
    let proxy = Proxy::to(&origin, OWN).await;
    let first = in_br(&proxy, "/own/a.png", &[]).await;
    assert_eq!((first.text(), first.header("vary")), ("picture", None));
    assert!(proxy.get("/own/a.png").await.is_hit());
    assert_eq!(origin.count("/own/a.png"), 1);
}

#[tokio::test]
async fn what_passes_is_asked_for_as_the_client_accepts_it() {
    let origin = files().await;
    let pass = "[[route]]\nname = \"pass\"\npath = \"/pass/{*rest}\"\ncache = false\n";
    let proxy = Proxy::to(&origin, pass).await;
    for _ in 0..2 {
        let coded = in_br(&proxy, "/pass/a.js", &[]).await;
        assert_eq!(facts(&coded), (200, Some("br"), Some("\"v1-br\""), BR));
        assert!(!coded.is_hit());
    }
}

/// As a bucket with files that were uploaded compressed: it gives them to everybody, also without the cache.
#[tokio::test]
async fn what_the_origin_codes_although_it_is_asked_for_identity_is_for_all_as_it_is_without_the_cache()
 {
    let origin = Origin::start().await;
    let file = Reply::fresh(BR, 60).header("content-encoding", "br");
    origin.answer("/a.js", file.header("content-type", "text/javascript"));
    let proxy = Proxy::to(&origin, "").await;
    for accepted in ["gzip, br", "br", "gzip", "identity"] {
        let answer = proxy
            .get_with("/a.js", &[("Accept-Encoding", accepted)])
            .await;
        assert_eq!(
            (answer.header("content-encoding"), &*answer.body),
            (Some("br"), BR)
        );
    }
    assert_eq!(origin.count("/a.js"), 1);
    assert_eq!(
        origin.last("/a.js").header("accept-encoding"),
        Some("identity")
    );
}

/// A part has no coding, so it is for all who may have it, whatever else they accept.
#[tokio::test]
async fn a_part_is_completed_for_clients_that_accept_codings_too() {
    let origin = Origin::start().await;
    let part = Reply::fresh("01234", 60).status(206);
    origin.answer("/own/a", part.header("content-range", "bytes 0-4/10"));
    let proxy = Proxy::to(&origin, OWN).await;
    let asks = [("Range", "bytes=0-4"), ("Accept-Encoding", "identity")];
    assert_eq!(proxy.get_with("/own/a", &asks).await.status, 206);
    origin.answer("/own/a", Reply::fresh("0123456789", 60));
    assert_eq!(in_br(&proxy, "/own/a", &[]).await.text(), "0123456789");
    assert_eq!(
        origin.requests("/own/a")[1].header("range"),
        Some("bytes=5-")
    );
}
