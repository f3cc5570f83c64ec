//! Parts: stored, put together, and never taken for the whole.

use super::support::{Client, Reply, Request, Scene};
use crate::semantics::Refusal;

const WHOLE: &str = "0123456789";

/// The part of [`WHOLE`] from `first` to `last`, of the representation `"1"`.
fn part(first: usize, last: usize) -> Reply {
    let range = format!("bytes {first}-{last}/10");
    claiming(&WHOLE[first..=last], &range).with("etag", "\"1\"")
}

fn claiming(text: &str, range: &str) -> Reply {
    let part = Reply::fresh(text, 60).status(206);
    part.with("content-range", range)
}

fn ranged(scene: &Scene, range: &str) -> Request {
    scene.request("/a").with("range", range)
}

/// With these parts stored, one after the other.
async fn with(parts: &[(usize, usize)]) -> Scene {
    let scene = Scene::new().await;
    for (first, last) in parts {
        scene.origin.answer(part(*first, *last));
        let got = ranged(&scene, &format!("bytes={first}-{last}")).get().await;
        assert_eq!(got.text().await, WHOLE[*first..=*last]);
    }
    scene
}

#[tokio::test(start_paused = true)]
async fn a_part_is_stored_and_serves_what_it_holds() {
    let scene = with(&[(2, 6)]).await;
    let hit = ranged(&scene, "bytes=3-4").get().await;
    assert_eq!(
        (hit.status.as_u16(), hit.says.as_str()),
        (206, "hit; ttl=60")
    );
    assert_eq!(hit.field("content-range"), Some("bytes 3-4/10"));
    assert_eq!(hit.text().await, "34");
}

#[tokio::test(start_paused = true)]
async fn parts_that_touch_become_one() {
    for parts in [
        [(0, 4), (5, 7)],
        [(5, 7), (0, 4)],
        [(0, 5), (3, 7)],
        [(0, 7), (2, 3)],
    ] {
        let scene = with(&parts).await;
        let hit = ranged(&scene, "bytes=0-7").get().await;
        assert_eq!(hit.says, "hit; ttl=60", "{parts:?}");
        assert_eq!(hit.field("content-range"), Some("bytes 0-7/10"));
        assert_eq!(hit.text().await, WHOLE[..8], "{parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_all_become_the_whole() {
    let scene = with(&[(0, 4), (5, 9)]).await;
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.status.as_u16(), hit.field("content-length")),
        (200, Some("10"))
    );
    assert_eq!(hit.text().await, WHOLE);
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_fetched_at_the_same_time_become_one() {
    let scene = Scene::new().await;
    let ((low, first), (high, second)) = (part(0, 4).held(), part(5, 9).held());
    scene.origin.answers([low, high]);
    let low = ranged(&scene, "bytes=0-4").begin();
    scene.origin.asked(1).await;
    let high = ranged(&scene, "bytes=5-9").begin();
    scene.origin.asked(2).await;
    first.open();
    assert_eq!(low.got().await.text().await, WHOLE[..5]);
    second.open();
    assert_eq!(high.got().await.text().await, WHOLE[5..]);
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

/// What is asked for `/a` says once `whole` was stored while the part of representation `"1"` from 2 to 4 was on its way.
async fn after_a_part_that_came_later_than(whole: Reply) -> String {
    let scene = Scene::new().await;
    let (late, gate) = part(2, 4).held();
    scene.origin.answer(late);
    let client = ranged(&scene, "bytes=2-4").begin();
    scene.origin.asked(1).await;
    scene.store("/a", whole).await;
    gate.open();
    assert_eq!(client.got().await.text().await, WHOLE[2..5]);
    scene.landed().await;
    scene.get("/a").await.says
}

#[tokio::test(start_paused = true)]
async fn a_part_does_not_take_the_place_of_its_whole() {
    let whole = Reply::fresh(WHOLE, 60);
    let says = after_a_part_that_came_later_than(whole.clone().with("etag", "\"1\"")).await;
    assert_eq!(says, "hit; ttl=60");
    for other in [
        whole.clone().with("etag", "\"2\""),
        whole,
        Reply::controlled(WHOLE, "no-cache").with("etag", "\"1\""),
    ] {
        let says = after_a_part_that_came_later_than(other).await;
        assert!(says.starts_with("fwd=partial"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_keep_the_tags_of_both() {
    let scene = Scene::new().await;
    for (first, last, tag) in [(0, 4, "one"), (5, 9, "two")] {
        scene
            .origin
            .answer(part(first, last).with("cache-tag", tag));
        ranged(&scene, &format!("bytes={first}-{last}")).get().await;
    }
    let crate::cache::Lookup::Hit(..) = scene.request("/a").look_up() else {
        panic!("the whole is stored");
    };
    for tag in ["one", "two"] {
        let matching = scene
            .cache
            .store()
            .matching(&[crate::store::Selector::tag(tag)]);
        assert_eq!(matching.entries, 1, "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_do_not_belong_together_replace_each_other() {
    let of = |range: &str, tag: &str| claiming("567", range).with("etag", tag);
    for (what, second) in [
        ("apart", of("bytes 6-8/10", "\"1\"")),
        ("of another length", of("bytes 5-7/11", "\"1\"")),
        ("of another tag", of("bytes 5-7/10", "\"2\"")),
        ("of a weak tag", of("bytes 5-7/10", "W/\"1\"")),
    ] {
        let scene = with(&[(0, 4)]).await;
        scene.origin.answer(second);
        ranged(&scene, "bytes=5-8").get().await;
        scene.origin.answer(Reply::ok("asked"));
        let got = ranged(&scene, "bytes=0-1").get().await;
        assert_eq!(got.text().await, "asked", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_too_large_together_stay_apart() {
    let scene = Scene::new().await;
    for (range, asked) in [
        ("bytes 0-599/1200", "bytes=0-599"),
        ("bytes 600-1199/1200", "bytes=600-"),
    ] {
        let part = Reply::fresh("", 60).piece(vec![b'x'; 600]).status(206);
        scene
            .origin
            .answer(part.with("content-range", range).with("etag", "\"1\""));
        ranged(&scene, asked).get().await;
    }
    assert_eq!(ranged(&scene, "bytes=600-").get().await.says, "hit; ttl=60");
    assert!(
        !ranged(&scene, "bytes=0-599")
            .get()
            .await
            .says
            .starts_with("hit")
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_an_unknown_whole_goes_to_its_client_as_it_came() {
    let scene = Scene::new().await;
    scene.origin.answer(claiming("01234", "bytes 0-4/*"));
    let got = ranged(&scene, "bytes=0-4").get().await;
    assert_eq!(got.field("content-range"), Some("bytes 0-4/*"));
    let hit = ranged(&scene, "bytes=1-2").get().await;
    assert_eq!(hit.field("content-range"), Some("bytes 1-2/*"));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_nobody_asked_for_passes() {
    let scene = Scene::new().await;
    scene.origin.answer(part(0, 4));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=uri-miss; detail=unasked-part"
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_too_large_passes() {
    let scene = Scene::new().await;
    let large = Reply::fresh("", 60).piece(vec![b'x'; 1001]).status(206);
    let large = large.with("content-range", "bytes 0-1000/9999");
    for reply in [large.clone(), large.of_unknown_length()] {
        scene.origin.answer(reply);
        let got = ranged(&scene, "bytes=0-1000").get().await;
        assert_eq!(got.says, "fwd=uri-miss; detail=too-large");
        assert_eq!(got.text().await.len(), 1001);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_not_what_it_says_passes() {
    for body in ["012", "0", ""] {
        let reply = claiming(body, "bytes 0-1/10");
        for reply in [reply.clone().of_unknown_length(), reply] {
            let scene = Scene::new().await;
            scene.origin.answer(reply);
            let got = ranged(&scene, "bytes=0-1").get().await;
            assert_eq!(got.says, "fwd=uri-miss; detail=status", "{body}");
            assert_eq!(got.field("content-range"), Some("bytes 0-1/10"));
            assert_eq!(got.text().await, body);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_position_of_a_suffix_may_be_one_too_high_where_its_length_is_stated() {
    let reply = || claiming("01234", "bytes 4-9/10");
    for (reply, says) in [
        (reply(), "fwd=uri-miss; stored"),
        (reply().of_unknown_length(), "fwd=uri-miss; detail=status"),
    ] {
        let scene = Scene::new().await;
        scene.origin.answer(reply);
        assert_eq!(ranged(&scene, "bytes=-5").get().await.says, says);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_breaks_off_or_is_far_more_than_it_says_is_no_answer() {
    let much = Reply::fresh("", 60).piece(vec![b'x'; 1001]);
    for (what, body) in [
        ("cut", Reply::fresh("0", 60).of_unknown_length().cut()),
        ("more than is stored", much.of_unknown_length()),
    ] {
        let scene = Scene::new().await;
        let reply = body.status(206).with("content-range", "bytes 0-1/10");
        scene.origin.answer(reply);
        let failed = ranged(&scene, "bytes=0-1").failed().await;
        assert_eq!(failed.error.cause(), "upstream_broken", "{what}");
        scene.landed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_stops_early_is_put_together_with_nothing() {
    for range in ["bytes 5-9/10", "bytes 5-7/10"] {
        let scene = with(&[(0, 4)]).await;
        let short = claiming("56", range).of_unknown_length();
        scene.origin.answer(short.with("etag", "\"1\""));
        let got = ranged(&scene, "bytes=5-9").get().await;
        assert_eq!(got.field("content-range"), Some(range), "as it came");
        assert_eq!(got.text().await, "56");
        scene.origin.answer(Reply::fresh(WHOLE, 60));
        assert_eq!(scene.get("/a").await.text().await, WHOLE);
        assert_eq!(
            scene.origin.last().field("range"),
            None,
            "no beginning is stored"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_what_is_stored_completes_it() {
    let scene = with(&[(0, 4)]).await;
    scene.origin.answer(part(5, 9));
    let got = scene.get("/a").await;
    assert_eq!(
        (got.status.as_u16(), got.says.as_str()),
        (200, "fwd=partial; stored; detail=range")
    );
    assert_eq!(got.text().await, WHOLE);
    let sent = scene.origin.last();
    assert_eq!(
        (sent.field("range"), sent.field("if-range")),
        (Some("bytes=5-"), Some("\"1\""))
    );
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn followers_share_what_the_rest_completes() {
    let scene = with(&[(0, 4)]).await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (leader, follower, gate) = scene.together(one, other, part(5, 9), Reply::reset()).await;
    gate.open();
    for client in [leader, follower].map(Client::got) {
        assert_eq!(client.await.text().await, WHOLE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_cannot_be_put_together_is_asked_for_as_a_whole() {
    let of = claiming;
    let tagged = |body: &str, range: &str| of(body, range).with("etag", "\"1\"");
    let rest = || tagged("56789", "bytes 5-9/10");
    for (what, reply) in [
        (
            "of another tag",
            of("56789", "bytes 5-9/10").with("etag", "\"2\""),
        ),
        ("not behind it", tagged("45678", "bytes 4-8/10")),
        ("from too early on", tagged("456789", "bytes 4-9/10")),
        ("without a range", Reply::fresh("56789", 60).status(206)),
        ("not for others", rest().with("cache-control", "private")),
        ("cut", rest().cut()),
        ("longer than it says", rest().piece("x")),
        ("too large", rest().piece(vec![b'x'; 2000])),
        ("not to the end", tagged("5678", "bytes 5-8/10")),
        (
            "shorter than it says",
            tagged("567", "bytes 5-9/10").of_unknown_length(),
        ),
        (
            "with tags that cannot be kept",
            rest().with("cache-tag", &"x".repeat(1025)),
        ),
        ("unsatisfiable", Reply::ok("").status(416)),
    ] {
        let scene = with(&[(0, 4)]).await;
        scene.origin.answers([reply, Reply::fresh("another", 60)]);
        assert_eq!(scene.get("/a").await.text().await, "another", "{what}");
        let sent = scene.origin.last();
        assert_eq!(
            (sent.field("range"), sent.field("if-range")),
            (None, None),
            "{what}"
        );
        assert_eq!(scene.get("/a").await.text().await, "another", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_in_the_place_of_the_rest_is_stored() {
    let scene = with(&[(0, 4)]).await;
    scene
        .origin
        .answer(Reply::fresh("another", 60).with("etag", "\"2\""));
    assert_eq!(scene.get("/a").await.text().await, "another");
    assert_eq!(scene.origin.count(), 2);
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn only_a_beginning_is_completed() {
    for (stored, complete) in [("bytes 2-4/10", "10"), ("bytes 0-2/*", "*")] {
        let scene = Scene::new().await;
        let part = Reply::fresh("234", 60).status(206);
        scene
            .origin
            .answer(part.with("content-range", stored).with("etag", "\"1\""));
        ranged(&scene, "bytes=2-4").get().await;
        scene.origin.answer(Reply::fresh(WHOLE, 60));
        scene.get("/a").await;
        assert_eq!(scene.origin.last().field("range"), None, "{complete}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_enough_is_confirmed_and_one_that_is_not_is_not() {
    let scene = with(&[(0, 4)]).await;
    scene.pass(100);
    scene.origin.answer(Reply::not_modified("\"1\""));
    assert_eq!(ranged(&scene, "bytes=0-1").get().await.text().await, "01");
    let sent = scene.origin.last();
    assert_eq!(
        (sent.field("if-none-match"), sent.field("range")),
        (Some("\"1\""), Some("bytes=0-1"))
    );
    scene.origin.answer(part(5, 9));
    ranged(&scene, "bytes=5-9")
        .with("if-range", "\"1\"")
        .get()
        .await;
    let sent = scene.origin.last();
    assert_eq!(
        (sent.field("if-none-match"), sent.field("if-range")),
        (None, Some("\"1\""))
    );
}

#[tokio::test(start_paused = true)]
async fn the_range_of_the_client_is_asked_for() {
    let scene = with(&[(0, 4)]).await;
    assert_eq!(scene.origin.last().field("range"), Some("bytes=0-4"));
}

#[tokio::test(start_paused = true)]
async fn of_a_larger_part_than_it_asked_for_a_client_gets_what_it_asked_for() {
    let scene = Scene::new().await;
    scene.origin.answer(part(0, 4));
    let got = ranged(&scene, "bytes=1-2").get().await;
    assert_eq!(got.field("content-range"), Some("bytes 1-2/10"));
    assert_eq!(got.text().await, "12");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_not_the_whole() {
    let scene = with(&[(2, 4), (5, 9)]).await;
    assert_eq!(
        ranged(&scene, "bytes=2-9").get().await.text().await,
        WHOLE[2..]
    );
    scene.origin.answer(Reply::fresh(WHOLE, 60));
    assert_eq!(scene.get("/a").await.text().await, WHOLE);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_cut_is_counted_as_incomplete() {
    let scene = Scene::new().await;
    scene.origin.answer(part(0, 4).of_unknown_length().cut());
    ranged(&scene, "bytes=0-4").failed().await;
    assert_eq!(scene.refused(Refusal::Incomplete), 1);
}

#[tokio::test(start_paused = true)]
async fn one_of_two_parts_knows_how_long_the_whole_is() {
    for lengths in [("10", "*"), ("*", "10")] {
        let scene = Scene::new().await;
        for (body, range, length) in [("01234", "0-4", lengths.0), ("56789", "5-9", lengths.1)] {
            let said = format!("bytes {range}/{length}");
            let part = Reply::fresh(body, 60).status(206).with("etag", "\"1\"");
            scene.origin.answer(part.with("content-range", &said));
            ranged(&scene, &format!("bytes={range}")).get().await;
        }
        assert_eq!(scene.get("/a").await.says, "hit; ttl=60", "{lengths:?}");
    }
}
