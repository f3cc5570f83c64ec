//! Several responses of one key: the oldest of them make room, their names in Redis last as long as they do, and a body is there
//! once.

use crate::support::{Origin, Proxy, Reply, proxy::synchronised, redis::Redis, until};

async fn replica(origin: &Origin, redis: &Redis) -> Proxy {
    let url = redis.url();
    let toml = format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n");
    let proxy = Proxy::to(origin, &toml).await;
    synchronised(&proxy).await;
    proxy
}

async fn written(proxy: &Proxy, count: f64) {
    let line = "sidecache_redis_calls_total{result=\"written\"}";
    until("it is in redis", async || proxy.metric(line) >= count).await;
}

#[tokio::test]
async fn variants_that_do_not_fit_push_out_the_oldest() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let body = "x".repeat(900_000);
    origin.answer("/a", Reply::fresh(&body, 600).header("vary", "X-Lang"));
    let ask = async |number: u32| {
        let value = number.to_string();
        proxy.get_with("/a", &[("X-Lang", &value)]).await.is_hit()
    };
    let evicted = || proxy.metric("sidecache_memory_removed_total{reason=\"evicted\"}");
    for number in 0..8 {
        assert!(!ask(number).await);
    }
    let gone = evicted();
    assert!((1.0..7.0).contains(&gone), "{gone} of 8");
    for number in (0..8).filter(|number| f64::from(*number) >= gone) {
        assert!(ask(number).await, "{number} is among the newest");
    }
    assert!(!ask(0).await, "and the oldest made room");
    assert_eq!(evicted(), gone + 1.0, "one by one");
    assert!(proxy.metric("sidecache_memory_bytes") > 2_000_000.0);
}

#[tokio::test]
async fn the_names_in_redis_last_as_long_as_the_longest_variant() {
    for scripts in [true, false] {
        let (origin, redis) = (Origin::start().await, Redis::start());
        if !scripts {
            redis.command::<String>(&["ACL", "SETUSER", "default", "-eval", "-evalsha"]);
        }
        let one = replica(&origin, &redis).await;
        for (number, (language, seconds)) in [("en", 86_400), ("de", 5)].into_iter().enumerate() {
            let reply = Reply::fresh(language, seconds).header("vary", "X-Lang");
            origin.answer("/a", reply);
            one.get_with("/a", &[("X-Lang", language)]).await;
            written(&one, (number + 1) as f64).await;
        }
        let note = redis.keys().into_iter().find(|key| key.ends_with(":m"));
        let left: i64 = redis.command(&["TTL", &note.unwrap()]);
        assert!(left > 80_000, "{left} with scripts {scripts}");
        let two = replica(&origin, &redis).await;
        for language in ["en", "de"] {
            let hit = two.get_with("/a", &[("X-Lang", language)]).await;
            assert_eq!((hit.text(), hit.is_hit()), (language, true));
        }
    }
}

#[tokio::test]
async fn a_body_is_in_redis_once_and_found_by_its_language_too() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let one = replica(&origin, &redis).await;
    let body = "a body of some length ".repeat(100);
    let reply = Reply::fresh(&body, 600).header("vary", "Accept-Language");
    origin.answer("/a", reply.header("content-language", "en"));
    one.get_with("/a", &[("Accept-Language", "en, de;q=0.5")])
        .await;
    written(&one, 1.0).await;
    let with_it = redis.keys().into_iter().filter(|key| {
        let value: Vec<u8> = redis.command(&["GET", key]);
        value
            .windows(body.len())
            .any(|part| part == body.as_bytes())
    });
    assert_eq!(with_it.count(), 1);
    let two = replica(&origin, &redis).await;
    let hit = two.get_with("/a", &[("Accept-Language", "en;q=0.9, fr;q=0.1")]);
    assert!(hit.await.is_hit());
    let other = two.get_with("/a", &[("Accept-Language", "fr, en;q=0.1")]);
    assert!(!other.await.is_hit());
}

#[tokio::test]
async fn random_values_of_a_selecting_field_make_a_bounded_number_of_keys() {
    for scripts in [true, false] {
        let (origin, redis) = (Origin::start().await, Redis::start());
        if !scripts {
            redis.command::<String>(&["ACL", "SETUSER", "default", "-eval", "-evalsha"]);
        }
        let one = replica(&origin, &redis).await;
        let body = "x".repeat(70_000); // large enough for a name of its own
        origin.answer("/a", Reply::fresh(&body, 600).header("vary", "X-Lang"));
        for number in 0..40 {
            one.get_with("/a", &[("X-Lang", &number.to_string())]).await;
            written(&one, f64::from(number + 1)).await;
        }
        until("the surplus is gone", async || {
            redis.keys().iter().filter(|key| key.contains('{')).count() <= 2 * 32 + 1
        })
        .await;
        let two = replica(&origin, &redis).await;
        let newest = two.get_with("/a", &[("X-Lang", "39")]).await;
        let oldest = two.get_with("/a", &[("X-Lang", "0")]).await;
        assert_eq!((newest.is_hit(), oldest.is_hit()), (true, false));
    }
}
