//! POST where a route says that it is a read: `key = { body = true }`.

use crate::support::{
    Answer, Origin, Proxy, Reply,
    client::{Connection, request},
    proxy::synchronised,
    redis::Redis,
    until,
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

const READS: &str = "[[route]]\nname = \"reads\"\npath = \"/graphql\"\nmethods = [\"GET\", \"POST\"]\ntags = [\"graph\"]\n\
                     key = { body = true }\n";

const CATS: &str = r#"{"query": "{ cats }"}"#;
const DOGS: &str = r#"{"query": "{ dogs }"}"#;
const MUTATION: &str = r#"{"query": "mutation { feed }"}"#;

/// An origin whose answers are fresh for a minute, and a proxy with a route of reads.
async fn site(toml: &str) -> (Origin, Proxy) {
    let origin = Origin::start().await;
    origin.answer("/graphql", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, &format!("{toml}{READS}")).await;
    (origin, proxy)
}

/// How often the origin was sent this content.
fn sent(origin: &Origin, path: &str, content: &str) -> usize {
    let sent = origin.requests(path).into_iter();
    sent.filter(|seen| seen.body == content.as_bytes()).count()
}

async fn post(proxy: &Proxy, content: &str) -> Answer {
    proxy.send("POST", "/graphql", &[JSON], content).await
}

#[tokio::test]
async fn the_same_content_is_a_hit_and_other_content_is_another_question() {
    let (origin, proxy) = site("").await;
    origin.answer("/graphql", Reply::fresh("cats", 60));
    let miss = post(&proxy, CATS).await;
    assert_eq!(
        (miss.text(), miss.cache_status()),
        ("cats", "fwd=uri-miss; stored")
    );
    let seen = origin.last("/graphql");
    assert!(seen.line.starts_with("POST ") && seen.body == CATS.as_bytes());
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let length = CATS.len().to_string();
    assert_eq!(seen.header("content-length"), Some(&*length));
    origin.answer("/graphql", Reply::fresh("dogs", 60));
    assert_eq!(post(&proxy, DOGS).await.text(), "dogs");
    for (content, text) in [(CATS, "cats"), (DOGS, "dogs")] {
        let hit = post(&proxy, content).await;
        assert_eq!((hit.text(), hit.is_hit()), (text, true));
    }
    let utf_8 = [("Content-Type", "application/json; charset=utf-8")];
    let other = proxy.send("POST", "/graphql", &utf_8, CATS).await;
    assert!(!other.is_hit(), "what says how to read it counts");
    assert_eq!(origin.count("/graphql"), 3);
}

#[tokio::test]
async fn the_method_is_part_of_the_question() {
    let (_origin, proxy) = site("").await;
    post(&proxy, CATS).await;
    let query = proxy.send("QUERY", "/graphql", &[JSON], CATS).await;
    assert!(!query.is_hit());
    assert!(!proxy.get("/graphql").await.is_hit());
    assert!(post(&proxy, CATS).await.is_hit());
    let empty = proxy.send("POST", "/graphql", &[], "").await;
    assert!(!empty.is_hit(), "without content it is no GET either");
}

/// It invalidates nothing, and no later GET is given its answer.
#[tokio::test]
async fn a_read_is_no_write() {
    let (origin, proxy) = site("").await;
    let of_itself = Reply::fresh("a", 60).header("content-location", "/graphql");
    origin.answer("/graphql", of_itself);
    post(&proxy, CATS).await;
    assert!(!proxy.get("/graphql").await.is_hit());
    post(&proxy, DOGS).await;
    assert!(post(&proxy, CATS).await.is_hit());
    assert!(proxy.get("/graphql").await.is_hit());
}

#[tokio::test]
async fn a_mutation_passes_each_time_and_invalidates_as_a_write() {
    let purge = "purge = [\"tag:other\"]\n";
    let other = "[[route]]\nname = \"other\"\npath = \"/other\"\ntags = [\"other\"]\n";
    let origin = Origin::start().await;
    for path in ["/graphql", "/other"] {
        origin.answer(path, Reply::fresh("a", 60));
    }
    let proxy = Proxy::to(&origin, &format!("{READS}{purge}{other}")).await;
    for count in 1..=2 {
        for content in [CATS, DOGS] {
            assert!(!post(&proxy, content).await.is_hit());
            assert!(post(&proxy, content).await.is_hit());
        }
        proxy.get("/other").await;
        assert!(proxy.get("/other").await.is_hit());
        let written = post(&proxy, MUTATION).await.cache_status().to_owned();
        assert_eq!(written, "fwd=method; detail=not-a-read");
        assert_eq!(sent(&origin, "/graphql", MUTATION), count);
        assert!(!proxy.get("/other").await.is_hit(), "what the route purges");
    }
}

/// What goes on is what the client sent: its cookies that a read would lose, its range, its conditions.
#[tokio::test]
async fn a_mutation_goes_on_as_any_post_does() {
    let cookies = "cookies = { ignore = [\"a\"] }\n";
    let origin = Origin::start().await;
    origin.answer("/graphql", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, &format!("{READS}{cookies}")).await;
    let since = "Sun, 06 Nov 1994 08:49:37 GMT";
    let fields = [
        JSON,
        ("Cookie", "a=1"),
        ("Range", "bytes=0-1"),
        ("If-Modified-Since", since),
    ];
    let names = ["cookie", "range", "if-modified-since"];
    proxy.send("POST", "/graphql", &fields, MUTATION).await;
    let seen = origin.last("/graphql");
    let sent = names.map(|name| seen.header(name));
    assert_eq!(sent, [Some("a=1"), Some("bytes=0-1"), Some(since)]);
    let read = proxy.send("POST", "/graphql", &fields, CATS).await;
    assert_eq!((read.status, read.text()), (200, "a"));
    let seen = origin.last("/graphql");
    assert_eq!(names.map(|name| seen.header(name)), [None; 3]);
    let hit = proxy.send("POST", "/graphql", &fields, CATS).await;
    assert_eq!((hit.status, hit.text(), hit.is_hit()), (200, "a", true));
}

#[tokio::test]
async fn what_cannot_be_known_to_be_a_query_passes() {
    let (origin, proxy) = site("").await;
    let persisted = r#"{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a"}}}"#;
    let twice = r#"{"query": "{ a }", "query": "mutation { a }"}"#;
    for (path, content) in [
        ("/graphql", persisted),
        ("/graphql", twice),
        ("/graphql?query=mutation%7Ba%7D", CATS),
        ("/graphql?query=mutation%7Ba%7D", "{}"),
    ] {
        for count in 1..=2 {
            let answer = proxy.send("POST", path, &[JSON], content).await;
            let says = "fwd=method; detail=not-a-read";
            assert_eq!(answer.cache_status(), says, "{path} {content}");
            assert_eq!(sent(&origin, path, content), count);
        }
    }
}

/// Nobody looks into it, so it is what a POST is anywhere else.
#[tokio::test]
async fn content_that_is_too_long_or_says_no_length_passes() {
    let (origin, proxy) = site("").await;
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(65_536));
    for count in 1..=2 {
        assert_eq!(post(&proxy, &long).await.cache_status(), "fwd=method");
        assert_eq!(origin.count("/graphql"), count);
        assert_eq!(origin.last("/graphql").body, long.as_bytes());
    }
    let (plain, limit) = ([("Content-Type", "text/plain")], "x".repeat(65_536));
    for is_hit in [false, true] {
        let answer = proxy.send("POST", "/other", &plain, &limit).await;
        assert_eq!(answer.cache_status(), "fwd=method", "no route of reads");
        let answer = proxy.send("POST", "/graphql", &plain, &limit).await;
        assert_eq!(answer.is_hit(), is_hit, "64 KiB are not too long");
    }
    for _ in 0..2 {
        let mut client = Connection::open(proxy.address()).await;
        let head = "POST /graphql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(head).await;
        client.send("1\r\nx\r\n0\r\n\r\n").await;
        assert!(
            client
                .read_until(|bytes| bytes.ends_with(b"\r\n\r\na"))
                .await
        );
        let received = String::from_utf8_lossy(client.received()).into_owned();
        assert!(received.contains("fwd=method\r\n"), "{received}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_has_asked_nothing() {
    let (origin, proxy) = site("").await;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        CATS.len()
    );
    let mut client = Connection::open(proxy.address()).await;
    client.send(&(head + &CATS[..5])).await;
    until("its request is under way", async || {
        proxy.metric("sidecache_connections") == 1.0
    })
    .await;
    client.reset();
    until("it has left", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    assert_eq!(origin.count("/graphql"), 0);
    assert!(!post(&proxy, CATS).await.is_hit());
}

#[tokio::test]
async fn concurrent_reads_are_one_request() {
    let (origin, proxy) = site("").await;
    origin.hold();
    let address = proxy.address();
    let clients: Vec<_> = (0..10)
        .map(|_| {
            let ask = request(address, "POST", "/graphql", &[JSON], CATS.as_bytes());
            tokio::spawn(ask)
        })
        .collect();
    until("all have arrived", async || {
        proxy.metric("sidecache_connections") == 10.0
    })
    .await;
    until("the fetch is under way", async || {
        origin.count("/graphql") == 1
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "a");
    }
    assert_eq!(origin.count("/graphql"), 1);
}

#[tokio::test]
async fn concurrent_mutations_are_as_many_requests() {
    let (origin, proxy) = site("").await;
    origin.hold();
    let address = proxy.address();
    let clients: Vec<_> = (0..5)
        .map(|_| {
            let ask = request(address, "POST", "/graphql", &[JSON], MUTATION.as_bytes());
            tokio::spawn(ask)
        })
        .collect();
    until("all are under way", async || origin.count("/graphql") == 5).await;
    origin.release();
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!(answer.cache_status(), "fwd=method; detail=not-a-read");
    }
}

/// The condition of a POST would be answered with 412 (RFC 9110 §13.1.2): what is stale is asked for anew.
#[tokio::test]
async fn a_stale_read_is_asked_for_again_with_its_content_and_without_conditions() {
    let (origin, proxy) = site("").await;
    let control = "max-age=10, stale-while-revalidate=60";
    let reply = |body: &str| {
        let reply = Reply::ok(body).header("cache-control", control);
        reply.header("etag", "\"1\"")
    };
    origin.answer("/graphql", reply("old"));
    post(&proxy, CATS).await;
    proxy.advance(20);
    origin.answer("/graphql", reply("new"));
    assert_eq!(post(&proxy, CATS).await.text(), "old");
    until("it is refreshed in the background", async || {
        post(&proxy, CATS).await.text() == "new"
    })
    .await;
    let seen = origin.last("/graphql");
    assert!(seen.line.starts_with("POST ") && seen.body == CATS.as_bytes());
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("if-none-match"), None);
    assert_eq!(origin.count("/graphql"), 2);
}

#[tokio::test]
async fn a_stale_read_stands_in_for_an_origin_that_fails() {
    let (origin, proxy) = site("").await;
    let reply = Reply::ok("old").header("cache-control", "max-age=10, stale-if-error=60");
    origin.answer("/graphql", reply);
    post(&proxy, CATS).await;
    proxy.advance(20);
    origin.answer("/graphql", Reply::ok("").status(503));
    let stale = post(&proxy, CATS).await;
    assert_eq!(
        (stale.text(), stale.cache_status()),
        (
            "old",
            "fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error"
        )
    );
    assert_eq!(post(&proxy, DOGS).await.status, 503, "nothing is stored");
}

/// What a GET is sent again for, on a connection that was kept, a POST is not: the origin may have read it.
#[tokio::test]
async fn no_post_is_sent_twice() {
    let (origin, proxy) = site("").await;
    origin.answer("/kept", Reply::ok("a"));
    for (path, method, content, times) in [
        ("/graphql?read", "POST", CATS, 1),
        ("/graphql?write", "POST", MUTATION, 1),
        ("/graphql?get", "GET", "", 2),
    ] {
        assert_eq!(proxy.get("/kept").await.status, 200);
        assert_eq!(origin.open_connections(), 1, "which is kept");
        origin.answer(path, Reply::closing());
        let failed = proxy.send(method, path, &[JSON], content).await;
        assert_eq!(failed.status, 502, "{path}");
        assert_eq!(origin.count(path), times, "{path}");
    }
}

/// If-None-Match of a POST is a condition of its own, which only the origin can judge (RFC 9110 §13.1.2).
#[tokio::test]
async fn a_precondition_of_a_post_is_for_the_origin() {
    let (origin, proxy) = site("").await;
    post(&proxy, CATS).await;
    origin.answer("/graphql", Reply::ok("").status(412));
    let fields = [JSON, ("If-None-Match", "*")];
    let answer = proxy.send("POST", "/graphql", &fields, CATS).await;
    assert_eq!(
        (answer.status, answer.cache_status()),
        (412, "fwd=bypass; detail=precondition")
    );
    assert_eq!(origin.last("/graphql").header("if-none-match"), Some("*"));
    assert!(post(&proxy, CATS).await.is_hit());
}

#[tokio::test]
async fn credentials_count_as_they_do_for_a_get() {
    let (origin, proxy) = site("").await;
    let route = READS.to_owned() + "ttl = 60\n";
    let silent = Proxy::to(&origin, &route).await;
    for (proxy, name, detail) in [
        (&proxy, "Authorization", "authorization"),
        (&silent, "Authorization", "authorization"),
    ] {
        for _ in 0..2 {
            let fields = [JSON, (name, "alice")];
            let answer = proxy.send("POST", "/graphql", &fields, CATS).await;
            let says = format!("fwd=uri-miss; detail={detail}");
            assert_eq!(answer.cache_status(), says, "{name}");
        }
    }
    origin.answer("/graphql", Reply::ok("a"));
    for _ in 0..2 {
        let fields = [JSON, ("Cookie", "alice")];
        let answer = silent.send("POST", "/graphql", &fields, CATS).await;
        assert_eq!(answer.cache_status(), "fwd=uri-miss; detail=cookie");
    }
    let answer = post(&silent, CATS).await;
    assert_eq!(answer.cache_status(), "fwd=uri-miss; stored");
    let session = Reply::ok("a").header("set-cookie", "a=1");
    origin.answer("/graphql", session);
    let answer = post(&silent, DOGS).await;
    assert_eq!(answer.cache_status(), "fwd=uri-miss; detail=set-cookie");
}

#[tokio::test]
async fn whatever_purges_the_url_purges_each_of_its_reads() {
    let token = ("X-Sidecache-Purge", "0123456789abcdef");
    let cache = "[cache]\npurge_token = \"0123456789abcdef\"\n";
    let (origin, proxy) = site(cache).await;
    origin.answer(
        "/graphql",
        Reply::fresh("a", 60).header("surrogate-key", "animals"),
    );
    let purge = async |body: String| {
        let purged = request(
            proxy.admin(),
            "POST",
            "/api/purge",
            &[JSON],
            body.as_bytes(),
        );
        assert_eq!(purged.await.status, 200, "{body}");
    };
    let url = "http://test.example/graphql";
    for selector in [
        "PURGE".to_owned(),
        format!("\"urls\": [\"{url}\"]"),
        "\"tags\": [\"graph\"]".to_owned(),
        "\"tags\": [\"animals\"]".to_owned(),
        "\"paths\": [\"/graphql\"]".to_owned(),
        "\"paths\": [\"/gra*\"]".to_owned(),
    ] {
        for content in [CATS, DOGS] {
            assert!(!post(&proxy, content).await.is_hit(), "{selector}");
            assert!(post(&proxy, content).await.is_hit(), "{selector}");
        }
        if selector == "PURGE" {
            let purged = proxy.send("PURGE", "/graphql", &[token], "").await;
            assert_eq!(purged.status, 200);
        } else {
            purge(format!("{{{selector}, \"hard\": true}}")).await;
        }
    }
    for content in [CATS, DOGS] {
        assert!(!post(&proxy, content).await.is_hit());
    }
}

#[tokio::test]
async fn two_proxies_share_reads_and_what_a_mutation_invalidates() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    origin.answer("/graphql", Reply::fresh("a", 60));
    let url = redis.url();
    let toml = format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n{READS}");
    let (one, two) = (
        Proxy::to(&origin, &toml).await,
        Proxy::to(&origin, &toml).await,
    );
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    let ask = async |proxy: &Proxy, content: &str| {
        let fields = [JSON, ("Host", "api.example")];
        proxy.send("POST", "/graphql", &fields, content).await
    };
    ask(&one, CATS).await;
    let written = "sidecache_redis_calls_total{result=\"written\"}";
    until("it is in redis", async || one.metric(written) >= 1.0).await;
    let hit = ask(&two, CATS).await;
    assert_eq!(hit.text(), "a");
    assert!(hit.is_fresh_from_redis(), "{}", hit.cache_status());
    assert!(!ask(&two, DOGS).await.is_hit());
    ask(&one, MUTATION).await;
    until("the other has heard of it", async || {
        !ask(&two, CATS).await.is_hit()
    })
    .await;
}

/// Search endpoints and the like: the operator's word is enough.
#[tokio::test]
async fn a_search_by_post_is_kept_whatever_its_content() {
    let origin = Origin::start().await;
    origin.answer_by(|received| Reply::ok(&received.body));
    let toml = "[[route]]\nname = \"search\"\npath = \"/{index}/_search\"\nmethods = [\"POST\"]\nttl = \"30s\"\n\
                key = { body = true }\n";
    let proxy = Proxy::to(&origin, toml).await;
    for (media_type, content) in [
        (
            "application/json",
            r#"{"query": {"match": {"title": "mutation {"}}}"#,
        ),
        (
            "application/x-ndjson",
            "{\"index\": \"a\"}\n{\"size\": 1}\n",
        ),
        ("application/x-www-form-urlencoded", "q=shoes&page=2"),
        ("application/xml", "<search/>"),
    ] {
        for is_hit in [false, true] {
            let fields = [("Content-Type", media_type)];
            let answer = proxy.send("POST", "/a/_search", &fields, content).await;
            assert_eq!((answer.text(), answer.is_hit()), (content, is_hit));
        }
    }
}
