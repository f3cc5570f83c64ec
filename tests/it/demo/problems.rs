//! Every bad request gets a problem in JSON that says what is allowed.

use hyper::Method;
use serde_json::json;

use super::{Answer, On};

on_both!(
    every_bad_parameter_is_a_problem_that_says_what_is_allowed,
    every_bad_body_is_a_problem_that_says_what_is_allowed,
);

async fn every_bad_parameter_is_a_problem_that_says_what_is_allowed(on: On) {
    let demo = on.demo().await;
    let users = demo.get("/api/users").await.value()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let cases = [
        (
            "/api/conversations?limit=0",
            400,
            "`limit` must be a whole number from 1 to 100",
        ),
        ("/api/naive/conversations?limit=101", 400, "`limit`"),
        ("/api/users?limit=many", 400, "`limit`"),
        (
            "/api/users?limit=1&limit=2",
            400,
            "`limit` must be given only once",
        ),
        (
            "/api/users?after=x",
            400,
            "`after` must be the `next` of an earlier page",
        ),
        ("/api/conversations/1/messages?after=", 400, "`after`"),
        (&format!("/api/conversations?after={users}"), 400, "`after`"),
        ("/api/users/one", 400, "`id` must be a positive integer"),
        ("/api/conversations/-1", 400, "`id`"),
        ("/api/messages/%FF", 400, "`id`"),
        (
            "/api/search",
            400,
            "`q` must be a text of 1 to 100 characters",
        ),
        ("/api/search?q=%20", 400, "`q`"),
        (
            "/api/search?q=%25",
            400,
            "`q` must be a text with a letter or",
        ),
        ("/api/search?q=a&after=x", 400, "`after`"),
        (
            "/api/naive/search?q=a&page=51",
            400,
            "`page` must be a whole number from 1 to 50",
        ),
        ("/api/naive/messages?limit=100&page=10001", 400, "`page`"),
        ("/api/users?city=%20", 400, "`city`"),
        ("/api/documents/0", 400, "`id`"),
        ("/api/users/999/messages", 404, "no user 999"),
        ("/api/documents/999/conversations", 404, "no document 999"),
        (
            "/api/conversations/999/participants",
            404,
            "no conversation 999",
        ),
        ("/api/users/999", 404, "no user 999"),
        ("/api/messages/9999", 404, "no message 9999"),
        ("/api/users/", 404, "nothing"),
        ("/index.html", 404, "nothing"),
    ];
    for (path, status, says) in cases {
        demo.get(path).await.assert_problem(status, says);
    }
    let wrong_method = demo.delete("/api/users").await;
    wrong_method.assert_problem(405, "Allow");
    assert_eq!(wrong_method.field("allow"), "GET,HEAD,POST");
}

async fn every_bad_body_is_a_problem_that_says_what_is_allowed(on: On) {
    let demo = on.demo().await;
    let new_user = |name: &str, email: &str| json!({ "name": name, "email": email, "profile": { "bio": "", "city": "" } });
    let cases = [
        ("/api/users", new_user(" ", "a@b"), 422, "`name` must be"),
        (
            "/api/users",
            new_user("a", "nobody"),
            422,
            "`email` must be",
        ),
        ("/api/users", json!({ "name": "a" }), 422, "email"),
        (
            "/api/conversations",
            json!({ "title": "", "owner_id": 1 }),
            422,
            "`title`",
        ),
        (
            "/api/conversations",
            json!({ "title": "a", "owner_id": 999 }),
            422,
            "`owner_id`",
        ),
        (
            "/api/conversations",
            json!({ "title": "a", "owner_id": 1, "x": 1 }),
            422,
            "`x`",
        ),
        (
            "/api/conversations/1/messages",
            json!({ "text": "a", "author_id": 999 }),
            422,
            "author",
        ),
        (
            "/api/conversations/999/messages",
            json!({ "text": "a", "author_id": 1 }),
            404,
            "999",
        ),
        (
            "/api/conversations",
            json!({ "title": "a\0", "owner_id": 1 }),
            422,
            "`title`",
        ),
        (
            "/api/conversations/1/messages/bulk",
            json!({ "messages": [{ "text": "a\0", "author_id": 1 }] }),
            422,
            "`messages[0].text`",
        ),
        ("/api/users", new_user("a\0", "a@b"), 422, "`name`"),
        ("/api/users", new_user("a", "a@b\0"), 422, "`email`"),
        (
            "/api/conversations",
            json!({ "title": "a".repeat(65 << 10) }),
            413,
            "limit",
        ),
    ];
    for (path, body, status, says) in cases {
        demo.json(Method::POST, path, &body)
            .await
            .assert_problem(status, says);
    }
    let post = || demo.request(Method::POST, "/api/conversations");
    let untyped = Answer::of(demo.send(post(), "{}".into()).await).await;
    untyped.assert_problem(415, "application/json");
    let typed = post().header("content-type", "application/json");
    Answer::of(demo.send(typed, "{".into()).await)
        .await
        .assert_problem(400, "JSON");
}
