//! What the log costs when nobody reads it, and what it says of requests that are longer than sensible.

use crate::support::{Origin, Reply, client::exchange, get, process::Process, request};
use serde_json::Value;
use std::io::{BufRead, BufReader};

/// So many times twenty requests on one connection, each with a long path and query.
async fn ask_often(process: &Process, times: usize) {
    let target = format!("/{}?{}", "p".repeat(4_000), "q".repeat(8_000));
    let one = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let last = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let requests = one.repeat(19) + last;
    for _ in 0..times {
        exchange(process.address(), requests.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_costs_little_memory_and_what_is_lost_is_counted() {
    let origin = Origin::start().await;
    origin.answer_by(|_| Reply::ok(""));
    let (process, lines) = Process::logging(&origin).await;
    ask_often(&process, 5).await;
    let before = process.resident();
    ask_often(&process, 150).await;
    let grown = process.resident() - before;
    assert!(grown < 16.0, "{grown} MiB for 8 MiB of lines");
    let dropped = process.metric("sidecache_log_lines_dropped").await;
    assert!(dropped > 100.0, "{dropped}");
    assert_eq!(get(process.address(), "/a", &[]).await.status, 200);
    drop(lines);
}

#[tokio::test]
async fn what_clients_send_is_cut_in_the_access_line() {
    let origin = Origin::start().await;
    origin.answer_by(|_| Reply::ok(""));
    let (process, lines) = Process::logging(&origin).await;
    let target = format!(
        "/{}?token=secret&q={}",
        "p".repeat(9_000),
        "q".repeat(9_000)
    );
    let host = format!("{}example", "label.".repeat(1_000));
    let (method, host) = ("M".repeat(3_000), [("host", host.as_str())]);
    request(process.address(), &method, &target, &host, b"").await;
    let served = |line: String| {
        let line: Value = serde_json::from_str(&line).unwrap();
        (line["target"] == "access").then_some(line)
    };
    let lines = BufReader::new(lines).lines().map(Result::unwrap);
    let line = lines.filter_map(served).next().unwrap();
    let text = |field: &str| line[field].as_str().unwrap().to_owned();
    assert_eq!(text("path"), format!("/{}…[+6953 bytes]", "p".repeat(2047)));
    assert!(text("query").starts_with("token=…&q=qqqq"));
    assert!(
        text("query").ends_with("…[+6967 bytes]"),
        "{}",
        text("query")
    );
    assert!(text("host").ends_with("bytes]") && text("host").len() < 300);
    assert!(text("method").ends_with("bytes]") && text("method").len() < 100);
}
