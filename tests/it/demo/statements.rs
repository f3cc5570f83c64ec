//! What each request costs the database.

use super::On;

on_both!(
    naive_list_of_100_takes_101_statements,
    fixed_list_of_100_takes_2_statements,
    an_answer_without_the_database_says_so,
    naive_and_fixed_list_return_the_same_json,
);

async fn naive_list_of_100_takes_101_statements(on: On) {
    let demo = on.demo().await;
    assert_eq!(
        demo.get("/api/naive/conversations?limit=100")
            .await
            .statements(),
        101
    );
    assert_eq!(demo.demo.statements_total(), 101);
}

async fn fixed_list_of_100_takes_2_statements(on: On) {
    let demo = on.demo().await;
    for limit in [100, 1, 20] {
        let path = format!("/api/conversations?limit={limit}");
        assert_eq!(demo.get(&path).await.statements(), 2, "{path}");
    }
    assert_eq!(demo.demo.statements_total(), 6);
}

async fn an_answer_without_the_database_says_so(on: On) {
    let demo = on.demo().await;
    for path in ["/healthz", "/api/me", "/api/users?limit=0"] {
        let timing = demo.get(path).await.field("server-timing").to_owned();
        assert_eq!(timing, "db;dur=0.00;desc=\"n=0\"", "{path}");
    }
    assert_eq!(demo.demo.statements_total(), 0);
}

async fn naive_and_fixed_list_return_the_same_json(on: On) {
    let demo = on.demo().await;
    let next = demo.get("/api/conversations").await.value()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    for query in [
        "",
        "?limit=1",
        "?limit=100",
        &format!("?limit=100&after={next}"),
    ] {
        let fixed = demo.get(&format!("/api/conversations{query}")).await;
        let naive = demo.get(&format!("/api/naive/conversations{query}")).await;
        assert_eq!(fixed.body, naive.body, "{query}");
        assert_eq!(fixed.field("content-type"), "application/json");
        let first = &fixed.value()["items"][0];
        assert_eq!(first["latest_messages"].as_array().unwrap().len(), 3);
        assert_eq!(
            first["latest_messages"][0]["created_at"],
            first["updated_at"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_never_mix_their_counts() {
    for on in [On::Sqlite, On::Postgres] {
        never_mixed(on).await;
    }
}

async fn never_mixed(on: On) {
    let demo = on.demo().await;
    let (naive, fixed) = (
        "/api/naive/conversations?limit=100",
        "/api/conversations?limit=100",
    );
    for _ in 0..5 {
        let (a, b, c, d) = tokio::join!(
            demo.get(naive),
            demo.get(fixed),
            demo.get(naive),
            demo.get("/healthz")
        );
        let counts = [a, b, c, d].map(|answer| answer.statements());
        assert_eq!(counts, [101, 2, 101, 0]);
    }
    assert_eq!(demo.demo.statements_total(), 5 * (101 + 2 + 101));
}
