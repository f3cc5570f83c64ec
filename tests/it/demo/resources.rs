//! Lists, single resources and their changes.

use std::collections::HashSet;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Answer, On};

on_both!(
    pages_walk_every_list_exactly_once,
    a_user_is_created_changed_and_deleted,
    a_conversation_and_a_message_are_created_changed_and_deleted,
    a_search_has_pages,
    only_the_private_answer_speaks_of_caching,
);

async fn pages_walk_every_list_exactly_once(on: On) {
    let demo = on.demo().await;
    let lists = [
        ("/api/conversations?limit=7", 120),
        ("/api/naive/conversations?limit=60", 120),
        ("/api/users?limit=25", 50),
        ("/api/conversations/2/messages?limit=4", 10),
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
    let found = demo.get("/api/search?q=100%25_%5C").await.value();
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

async fn a_search_has_pages(on: On) {
    let demo = on.demo().await;
    let first = demo.get("/api/search?q=THE").await.value();
    let second = demo.get("/api/search?q=the&page=2").await.value();
    assert_eq!(
        (
            first["items"].as_array().unwrap().len(),
            &first["next_page"]
        ),
        (20, &json!(2))
    );
    assert_ne!(first["items"][0], second["items"][0]);
    let nothing = demo.get("/api/search?q=n0thing").await;
    assert_eq!(
        nothing.value(),
        json!({ "items": [], "page": 1, "next_page": null })
    );
}

async fn only_the_private_answer_speaks_of_caching(on: On) {
    let demo = on.demo().await;
    let me = |who: &'static str| {
        let request = demo
            .request(Method::GET, "/api/me")
            .header("authorization", who);
        async { Answer::of(demo.send(request, Bytes::new()).await).await }
    };
    let (one, other) = (me("Bearer one").await, me("Bearer other").await);
    assert_eq!(one.field("cache-control"), "private, no-store");
    assert_eq!(
        one.value()["authorization_sha256"].as_str().unwrap().len(),
        8
    );
    assert_ne!(one.body, other.body);
    assert_eq!(
        demo.get("/api/me").await.value(),
        json!({ "authorization_sha256": null })
    );

    for path in [
        "/healthz",
        "/api/users/1",
        "/api/conversations",
        "/api/search?q=a",
        "/x",
    ] {
        let answer = demo.get(path).await;
        assert_eq!(
            (answer.field("cache-control"), answer.field("etag")),
            ("", ""),
            "{path}"
        );
    }
}
