//! What the layer counts, alone and beside log layers.

use std::io;

use tracing::subscriber::{set_default, with_default};
use tracing_subscriber::{filter::EnvFilter, fmt as log, prelude::*, registry};

use super::*;

/// What the headers say of two requests at a time, one with a statement and one without; the total.
fn two_requests() -> (Vec<String>, u64) {
    let total = Arc::new(Total::default());
    let request = |work: fn()| {
        let span = debug_span!(target: TARGET, "request");
        let tally = Tally::attach(&span, Arc::clone(&total));
        (span, tally, work)
    };
    let requests = [request(one_statement), request(|| ())];
    let header = |(span, tally, work): (Span, Option<Arc<Tally>>, fn())| {
        span.in_scope(work);
        span.in_scope(|| Some(tally?.report().to_str().unwrap().to_owned()))
    };
    (
        requests.into_iter().filter_map(header).collect(),
        total.count(),
    )
}

fn one_statement() {
    debug!(target: STATEMENTS, summary = "SELECT 1", elapsed_secs = 0.002);
    debug!(target: STATEMENTS, summary = "PRAGMA foreign_keys …", elapsed_secs = 1.0);
    debug!(target: "elsewhere", summary = "SELECT 2", elapsed_secs = 1.0);
}

fn counted() -> (Vec<String>, u64) {
    let headers = ["db;dur=2.00;desc=\"n=1\"", "db;dur=0.00;desc=\"n=0\""];
    (headers.map(str::to_owned).to_vec(), 1)
}

#[test]
fn a_statement_is_counted_and_a_pragma_is_not() {
    assert_eq!(
        with_default(registry().with(layer()), two_requests),
        counted()
    );
}

#[test]
fn a_log_layer_of_info_neither_hinders_nor_hears() {
    let (writer, written) = written();
    let log = log::layer()
        .with_writer(writer)
        .with_filter(LevelFilter::INFO);
    let both = registry().with(log).with(layer());
    assert_eq!(with_default(both, two_requests), counted());
    assert_eq!(written.lock().as_str(), "");
}

#[test]
fn a_log_layer_of_debug_hears_each_statement() {
    let (writer, written) = written();
    let filter = EnvFilter::new("info,sidecache::demo=debug");
    let log = log::layer()
        .with_writer(writer)
        .with_ansi(false)
        .without_time();
    let both = registry().with(layer()).with(log.with_filter(filter));
    assert_eq!(with_default(both, two_requests), counted());
    let expected = [
        "DEBUG request: sidecache::demo: statement summary=\"SELECT 1\" ms=2.0",
        "DEBUG request: sidecache::demo: request statements=1 ms=2.0",
        "DEBUG request: sidecache::demo: request statements=0 ms=0.0",
    ];
    let written = written.lock();
    assert_eq!(
        written.lines().map(str::trim_start).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn no_layer_no_number() {
    assert_eq!(with_default(registry(), two_requests), (Vec::new(), 0));
}

#[tokio::test]
async fn statements_that_another_filter_hides_are_not_heard() {
    let listen = || listen(async { one_statement() });
    let installed = set_default(registry().with(layer()));
    assert!(listen().await.1.heard);
    drop(installed);

    let everywhere = EnvFilter::new("info,sidecache::demo=debug");
    let _installed = set_default(registry().with(layer()).with(everywhere));
    assert!(!listen().await.1.heard);
}

#[derive(Clone, Default)]
struct Writer(Arc<Mutex<String>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written() -> (impl Fn() -> Writer, Arc<Mutex<String>>) {
    let writer = Writer::default();
    let written = Arc::clone(&writer.0);
    (move || writer.clone(), written)
}
