//! What answers say to caches.

use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use sidecache::demo::{CacheControl, Settings};

use super::{Answer, Messenger, On};

on_both!(
    every_answer_that_can_be_shared_has_a_tag_and_a_name,
    a_caller_who_has_it_gets_304_and_the_database_is_hardly_asked,
    every_change_of_what_is_shown_is_another_tag,
    who_speaks_of_freshness_is_a_setting,
    what_is_private_or_written_has_no_tag,
);

async fn get_with(demo: &Messenger, path: &str, name: &'static str, value: &str) -> Answer {
    let request = demo.request(Method::GET, path).header(name, value);
    Answer::of(demo.send(request, Bytes::new()).await).await
}

const ROWS: [(&str, &str); 4] = [
    ("/api/users/1", "user:1"),
    ("/api/conversations/1", "conversation:1"),
    ("/api/messages/3", "message:3"),
    ("/api/documents/1", "document:1"),
];
const LISTS: [(&str, &str); 14] = [
    ("/api/users", "users"),
    ("/api/users?city=Bergen", "users"),
    ("/api/users/1/conversations", "user:1 conversations"),
    ("/api/users/1/messages", "user:1 messages"),
    ("/api/users/1/documents", "user:1 documents"),
    ("/api/conversations", "conversations"),
    ("/api/naive/conversations", "conversations"),
    ("/api/threads", "conversations"),
    ("/api/conversations/1/messages", "conversation:1"),
    ("/api/conversations/1/participants", "conversation:1"),
    ("/api/conversations/1/documents", "conversation:1 documents"),
    ("/api/documents", "documents"),
    ("/api/documents/1/conversations", "document:1 conversations"),
    ("/api/search?q=the", "messages"),
];

async fn every_answer_that_can_be_shared_has_a_tag_and_a_name(on: On) {
    let demo = on.demo().await;
    for (path, keys) in ROWS.into_iter().chain(LISTS) {
        let answer = demo.get(path).await;
        let (tag, dated) = (answer.field("etag"), answer.field("last-modified"));
        assert!(tag.len() == 18 && tag.starts_with('"'), "{path}: {tag}");
        assert_eq!(answer.field("surrogate-key"), keys, "{path}");
        let is_row = ROWS.iter().any(|(row, _)| *row == path);
        assert_eq!(dated.ends_with("GMT"), is_row, "{path}: {dated}");
    }
}

async fn a_caller_who_has_it_gets_304_and_the_database_is_hardly_asked(on: On) {
    let demo = on.demo().await;
    for (path, keys) in ROWS.into_iter().chain(LISTS) {
        let full = demo.get(path).await;
        let known = get_with(&demo, path, "if-none-match", full.field("etag")).await;
        assert_eq!(
            (known.status.as_u16(), known.body.len()),
            (304, 0),
            "{path}"
        );
        for name in ["etag", "last-modified", "cache-control"] {
            assert_eq!(known.field(name), full.field(name), "{path}: {name}");
        }
        assert_eq!(known.field("surrogate-key"), keys, "{path}");
        let other = get_with(&demo, path, "if-none-match", "\"another\"").await;
        assert_eq!(other.status, 200, "{path}");
    }
    for (path, _) in ROWS {
        let full = demo.get(path).await;
        let known = get_with(&demo, path, "if-none-match", full.field("etag")).await;
        assert_eq!(known.statements(), 1, "{path}");
        let dated = full.field("last-modified");
        let known = get_with(&demo, path, "if-modified-since", dated).await;
        assert_eq!(known.status, 304, "{path}");
        let earlier = "Thu, 01 Jan 2015 00:00:00 GMT";
        let newer = get_with(&demo, path, "if-modified-since", earlier).await;
        assert_eq!(newer.status, 200, "{path}");
    }
}

/// Whatever changes what a row's answer shows, though it may be another row, changes its tag.
async fn every_change_of_what_is_shown_is_another_tag(on: On) {
    let demo = on.demo().await;
    let user = json!({ "name": "Ada Summer", "email": "ada@example.com", "profile": { "bio": "", "city": "Ulm" } });
    let message = json!({ "author_id": 12, "text": "New" });
    let text = json!({ "text": "Changed" });
    let title = json!({ "title": "Changed" });
    let document = json!({ "title": "Changed", "content": "" });
    let nothing = json!({});
    let conversation = "/api/conversations/1";
    let changes: [(Method, &str, _, &[&str]); 9] = [
        (
            Method::PUT,
            "/api/users/1", // owns the conversation, and has written the message
            &user,
            &["/api/users/1", conversation, "/api/messages/3"],
        ),
        (Method::PUT, conversation, &title, &[conversation]),
        (
            Method::POST,
            "/api/conversations/1/messages",
            &message,
            &[conversation],
        ),
        (
            Method::POST,
            "/api/conversations/1/messages/bulk",
            &json!({ "messages": [message] }),
            &[conversation],
        ),
        (
            Method::PUT,
            "/api/messages/3",
            &text,
            &[conversation, "/api/messages/3"],
        ),
        (Method::DELETE, "/api/messages/5", &nothing, &[conversation]),
        (
            Method::POST,
            "/api/messages/5/restore",
            &nothing,
            &[conversation],
        ),
        (
            Method::PUT,
            "/api/documents/1",
            &document,
            &["/api/documents/1"],
        ),
        (
            Method::PUT,
            "/api/users/12", // owns the document
            &json!({ "name": "Liam", "email": "liam@example.com", "profile": { "bio": "", "city": "" } }),
            &["/api/documents/1", conversation],
        ),
    ];
    for (method, path, body, shown) in changes {
        let mut tags = Vec::new();
        for shown in shown {
            tags.push(demo.get(shown).await.field("etag").to_owned());
        }
        let changed = demo.json(method, path, body).await;
        assert!(changed.status.is_success(), "{path}: {}", changed.status);
        for (shown, tag) in shown.iter().zip(tags) {
            let answer = get_with(&demo, shown, "if-none-match", &tag).await;
            assert_eq!(answer.status, 200, "{shown} after {path}");
            assert_ne!(answer.field("etag"), tag, "{shown} after {path}");
        }
    }
}

async fn who_speaks_of_freshness_is_a_setting(on: On) {
    let conversation = ["/api/conversations/1", "/api/threads"];
    let other = [
        "/api/users/1",
        "/api/documents",
        "/api/messages",
        "/api/search?q=a",
    ];
    for (cache_control, of_other, of_conversation) in [
        (CacheControl::Most, true, false),
        (CacheControl::All, true, true),
        (CacheControl::None, false, false),
    ] {
        let demo = Messenger::start(Settings {
            database: on.database().await,
            cache_control,
            ..Settings::default()
        })
        .await;
        for (paths, expected) in [(&other[..], of_other), (&conversation[..], of_conversation)] {
            for path in paths {
                let field = demo.get(path).await.field("cache-control").to_owned();
                let says = field.starts_with("max-age=");
                assert_eq!(says, expected, "{cache_control:?} {path}: {field}");
            }
        }
    }
}

async fn what_is_private_or_written_has_no_tag(on: On) {
    let demo = on.demo().await;
    let one = get_with(&demo, "/api/me", "authorization", "Bearer one").await;
    let other = get_with(&demo, "/api/me", "authorization", "Bearer other").await;
    assert_eq!(one.field("cache-control"), "private, no-store");
    let digits = one.value()["authorization_sha256"].clone();
    assert_eq!(digits.as_str().unwrap().len(), 8);
    assert_ne!(one.body, other.body);
    assert_eq!(
        demo.get("/api/me").await.value(),
        json!({ "authorization_sha256": null })
    );
    let title = json!({ "title": "Changed" });
    let written = demo.json(Method::PUT, "/api/conversations/1", &title).await;
    for answer in [
        one,
        written,
        demo.get("/healthz").await,
        demo.get("/x").await,
        demo.get("/api/users/999").await,
    ] {
        assert_eq!(
            (answer.field("etag"), answer.field("surrogate-key")),
            ("", "")
        );
    }
}
