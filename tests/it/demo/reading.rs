//! Pages by cursor and by number, the search, and many messages at once.

use hyper::Method;
use serde_json::{Value, json};

use super::On;

on_both!(
    a_page_by_its_number_is_the_page_by_its_cursor,
    a_cursor_stays_where_it_is_when_something_new_comes,
    a_search_finds_words_and_not_parts_of_them,
    what_is_searched_for_is_never_a_query,
    a_message_that_changes_is_found_by_its_new_words,
    many_messages_take_four_statements_and_one_by_one_three_each,
    many_messages_are_written_or_none,
);

async fn a_page_by_its_number_is_the_page_by_its_cursor(on: On) {
    let demo = on.demo().await;
    let mut after = String::new();
    for page in 1..=4 {
        let numbered = demo
            .get(&format!("/api/naive/messages?limit=30&page={page}"))
            .await
            .value();
        let cursor = demo
            .get(&format!("/api/messages?limit=30{after}"))
            .await
            .value();
        assert_eq!(numbered["items"], cursor["items"], "page {page}");
        assert_eq!(numbered["next_page"], page + 1);
        after = format!("&after={}", cursor["next"].as_str().unwrap());
    }
    let last = demo.get("/api/naive/messages?limit=100&page=12").await;
    let last = last.value();
    assert_eq!(last["items"].as_array().unwrap().len(), 100);
    assert_eq!(last["next_page"], Value::Null);
}

async fn a_cursor_stays_where_it_is_when_something_new_comes(on: On) {
    let demo = on.demo().await;
    let first = demo.get("/api/messages?limit=10").await.value();
    let second = format!(
        "/api/messages?limit=10&after={}",
        first["next"].as_str().unwrap()
    );
    let (before, numbered) = (
        demo.get(&second).await.body,
        demo.get("/api/naive/messages?limit=10&page=2").await.body,
    );
    let new = json!({ "author_id": 1, "text": "New" });
    demo.json(Method::POST, "/api/conversations/1/messages", &new)
        .await;
    assert_eq!(demo.get(&second).await.body, before);
    let shifted = demo.get("/api/naive/messages?limit=10&page=2").await.body;
    assert_ne!(shifted, numbered, "what stood on the first page, again");
}

async fn a_search_finds_words_and_not_parts_of_them(on: On) {
    let demo = on.demo().await;
    let found = async |query: &str| {
        let items = demo.walk(&format!("/api/search?limit=100&q={query}")).await;
        items.len()
    };
    let naive = async |query: &str| {
        let path = format!("/api/naive/search?limit=100&q={query}");
        let page = demo.get(&path).await.value();
        page["items"].as_array().unwrap().len()
    };
    let house = found("lighthouse").await;
    assert!(house > 10, "{house}");
    assert_eq!(found("LightHouse").await, house);
    assert_eq!(found("background+lighthouse").await, house, "in any order");
    assert_eq!((found("house").await, naive("house").await), (0, house));
    assert_eq!(found("lighthouse+postcard").await, 0, "all of them");
    let twelve_fifty = found("12.50").await;
    assert!(twelve_fifty > 10 && twelve_fifty == found("50+12").await);
    assert!(found("evening_plan").await > 10, "a sign parts words");
    assert_eq!(
        demo.get("/api/search?q=n0thing").await.value(),
        json!({ "items": [], "next": null })
    );
    assert_eq!(
        demo.get("/api/naive/search?q=n0thing").await.value(),
        json!({ "items": [], "page": 1, "next_page": null })
    );
}

async fn what_is_searched_for_is_never_a_query(on: On) {
    let demo = on.demo().await;
    for query in [
        "\"",
        "'",
        "a OR b",
        "NOT the",
        "NEAR(the a)",
        "the*",
        "^the",
        "text:the",
        "-the",
        "the & ! | ( )",
        "{the}:a",
        "'; DROP TABLE users; --",
        "the\0a",
        "%",
        "the:*",
        "<->",
        "ß ı İ ſ",
    ] {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in ["search", "naive/search"] {
            let answer = demo.get(&format!("/api/{path}?q={encoded}")).await;
            let status = answer.status.as_u16();
            assert!([200, 400].contains(&status), "{query}: {status}");
        }
    }
    assert_eq!(demo.get("/api/users/1").await.status, 200);
}

async fn a_message_that_changes_is_found_by_its_new_words(on: On) {
    let demo = on.demo().await;
    let hits = async |word: &str| {
        let page = demo.get(&format!("/api/search?q={word}")).await.value();
        page["items"].as_array().unwrap().len()
    };
    let new = json!({ "author_id": 1, "text": "Zanzibar" });
    let written = demo
        .json(Method::POST, "/api/conversations/1/messages", &new)
        .await;
    let path = written.field("location");
    assert_eq!((hits("zanzibar").await, hits("madagascar").await), (1, 0));
    demo.json(Method::PUT, path, &json!({ "text": "Madagascar" }))
        .await;
    assert_eq!((hits("zanzibar").await, hits("madagascar").await), (0, 1));
    demo.delete(path).await;
    assert_eq!(hits("madagascar").await, 0);
    demo.json(Method::POST, &format!("{path}/restore"), &json!({}))
        .await;
    assert_eq!(hits("madagascar").await, 1);
    demo.delete("/api/conversations/1").await;
    assert_eq!(hits("madagascar").await, 0);
}

fn messages(count: usize) -> Value {
    let message = |n| json!({ "author_id": n % 40 + 1, "text": format!("Line {n}") });
    json!({ "messages": (0..count).map(message).collect::<Vec<_>>() })
}

async fn many_messages_take_four_statements_and_one_by_one_three_each(on: On) {
    let demo = on.demo().await;
    let path = "conversations/1/messages/bulk";
    let bulk = demo
        .json(Method::POST, &format!("/api/{path}"), &messages(1000))
        .await;
    assert_eq!((bulk.status.as_u16(), bulk.statements()), (201, 4));
    assert_eq!(bulk.value()["created"], 1000);
    assert_eq!(bulk.field("location"), "/api/conversations/1/messages");
    let single = demo
        .json(Method::POST, &format!("/api/naive/{path}"), &messages(50))
        .await;
    assert_eq!((single.status.as_u16(), single.statements()), (201, 150));

    let newest = demo.get("/api/messages?limit=51").await.value();
    let texts: Vec<_> = newest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (&*texts[0], &*texts[49], &*texts[50]),
        ("Line 49", "Line 0", "Line 999")
    );
    let ids = bulk.value()["ids"].clone();
    let last = format!("/api/messages/{}", ids[999]);
    assert_eq!(demo.get(&last).await.value()["text"], "Line 999");
    let first = demo.get("/api/conversations?limit=1").await.value();
    assert_eq!(first["items"][0]["id"], 1, "it is the last update");
    let people = demo
        .walk("/api/conversations/1/participants?limit=100")
        .await;
    assert_eq!(people.len(), 40);
}

async fn many_messages_are_written_or_none(on: On) {
    let demo = on.demo().await;
    let before = demo.get("/api/conversations/1").await.body;
    let path = "/api/conversations/1/messages/bulk";
    let mut stranger = messages(30);
    stranger["messages"][17]["author_id"] = json!(999);
    let mut empty = messages(3);
    empty["messages"][2]["text"] = json!(" ");
    for (body, says) in [
        (
            stranger,
            "`messages[17].author_id` must be the id of a user",
        ),
        (empty, "`messages[2].text` must be a text"),
        (messages(0), "`messages` must be a list of 1 to 1000"),
        (messages(1001), "`messages` must be a list of 1 to 1000"),
        (json!({ "messages": [{ "text": "a" }] }), "author_id"),
    ] {
        demo.json(Method::POST, path, &body)
            .await
            .assert_problem(422, says);
    }
    let large = json!({ "messages": [{ "author_id": 1, "text": "a".repeat(1 << 20) }] });
    demo.json(Method::POST, path, &large)
        .await
        .assert_problem(413, "limit");
    demo.json(
        Method::POST,
        "/api/conversations/999/messages/bulk",
        &messages(1),
    )
    .await
    .assert_problem(404, "no conversation 999");
    assert_eq!(demo.get("/api/conversations/1").await.body, before);
}
