//! Many to many, and what is deleted and comes back.

use hyper::Method;
use serde_json::{Value, json};

use super::{Messenger, On};

on_both!(
    participants_come_and_go,
    documents_lie_in_several_conversations,
    a_document_is_created_changed_and_deleted,
    who_writes_takes_part,
    a_conversation_has_at_most_100_participants,
    what_is_deleted_is_nowhere_and_comes_back_as_it_was,
    what_somebody_depends_on_stays,
);

async fn ids(demo: &Messenger, path: &str) -> Vec<i64> {
    let items = demo.walk(&format!("{path}?limit=100")).await;
    items
        .iter()
        .map(|item| item["id"].as_i64().unwrap())
        .collect()
}

async fn put(demo: &Messenger, path: &str) -> u16 {
    let answer = demo.json(Method::PUT, path, &json!({})).await;
    answer.status.as_u16()
}

async fn post(demo: &Messenger, path: &str, body: &Value) -> super::Answer {
    demo.json(Method::POST, path, body).await
}

async fn participants_come_and_go(on: On) {
    let demo = on.demo().await;
    let all = "/api/conversations/1/participants";
    assert_eq!(ids(&demo, all).await, [1, 12, 23, 34]);
    assert_eq!(put(&demo, &format!("{all}/5")).await, 201);
    assert_eq!(put(&demo, &format!("{all}/5")).await, 204, "again");
    assert_eq!(ids(&demo, all).await, [1, 5, 12, 23, 34]);
    let theirs = ids(&demo, "/api/users/5/conversations").await;
    assert!(theirs.contains(&1), "{theirs:?}");

    assert_eq!(demo.delete(&format!("{all}/5")).await.status, 204);
    assert_eq!(ids(&demo, all).await, [1, 12, 23, 34]);
    let gone = demo.delete(&format!("{all}/5")).await;
    gone.assert_problem(404, "no user 5");
    let owner = demo.delete(&format!("{all}/1")).await;
    owner.assert_problem(409, "owner");
    demo.json(Method::PUT, &format!("{all}/999"), &json!({}))
        .await
        .assert_problem(404, "no user 999");
    let nowhere = "/api/conversations/999/participants/1";
    demo.json(Method::PUT, nowhere, &json!({}))
        .await
        .assert_problem(404, "no conversation 999");
    demo.delete(&format!("{all}/zero"))
        .await
        .assert_problem(400, "`member`");
}

async fn documents_lie_in_several_conversations(on: On) {
    let demo = on.demo().await;
    let in_5 = "/api/conversations/5/documents";
    assert_eq!(ids(&demo, in_5).await, [2]);
    assert_eq!(put(&demo, &format!("{in_5}/1")).await, 201);
    assert_eq!(put(&demo, &format!("{in_5}/1")).await, 204);
    assert_eq!(ids(&demo, in_5).await, [1, 2]);
    let places = "/api/documents/1/conversations";
    assert_eq!(ids(&demo, places).await, [1, 2, 5]);

    assert_eq!(demo.delete("/api/conversations/5").await.status, 204);
    assert_eq!(ids(&demo, places).await, [1, 2], "not in a deleted one");
    demo.get(in_5)
        .await
        .assert_problem(404, "no conversation 5");
    assert_eq!(demo.delete("/api/documents/1").await.status, 204);
    assert!(
        ids(&demo, "/api/conversations/1/documents")
            .await
            .is_empty()
    );
    demo.get(places).await.assert_problem(404, "no document 1");
    let again = demo
        .json(Method::PUT, "/api/conversations/2/documents/1", &json!({}))
        .await;
    again.assert_problem(404, "no document 1");
}

async fn a_document_is_created_changed_and_deleted(on: On) {
    let demo = on.demo().await;
    let new = json!({ "owner_id": 4, "title": "Route", "content": "First left." });
    let created = post(&demo, "/api/documents", &new).await;
    let path = created.field("location").to_owned();
    assert_eq!(
        (created.status.as_u16(), &*path),
        (201, "/api/documents/41")
    );
    assert_eq!(demo.get(&path).await.body, created.body);
    assert_eq!(
        demo.get("/api/documents?limit=1").await.value()["items"][0]["id"],
        41
    );
    assert_eq!(ids(&demo, "/api/users/4/documents").await.last(), Some(&41));

    let body = json!({ "title": "Route", "content": "First right." });
    let changed = demo.json(Method::PUT, &path, &body).await;
    assert_eq!(changed.value()["content"], "First right.");
    assert_eq!(demo.get(&path).await.body, changed.body);
    assert_eq!(demo.delete(&path).await.status, 204);
    demo.get(&path).await.assert_problem(404, "no document 41");
    demo.json(Method::PUT, &path, &body)
        .await
        .assert_problem(404, "no document 41");

    for (body, says) in [
        (
            json!({ "owner_id": 4, "title": "", "content": "" }),
            "`title`",
        ),
        (
            json!({ "owner_id": 4, "title": "a", "content": "a".repeat(10_001) }),
            "`content`",
        ),
        (
            json!({ "owner_id": 999, "title": "a", "content": "" }),
            "`owner_id`",
        ),
    ] {
        post(&demo, "/api/documents", &body)
            .await
            .assert_problem(422, says);
    }
}

async fn who_writes_takes_part(on: On) {
    let demo = on.demo().await;
    let new = json!({ "author_id": 5, "text": "May I?" });
    let written = post(&demo, "/api/conversations/1/messages", &new).await;
    assert_eq!(written.status, 201);
    let people = ids(&demo, "/api/conversations/1/participants").await;
    assert_eq!(people, [1, 5, 12, 23, 34]);
    let mine = demo.get("/api/users/5/messages?limit=1").await.value();
    assert_eq!(mine["items"], json!([written.value()]));
    let new = json!({ "title": "a", "owner_id": 7 });
    let new = post(&demo, "/api/conversations", &new).await;
    let path = format!("{}/participants", new.field("location"));
    assert_eq!(ids(&demo, &path).await, [7]);
}

async fn a_conversation_has_at_most_100_participants(on: On) {
    let demo = Messenger::start(sidecache::demo::Settings {
        database: on.database().await,
        messages: 48_000, // 120 users
        ..Default::default()
    })
    .await;
    let mut taken = 4;
    for user in 1..=120 {
        let path = format!("/api/conversations/1/participants/{user}");
        let answer = demo.json(Method::PUT, &path, &json!({})).await;
        match answer.status.as_u16() {
            201 => taken += 1,
            204 => {}
            _ => {
                assert_eq!(taken, 100);
                return answer.assert_problem(409, "at most 100");
            }
        }
    }
    panic!("{taken} have come");
}

async fn what_is_deleted_is_nowhere_and_comes_back_as_it_was(on: On) {
    let demo = on.demo().await;
    let lone = json!({ "name": "Pia", "email": "pia@example.com", "profile": { "bio": "", "city": "Ulm" } });
    let lone = post(&demo, "/api/users", &lone).await;
    let last = demo
        .get("/api/conversations/1/messages?limit=100")
        .await
        .value();
    let last = last["items"].as_array().unwrap().last().unwrap()["id"].clone();
    let message = format!("/api/messages/{last}");
    let cases = [
        (lone.field("location"), "/api/users?limit=100"),
        ("/api/conversations/1", "/api/conversations?limit=100"),
        (
            "/api/conversations/1",
            "/api/users/1/conversations?limit=100",
        ),
        (&*message, "/api/conversations/1/messages?limit=100"),
        (&*message, "/api/messages?limit=100"),
        (&*message, "/api/search?q=ten+minutes+later&limit=100"),
        ("/api/documents/1", "/api/documents?limit=100"),
    ];
    for (path, list) in cases {
        let (before, listed) = (demo.get(path).await, demo.walk(list).await);
        demo.json(Method::POST, &format!("{path}/restore"), &json!({}))
            .await
            .assert_problem(404, "no deleted");

        assert_eq!(demo.delete(path).await.status, 204, "{path}");
        demo.get(path).await.assert_problem(404, "no");
        demo.delete(path).await.assert_problem(404, "no");
        assert_eq!(demo.walk(list).await.len(), listed.len() - 1, "{list}");

        let restored = demo
            .json(Method::POST, &format!("{path}/restore"), &json!({}))
            .await;
        assert_eq!(restored.status, 200, "{path}");
        let mut after = demo.get(path).await.value();
        let mut before = before.value();
        for value in [&mut after, &mut before] {
            value["changed_at"] = json!("another one");
        }
        assert_eq!(after, before, "{path}");
        assert_eq!(demo.walk(list).await.len(), listed.len(), "{list}");
    }
}

async fn what_somebody_depends_on_stays(on: On) {
    let demo = on.demo().await;
    let user = json!({ "name": "Pia", "email": "pia@example.com", "profile": { "bio": "", "city": "Ulm" } });
    let path = post(&demo, "/api/users", &user).await;
    let path = path.field("location");
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let document = json!({ "owner_id": id, "title": "a", "content": "" });
    let document = post(&demo, "/api/documents", &document).await;
    demo.delete(path).await.assert_problem(409, "still has");
    demo.delete(document.field("location")).await;
    assert_eq!(demo.delete(path).await.status, 204);
    post(&demo, "/api/users", &user)
        .await
        .assert_problem(409, "or had it");
    let message = json!({ "author_id": id, "text": "a" });
    post(&demo, "/api/conversations/1/messages", &message)
        .await
        .assert_problem(422, "author_id");
}
