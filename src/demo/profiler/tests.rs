//! What the layer counts, alone and beside log layers.

use std::io;

use parking_lot::Mutex;
use tracing::{
    debug,
    subscriber::{set_default, with_default},
};
use tracing_subscriber::{filter::EnvFilter, fmt as log, prelude::*, registry};

use super::*;

/// What the headers say of two requests at a time, one with a statement and one without; the total.
fn two_requests() -> (Vec<String>, u64) {
    let profiler = Arc::new(Profiler::default());
    let request = |work: fn()| {
        let span = debug_span!(target: TARGET, "request");
        let tally = Arc::new(Tally::new(Arc::clone(&profiler), Of::nobody()));
        let heard = attach(&span, &tally);
        (span, heard.then_some(tally), work)
    };
    let requests = [request(one_statement), request(|| ())];
    let header = |(span, tally, work): (Span, Option<Arc<Tally>>, fn())| {
        span.in_scope(work);
        let tally = tally?;
        let field = tally.field();
        span.in_scope(|| tally.log());
        Some(field.to_str().unwrap().to_owned())
    };
    let headers = requests.into_iter().filter_map(header);
    (headers.collect(), profiler.meters.statements())
}

fn one_statement() {
    debug!(target: STATEMENTS, summary = "SELECT 1", elapsed_secs = 0.002);
    debug!(target: STATEMENTS, summary = "PRAGMA foreign_keys …", elapsed_secs = 1.0);
    debug!(target: STATEMENTS, summary = "COMMIT", elapsed_secs = 1.0);
    debug!(target: "elsewhere", summary = "SELECT 2", elapsed_secs = 1.0);
}

fn counted() -> (Vec<String>, u64) {
    let headers = ["db;dur=2.00;desc=\"n=1\"", "db;dur=0.00;desc=\"n=0\""];
    (headers.map(str::to_owned).to_vec(), 1)
}

#[test]
fn a_statement_is_counted_and_what_frames_it_is_not() {
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
    let listen = || listen(ProfileSettings::default(), async { one_statement() });
    let installed = set_default(registry().with(layer()));
    assert!(listen().await.1.heard);
    drop(installed);

    let everywhere = EnvFilter::new("info,sidecache::demo=debug");
    let _installed = set_default(registry().with(layer()).with(everywhere));
    assert!(!listen().await.1.heard);
}

/// What is logged of one request that runs these statements, each with its seconds; and its metrics.
fn warned(settings: ProfileSettings, statements: &[(&str, f64)]) -> (String, String) {
    let (writer, written) = written();
    let log = log::layer()
        .with_writer(writer)
        .with_ansi(false)
        .without_time();
    let log = log.with_filter(LevelFilter::INFO);
    let profiler = Arc::new(Profiler::new(settings, true));
    with_default(registry().with(layer()).with(log), || {
        let span = debug_span!(target: TARGET, "request");
        let of = Of::new(&axum::http::Method::GET, Some("/api/x"));
        let tally = Arc::new(Tally::new(Arc::clone(&profiler), of));
        assert!(attach(&span, &tally));
        for (text, elapsed_secs) in statements {
            let whole = format!("\n\n{text}\n");
            span.in_scope(|| {
                debug!(target: STATEMENTS, summary = "SELECT a …", db.statement = whole, elapsed_secs);
            });
        }
        tally.log();
    });
    let log = written.lock().clone();
    (log, profiler.meters.text(&[]))
}

#[test]
fn a_slow_statement_is_logged_with_its_text_and_counted() {
    let settings = ProfileSettings {
        slow: std::time::Duration::from_millis(20),
        ..ProfileSettings::default()
    };
    let statements = [("SELECT a\n  FROM b", 0.02), ("SELECT a FROM c", 0.019)];
    let (log, metrics) = warned(settings, &statements);
    let lines: Vec<_> = log.lines().collect();
    let says = "slow query ms=20.0 threshold=20ms statement=\"SELECT a FROM b\" route=\"/api/x\"";
    assert!(lines.len() == 1 && lines[0].contains(says), "{log}");
    assert!(metrics.contains("db_slow_queries_total 1\n"), "{metrics}");
}

#[test]
fn a_statement_that_is_repeated_is_suspected_once() {
    let settings = ProfileSettings {
        repeated: 3,
        ..ProfileSettings::default()
    };
    let three = [("SELECT a FROM b", 0.0); 3];
    let (log, metrics) = warned(settings, &three);
    assert!(log.is_empty() && !metrics.contains("db_repeated_queries_total{"));

    let four = [("SELECT a FROM b", 0.0); 4];
    let (log, metrics) = warned(settings, &[&three[..], &four].concat());
    let says = "repeated query, suspected N+1 times=7 statement=\"SELECT a FROM b\"";
    assert!(log.lines().count() == 1 && log.contains(says), "{log}");
    let counted = "db_repeated_queries_total{route=\"/api/x\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
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
