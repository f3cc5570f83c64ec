//! What each request costs the database.

use serde_json::json;

use super::On;

on_both!(
    naive_list_of_100_takes_101_statements,
    fixed_list_of_100_takes_2_statements,
    joined_list_of_100_takes_1_statement,
    nested_list_of_100_takes_1001_statements_and_fixed_4,
    what_is_in_the_cache_of_a_request_is_not_read_again,
    all_forms_of_a_list_return_the_same_json,
    an_empty_list_is_the_same_in_all_forms,
    a_conversation_without_messages_is_in_all_forms,
    an_answer_without_the_database_says_so,
);

const LISTS: [&str; 5] = ["", "naive/", "joined/", "batched/", "loaded/"];
const THREADS: [&str; 5] = ["", "naive/", "cached/", "batched/", "loaded/"];

async fn naive_list_of_100_takes_101_statements(on: On) {
    let demo = on.demo().await;
    let list = demo.get("/api/naive/conversations?limit=100").await;
    assert_eq!(list.statements(), 101);
    assert_eq!(demo.demo.statements_total(), 101);
}

async fn fixed_list_of_100_takes_2_statements(on: On) {
    let demo = on.demo().await;
    for form in ["", "batched/", "loaded/"] {
        for limit in [100, 1, 20] {
            let path = format!("/api/{form}conversations?limit={limit}");
            assert_eq!(demo.get(&path).await.statements(), 2, "{path}");
        }
    }
    assert_eq!(demo.demo.statements_total(), 18);
}

async fn joined_list_of_100_takes_1_statement(on: On) {
    let demo = on.demo().await;
    let list = demo.get("/api/joined/conversations?limit=100").await;
    assert_eq!(list.statements(), 1);
}

async fn nested_list_of_100_takes_1001_statements_and_fixed_4(on: On) {
    let demo = on.demo().await;
    // One for the page; for each row the owner, four who take part and their ids, three messages' authors and the messages.
    let naive = demo.get("/api/naive/threads?limit=100").await;
    assert_eq!(naive.statements(), 1 + 100 * (1 + 1 + 4 + 1 + 3));
    for form in ["", "batched/", "loaded/"] {
        let path = format!("/api/{form}threads?limit=100");
        assert_eq!(demo.get(&path).await.statements(), 4, "{path}");
    }
}

async fn what_is_in_the_cache_of_a_request_is_not_read_again(on: On) {
    let demo = on.demo().await;
    // There are fifty people: each is read once, in each request.
    for _ in 0..2 {
        let cached = demo.get("/api/cached/threads?limit=100").await;
        assert_eq!(cached.statements(), 1 + 100 * (1 + 1) + 50);
    }
}

async fn all_forms_of_a_list_return_the_same_json(on: On) {
    let demo = on.demo().await;
    for (list, forms) in [("conversations", LISTS), ("threads", THREADS)] {
        let next = demo.get(&format!("/api/{list}")).await.value()["next"]
            .as_str()
            .unwrap()
            .to_owned();
        let second = format!("?limit=100&after={next}");
        for query in ["", "?limit=1", "?limit=100", &second] {
            let first = demo.get(&format!("/api/{list}{query}")).await;
            for form in forms {
                let path = format!("/api/{form}{list}{query}");
                let other = demo.get(&path).await;
                assert_eq!(other.body, first.body, "{path}");
                assert_eq!(other.field("content-type"), "application/json");
            }
            let row = &first.value()["items"][0];
            assert_eq!(row["latest_messages"].as_array().unwrap().len(), 3);
            assert_eq!(row["latest_messages"][0]["created_at"], row["updated_at"]);
        }
    }
}

async fn an_empty_list_is_the_same_in_all_forms(on: On) {
    let demo = on.demo().await;
    for (list, forms) in [("conversations", LISTS), ("threads", THREADS)] {
        // The cursor of the very last row: a page of one more than there are is not full.
        let mut last = String::new();
        while let Some(next) = demo
            .get(&format!("/api/{list}?limit=100{last}"))
            .await
            .value()["next"]
            .as_str()
        {
            last = format!("&after={next}");
        }
        let rest = demo.get(&format!("/api/{list}?limit=100{last}")).await;
        let rest = rest.value()["items"].as_array().unwrap().len();
        let almost = demo
            .get(&format!("/api/{list}?limit={}{last}", rest - 1))
            .await;
        let end = almost.value()["next"].as_str().unwrap().to_owned();
        for id in rest_of(&demo, list, &end).await {
            let gone = demo.delete(&format!("/api/conversations/{id}")).await;
            assert_eq!(gone.status, 204);
        }
        for form in forms {
            let empty = demo.get(&format!("/api/{form}{list}?after={end}")).await;
            assert_eq!(
                empty.value(),
                json!({ "items": [], "next": null }),
                "{form}"
            );
        }
    }
}

async fn rest_of(demo: &super::Messenger, list: &str, after: &str) -> Vec<i64> {
    let rest = demo
        .get(&format!("/api/{list}?after={after}"))
        .await
        .value();
    let rest = rest["items"].as_array().unwrap().iter();
    rest.map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn a_conversation_without_messages_is_in_all_forms(on: On) {
    let demo = on.demo().await;
    let new = json!({ "title": "Canoe", "owner_id": 3 });
    demo.json(hyper::Method::POST, "/api/conversations", &new)
        .await;
    for (list, forms) in [("conversations", LISTS), ("threads", THREADS)] {
        for form in forms {
            let page = demo
                .get(&format!("/api/{form}{list}?limit=2"))
                .await
                .value();
            let first = &page["items"][0];
            assert_eq!(first["title"], "Canoe", "{form}{list}");
            assert_eq!(first["latest_messages"], json!([]), "{form}{list}");
            assert_eq!(page["items"][1]["id"], 120, "{form}{list}");
        }
    }
}

async fn an_answer_without_the_database_says_so(on: On) {
    let demo = on.demo().await;
    for path in ["/healthz", "/api/me", "/api/users?limit=0"] {
        let timing = demo.get(path).await.field("server-timing").to_owned();
        assert_eq!(timing, "db;dur=0.00;desc=\"n=0\"", "{path}");
    }
    assert_eq!(demo.demo.statements_total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_never_mix_their_counts() {
    for on in [On::Sqlite, On::Postgres] {
        never_mixed(on).await;
    }
}

async fn never_mixed(on: On) {
    let demo = on.demo().await;
    let naive = "/api/naive/conversations?limit=100";
    let loaded = "/api/loaded/threads?limit=100";
    for _ in 0..5 {
        let (a, b, c, d) = tokio::join!(
            demo.get(naive),
            demo.get(loaded),
            demo.get(naive),
            demo.get("/healthz")
        );
        let counts = [a, b, c, d].map(|answer| answer.statements());
        assert_eq!(counts, [101, 4, 101, 0]);
    }
    assert_eq!(demo.demo.statements_total(), 5 * (101 + 4 + 101));
}
