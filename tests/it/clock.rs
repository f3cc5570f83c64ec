//! The wall clock is set while responses are stored: no response becomes younger by that.

use crate::support::{Answer, Origin, Proxy, Reply, proxy::synchronised, redis::Redis, until};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A route whose writes purge another path, softly.
const ROUTES: &str = "[[route]]\nname = \"r\"\npath = \"/a\"\nstale_while_revalidate = \"100s\"\n\
                      [[route]]\nname = \"w\"\npath = \"/w\"\nmethods = [\"PUT\"]\npurge = [\"path:/a\"]\n";

fn age(answer: &Answer) -> Option<u64> {
    let age = answer.is_hit().then(|| answer.header("age"))?;
    age.map(|age| age.parse().unwrap())
}

/// Before `origin`, with `/a` stored for a minute.
async fn stored(origin: &Origin, toml: &str) -> Proxy {
    origin.answer("/a", Reply::fresh("old", 60));
    let proxy = Proxy::to(origin, toml).await;
    assert_eq!(proxy.get("/a").await.text(), "old");
    origin.answer("/a", Reply::fresh("new", 60));
    proxy
}

#[tokio::test]
async fn a_minute_is_a_minute_where_the_clock_is_set_back() {
    let origin = Origin::start().await;
    let proxy = stored(&origin, "").await;
    proxy.advance(30);
    assert_eq!(age(&proxy.get("/a").await), Some(30));
    proxy.clock().step_back(HOUR);
    assert_eq!(age(&proxy.get("/a").await), Some(30), "no younger");
    proxy.advance(29);
    assert_eq!(age(&proxy.get("/a").await), Some(59));
    proxy.advance(1);
    let stale = proxy.get("/a").await;
    assert_eq!(
        (stale.text(), stale.cache_status()),
        ("new", "fwd=stale; stored; detail=expired")
    );
    // What is stored from now on ages as ever.
    proxy.advance(59);
    assert_eq!(age(&proxy.get("/a").await), Some(59));
    proxy.advance(1);
    assert_eq!(age(&proxy.get("/a").await), None);
    assert_eq!(origin.count("/a"), 3);
}

#[tokio::test]
async fn forward_and_back_costs_one_fetch_and_no_lifetime() {
    let origin = Origin::start().await;
    let proxy = stored(&origin, "").await;
    proxy.clock().step_forward(HOUR);
    until("what is stored is an hour older", async || {
        age(&proxy.get("/a").await).is_none() || origin.count("/a") > 1
    })
    .await;
    assert_eq!(proxy.get("/a").await.text(), "new");
    proxy.clock().step_back(HOUR);
    for seconds in [0, 30, 29] {
        proxy.advance(seconds);
        assert!(
            proxy.get("/a").await.is_hit(),
            "neither is it too old for good"
        );
    }
    proxy.advance(1);
    assert!(!proxy.get("/a").await.is_hit(), "nor too young");
    assert_eq!(origin.count("/a"), 3);
}

#[tokio::test]
async fn dates_are_those_of_the_wall_clock() {
    let origin = Origin::start().await;
    let proxy = stored(&origin, "").await;
    let date = async |path| {
        let answer = proxy.get(path).await;
        httpdate::parse_http_date(answer.header("date").unwrap()).unwrap()
    };
    origin.answer("/b", Reply::fresh("b", 60));
    let before = date("/a").await;
    proxy.clock().step_back(HOUR);
    assert_eq!(date("/a").await, before, "as it was stored");
    assert_eq!(date("/b").await, before - HOUR);
    // An origin whose clock is right now is an hour ahead: its Expires counts from its Date.
    let expires = Reply::ok("e")
        .header("date", httpdate::fmt_http_date(before))
        .header(
            "expires",
            httpdate::fmt_http_date(before + Duration::from_secs(60)),
        );
    origin.answer("/e", expires);
    proxy.get("/e").await;
    proxy.advance(59);
    assert_eq!(age(&proxy.get("/e").await), Some(59));
    proxy.advance(1);
    assert_eq!(age(&proxy.get("/e").await), None);
}

#[tokio::test]
async fn a_purge_counts_on_both_sides_of_a_step() {
    for forward in [true, false] {
        let origin = Origin::start().await;
        let proxy = stored(&origin, ROUTES).await;
        origin.answer("/w", Reply::ok(""));
        let step = || {
            if forward {
                proxy.clock().step_forward(HOUR / 360);
            } else {
                proxy.clock().step_back(HOUR);
            }
        };
        let purge = async || assert_eq!(proxy.send("PUT", "/w", &[], "x").await.status, 200);
        let refreshed = async |text: &str| {
            until("the refresh is stored", async || {
                let answer = proxy.get("/a").await;
                answer.text() == text && answer.is_hit()
            })
            .await;
        };
        step();
        purge().await; // of what was stored before the step
        let stale = proxy.get("/a").await;
        assert_eq!(stale.text(), "old");
        assert!(
            stale
                .cache_status()
                .ends_with("detail=stale-while-revalidate")
        );
        refreshed("new").await;
        step();
        // It was stored after the purge, however the clocks stand.
        assert!(age(&proxy.get("/a").await).is_some_and(|age| age < 60));
        origin.answer("/a", Reply::fresh("newer", 60));
        purge().await;
        refreshed("newer").await;
    }
}

/// Redis says that so many seconds more have passed.
fn pass(redis: &Redis, seconds: i64) {
    let keys = redis.keys();
    let key = keys.iter().find(|key| key.ends_with(":m")).unwrap();
    let left: i64 = redis.command(&["PTTL", key]);
    let left = (left - seconds * 1000).to_string();
    assert_eq!(redis.command::<i64>(&["PEXPIRE", key, &left]), 1);
}

async fn written(proxy: &Proxy) {
    let line = "sidecache_redis_calls_total{result=\"written\"}";
    until("it is in redis", async || proxy.metric(line) >= 1.0).await;
}

#[tokio::test]
async fn a_minute_is_a_minute_in_redis_whatever_the_clocks_of_replicas_say() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let url = redis.url();
    let with_memory = format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n");
    let toml = format!("{with_memory}[cache.memory]\nmax = 0\n");
    origin.answer("/a", Reply::fresh("old", 60));
    let one = Proxy::to(&origin, &toml).await;
    let two = Proxy::to(&origin, &toml).await;
    let behind = Proxy::to(&origin, &with_memory).await;
    behind.clock().step_back(HOUR);
    for proxy in [&one, &two, &behind] {
        synchronised(proxy).await;
    }
    one.get("/a").await;
    written(&one).await;
    one.clock().step_back(HOUR);
    pass(&redis, 50);
    for proxy in [&one, &behind] {
        let age = age(&proxy.get("/a").await).unwrap();
        assert!((50..55).contains(&age), "{age}");
    }
    assert_eq!(origin.count("/a"), 1);
    // In the memory of the replica that has one it goes on.
    behind.advance(20);
    origin.answer("/a", Reply::fresh("new", 60));
    pass(&redis, 20);
    let answer = behind.get("/a").await;
    assert_eq!(
        (answer.text(), answer.cache_status()),
        ("new", "fwd=stale; stored; detail=expired")
    );
    // The wall clock counts too: two's is right, and says that it is old, while redis says that it is new.
    until("the new one is there", async || {
        one.get("/a").await.text() == "new"
    })
    .await;
    two.advance(61);
    assert!(!two.get("/a").await.is_hit());
}

#[tokio::test]
async fn a_redis_that_does_not_say_what_is_left_is_used_by_the_clock() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let user = ["ACL", "SETUSER", "default", "-pttl"];
    redis.command::<String>(&user);
    let toml = format!(
        "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n[cache.memory]\nmax = 0\n",
        redis.url()
    );
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    proxy.get("/a").await;
    written(&proxy).await;
    proxy.advance(20);
    assert_eq!(age(&proxy.get("/a").await), Some(20));
    proxy.advance(40);
    assert_eq!(age(&proxy.get("/a").await), None);
}
