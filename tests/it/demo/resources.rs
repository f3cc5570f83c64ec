//! Lists, single resources and their changes.

use std::collections::HashSet;

use hyper::{Method, StatusCode};
use serde_json::json;

use super::On;

on_both!(
    pages_walk_every_list_exactly_once,
    a_user_is_created_changed_and_deleted,
    a_conversation_and_a_message_are_created_changed_and_deleted,
);

async fn pages_walk_every_list_exactly_once(on: On) {
    let demo = on.demo().await;
    let lists = [
        ("/api/conversations?limit=7", 120),
        ("/api/naive/conversations?limit=60", 120),
        ("/api/users?limit=25", 50),
        ("/api/conversations/2/messages?limit=4", 10),
        ("/api/messages?limit=100", 1200),
        ("/api/threads?limit=50", 120),
        ("/api/documents?limit=10", 36),
        ("/api/search?q=the&limit=100", 652),
        ("/api/users?city=Bergen&limit=2", 5),
        ("/api/users/7/conversations?limit=3", 10),
        ("/api/users/7/messages?limit=10", 23),
        ("/api/users/12/documents?limit=1", 1),
        ("/api/documents/1/conversations?limit=1", 2),
        ("/api/conversations/1/participants?limit=3", 4),
        ("/api/conversations/1/documents?limit=1", 1),
    ];
    for (path, expected) in lists {
        let items = demo.walk(path).await;
        let ids: HashSet<_> = items
            .iter()
            .map(|item| item["id"].as_i64().unwrap())
            .collect();
        assert_eq!((items.len(), ids.len()), (expected, expected), "{path}");
    }
}

async fn a_user_is_created_changed_and_deleted(on: On) {
    let demo = on.demo().await;
    let mut user = json!({ "name": "Pia", "email": "pia@example.com", "profile": { "bio": "", "city": "Ulm" } });
    let created = demo.json(Method::POST, "/api/users", &user).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let path = created.field("location");
    assert_eq!(demo.get(path).await.body, created.body);

    demo.json(Method::POST, "/api/users", &user)
        .await
        .assert_problem(409, "email");
    demo.json(Method::PUT, "/api/users/1", &user)
        .await
        .assert_problem(409, "email");
    user["profile"]["city"] = json!("Bern");
    let changed = demo.json(Method::PUT, path, &user).await;
    assert_eq!(
        (changed.status, demo.get(path).await.body),
        (StatusCode::OK, changed.body.clone())
    );
    assert_eq!(changed.value()["profile"]["city"], "Bern");

    assert_eq!(demo.delete(path).await.status, StatusCode::NO_CONTENT);
    demo.get(path).await.assert_problem(404, "no user 51");
    demo.delete(path).await.assert_problem(404, "no user 51");
    demo.json(Method::PUT, path, &user)
        .await
        .assert_problem(404, "no user 51");
    demo.delete("/api/users/1")
        .await
        .assert_problem(409, "still has");
}

async fn a_conversation_and_a_message_are_created_changed_and_deleted(on: On) {
    let demo = on.demo().await;
    let new = json!({ "title": "Canoe", "owner_id": 3 });
    let created = demo.json(Method::POST, "/api/conversations", &new).await;
    let path = created.field("location");
    assert_eq!(
        (created.status, path),
        (StatusCode::CREATED, "/api/conversations/121")
    );
    assert_eq!(
        demo.get("/api/conversations?limit=1").await.value()["items"][0]["id"],
        121
    );

    let messages = format!("{path}/messages");
    let new = json!({ "author_id": 4, "text": "Ahoy! 100%_\\" });
    let message = demo.json(Method::POST, &messages, &new).await;
    assert_eq!(message.status, StatusCode::CREATED);
    let text = json!({ "text": "Land 100%_\\ in sight" });
    let changed = demo
        .json(Method::PUT, message.field("location"), &text)
        .await;
    assert_eq!(demo.get(message.field("location")).await.body, changed.body);
    let found = demo.get("/api/naive/search?q=100%25_%5C").await.value();
    assert_eq!(found["items"], json!([changed.value()]));

    let renamed = demo
        .json(Method::PUT, path, &json!({ "title": "Kayak" }))
        .await;
    assert_eq!(demo.get(path).await.body, renamed.body);
    assert_eq!(renamed.value()["messages"], json!([changed.value()]));

    assert_eq!(
        demo.delete(message.field("location")).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        demo.get(&messages).await.value(),
        json!({ "items": [], "next": null })
    );
    assert_eq!(demo.delete(path).await.status, StatusCode::NO_CONTENT);
    demo.get(path)
        .await
        .assert_problem(404, "no conversation 121");
    demo.get(&messages)
        .await
        .assert_problem(404, "no conversation 121");
}
