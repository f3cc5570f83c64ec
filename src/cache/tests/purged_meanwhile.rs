//! What is purged between the lookup and the answer of the origin comes back by no way.

use super::support::{Reply, Request, Scene};

const CONTROL: &str = "max-age=10, stale-while-revalidate=600, stale-if-error=600";

/// What the origin has when it is asked: nothing new, in each way in which it can say so.
#[derive(Clone, Copy, Debug)]
enum Says {
    Confirms,
    Completes,
    Fails,
    IsGone,
}

impl Says {
    const ALL: [Self; 4] = [Self::Confirms, Self::Completes, Self::Fails, Self::IsGone];

    /// What is stored before.
    fn stored(self) -> Reply {
        let old = Reply::controlled("01", CONTROL).with("etag", "\"1\"");
        match self {
            Self::Completes => old.status(206).with("content-range", "bytes 0-1/4"),
            Self::Confirms | Self::Fails | Self::IsGone => old,
        }
    }

    fn reply(self) -> Reply {
        match self {
            Self::Confirms => Reply::not_modified("\"1\""),
            Self::Completes => {
                let rest = Reply::controlled("23", CONTROL).with("etag", "\"1\"");
                rest.status(206).with("content-range", "bytes 2-3/4")
            }
            Self::Fails => Reply::ok("").status(503),
            Self::IsGone => Reply::unreachable(),
        }
    }

    async fn scene(self) -> (Scene, Request) {
        let scene = Scene::new().await;
        scene.origin.answer(self.stored());
        let ranged = scene.request("/a").with("range", "bytes=0-1");
        let whole = scene.request("/a");
        let first = if matches!(self, Self::Completes) {
            ranged
        } else {
            whole.clone()
        };
        first.get().await;
        scene.pass(20);
        (scene, whole)
    }
}

/// Nothing of what was stored answers the next request.
async fn is_gone(scene: &Scene, how: Says) {
    scene.landed().await;
    scene.origin.answer(Reply::fresh("new", 60));
    let got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=uri-miss; stored", "{how:?}");
    assert_eq!(got.text().await, "new");
    let last = scene.origin.last();
    assert_eq!(
        (last.field("if-none-match"), last.field("range")),
        (None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_origin_is_asked() {
    for how in Says::ALL {
        let (scene, request) = how.scene().await;
        let (reply, gate) = how.reply().held();
        scene.origin.answer(reply);
        scene.pass(600); // past all windows but the one for errors
        let client = request.begin();
        scene.origin.asked(2).await;
        scene.purge("/a", true).await;
        gate.open();
        drop(client.outcome().await);
        is_gone(&scene, how).await;
    }
}

#[tokio::test(start_paused = true)]
async fn before_it_is_asked() {
    for how in Says::ALL {
        let (scene, request) = how.scene().await;
        scene.pass(600);
        let miss = request.miss();
        assert!(miss.stored.is_some(), "{how:?}");
        scene.purge("/a", true).await;
        scene.origin.answer(how.reply());
        let got = request.fetch(miss).await;
        let served = got.is_ok_and(|got| got.status == 200);
        assert!(!served, "{how:?} has nothing to go by");
        is_gone(&scene, how).await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_is_refreshed_in_the_background() {
    for how in [Says::Confirms, Says::Fails, Says::IsGone] {
        let (scene, request) = how.scene().await;
        let (reply, gate) = how.reply().held();
        scene.origin.answer(reply);
        request.get().await;
        scene.origin.asked(2).await;
        scene.purge("/a", true).await;
        gate.open();
        is_gone(&scene, how).await;
    }
}
