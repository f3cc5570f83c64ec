//! The log in a cluster.

use super::{LOG, changed, confirmable, kept, replica};
use crate::support::{
    Origin,
    redis::{Cluster, Redis},
    until,
};

/// Moves the slot of the log, with all that is in it, to another primary.
fn move_the_log(cluster: &Cluster) {
    let primaries: Vec<&Redis> = cluster.nodes.iter().filter(|n| n.is_primary()).collect();
    let has_it = |node: &Redis| node.try_command::<i64>(&["EXISTS", LOG]) == Ok(1);
    let at = primaries.iter().position(|node| has_it(node)).unwrap();
    let (from, to) = (primaries[at], primaries[(at + 1) % primaries.len()]);
    let id = |node: &Redis| node.command::<String>(&["CLUSTER", "MYID"]);
    let slot = from
        .command::<u64>(&["CLUSTER", "KEYSLOT", LOG])
        .to_string();
    let set = |node: &Redis, words: &[&str]| {
        node.command::<String>(&[&["CLUSTER", "SETSLOT", &slot][..], words].concat());
    };
    set(to, &["IMPORTING", &id(from)]);
    set(from, &["MIGRATING", &id(to)]);
    loop {
        let keys: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
        if keys.is_empty() {
            break;
        }
        let port = to.port().to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        let keys = keys.iter().map(String::as_str);
        let migrate: Vec<&str> = migrate.into_iter().chain(keys).collect();
        from.command::<String>(&migrate);
    }
    for node in [to, from].into_iter().chain(primaries.iter().copied()) {
        set(node, &["NODE", &id(to)]);
    }
}

#[tokio::test]
async fn a_log_whose_slot_has_moved_is_followed_at_once() {
    let cluster = Cluster::start();
    let origin = Origin::start().await;
    confirmable(&origin, "/a", "old");
    confirmable(&origin, "/b", "b");
    let one = replica(&origin, &cluster.url(), "").await;
    let two = replica(&origin, &cluster.url(), "").await;
    for path in ["/a", "/b"] {
        kept(&two, path).await;
    }
    move_the_log(&cluster);
    changed(&origin, "/a", "new");
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    // The map of the cluster would be asked for only every 30 s.
    until("the other one obeys", async || {
        two.get("/a").await.text() == "new"
    })
    .await;
    assert!(two.get("/b").await.is_hit(), "and doubts nothing");
}
