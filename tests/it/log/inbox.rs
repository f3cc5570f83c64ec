//! What other programs want to be purged.

use super::{kept, records, replica};
use crate::support::{Origin, Proxy, Reply, redis::Redis, until};

const INBOX: &str = "t:{t}:invalidate";

fn ask(redis: &Redis, fields: &[&str]) {
    redis.command::<String>(&[&["XADD", INBOX, "*"][..], fields].concat());
}

fn answers(origin: &Origin, path: &str, text: &str) {
    origin.answer(path, Reply::fresh(text, 3600));
}

async fn says(proxy: &Proxy, path: &str, text: &str) {
    until("it obeys", async || proxy.get(path).await.text() == text).await;
}

#[tokio::test]
async fn every_replica_obeys_and_what_cannot_be_read_is_counted() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let more = "tags = [\"conversation:7\"]\n";
    let route = format!("[[route]]\nname = \"t\"\npath = \"/t/{{*rest}}\"\n{more}");
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let toml = super::shared(&redis.url(), "") + &route;
        let proxy = Proxy::to(&origin, &toml).await;
        super::in_step(&proxy).await;
        replicas.push(proxy);
    }
    let paths = ["/t/tag", "/p/path", "/u", "/other"];
    for path in paths {
        answers(&origin, path, "old");
        for proxy in &replicas {
            kept(proxy, path).await;
        }
    }
    for path in &paths[..3] {
        answers(&origin, path, "new");
    }
    ask(&redis, &["tags", "conversation:7"]);
    // As in docs/invalidation.md.
    let bounded = ["XADD", INBOX, "MAXLEN", "~", "100000", "*"];
    redis.cli(&[&bounded[..], &["tag", "conversation:7"]].concat());
    ask(&redis, &["path", "/p/*", "soft", "1"]);
    ask(&redis, &["url", "http://test.example/u"]);
    for proxy in &replicas {
        for path in &paths[..3] {
            says(proxy, path, "new").await;
        }
        assert!(proxy.get("/other").await.is_hit());
    }
    until("nothing is left", async || {
        redis.command::<i64>(&["XLEN", INBOX]) == 0
    })
    .await;
    let bad = replicas
        .iter()
        .map(|proxy| proxy.metric("sidecache_invalidations_bad_total"));
    assert!(bad.sum::<f64>() >= 1.0);
    assert_eq!(records(&redis, "tag"), 1, "one of them moves it to the log");
    assert!(redis.command::<i64>(&["TTL", INBOX]) != -1, "it ends");
}

#[tokio::test]
async fn what_was_left_while_no_replica_ran_is_obeyed_by_the_next() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    answers(&origin, "/a", "old");
    let one = replica(&origin, &redis.url(), "").await;
    kept(&one, "/a").await;
    super::in_redis(&redis, 1).await;
    one.drain().await;
    ask(&redis, &["all", "1"]);
    answers(&origin, "/a", "new");
    let later = replica(&origin, &redis.url(), "").await;
    says(&later, "/a", "new").await;
}
