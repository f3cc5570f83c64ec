//! The statements of one request.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use axum::http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use tracing::{Event, debug, field, warn};

use super::shared::{Profiler, TARGET};
use crate::demo::meters::Of;

/// What is not counted.
const FRAME: [&str; 4] = ["PRAGMA", "BEGIN", "COMMIT", "ROLLBACK"];
/// How many statements of a request are logged one by one, and how many of its slow ones.
const LOGGED: usize = 1000;
const SLOW_LOGGED: usize = 10;

/// The statements of one request; an extension of its span.
#[derive(Debug)]
pub(super) struct Tally {
    profiler: Arc<Profiler>,
    of: Of,
    statements: Mutex<Statements>,
}

#[derive(Debug, Default)]
struct Statements {
    count: u64,
    seconds: f64,
    /// The first ones, in their order.
    first: Vec<Statement>,
    slow: Vec<Statement>,
    /// How often each text was run. There are as many texts as the program has.
    times: HashMap<String, u32>,
}

/// What sqlx tells of a statement.
#[derive(Clone, Debug, Default)]
struct Statement {
    /// Its first words; all of it if there are no more.
    summary: String,
    /// All of it, if there are more.
    whole: String,
    seconds: f64,
}

// === impl Tally ===

impl Tally {
    pub(super) fn new(profiler: Arc<Profiler>, of: Of) -> Self {
        Self {
            profiler,
            of,
            statements: Mutex::default(),
        }
    }

    pub(super) fn record(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if FRAME.contains(&statement.verb()) {
            return;
        }
        let meters = &self.profiler.meters;
        meters.statement(statement.verb(), statement.seconds);
        let is_slow = statement.seconds >= self.profiler.settings.slow.as_secs_f64();
        if is_slow {
            meters.slow();
        }
        self.statements.lock().add(statement, is_slow);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.statements.lock().count
    }

    /// What the response says of them: their number and milliseconds.
    pub(super) fn field(&self) -> HeaderValue {
        let statements = self.statements.lock();
        let (count, ms) = (statements.count, statements.seconds * 1e3);
        HeaderValue::from_str(&format!("db;dur={ms:.2};desc=\"n={count}\""))
            .expect("digits and the constant text are visible ASCII")
    }

    /// Logs the statements, the slow ones and those that look like N+1. Not where they are recorded: an event within an event is
    /// lost.
    pub(super) fn log(&self) {
        let settings = &self.profiler.settings;
        let statements = std::mem::take(&mut *self.statements.lock());
        for statement in &statements.first {
            let ms = statement.seconds * 1e3;
            debug!(target: TARGET, summary = statement.summary, ms, "statement");
        }
        for statement in &statements.slow {
            let (text, ms) = (statement.text(), statement.seconds * 1e3);
            warn!(target: TARGET, ms, threshold = ?settings.slow, statement = text, route = self.of.route, "slow query");
        }
        for (text, times) in statements.times {
            if times > settings.repeated {
                self.profiler.meters.repeated(&self.of);
                warn!(target: TARGET, times, statement = text, route = self.of.route, "repeated query, suspected N+1");
            }
        }
        let (count, ms) = (statements.count, statements.seconds * 1e3);
        debug!(target: TARGET, statements = count, ms, "request");
    }

    pub(super) fn meter(&self, status: Option<StatusCode>, took: Duration) {
        let meters = &self.profiler.meters;
        meters.request(&self.of, status, took, self.count());
    }
}

// === impl Statements ===

impl Statements {
    fn add(&mut self, statement: Statement, is_slow: bool) {
        self.count += 1;
        self.seconds += statement.seconds;
        *self.times.entry(statement.text()).or_default() += 1;
        if is_slow && self.slow.len() < SLOW_LOGGED {
            self.slow.push(statement.clone());
        }
        if self.first.len() < LOGGED {
            self.first.push(statement);
        }
    }
}

// === impl Statement ===

impl Statement {
    fn verb(&self) -> &str {
        self.summary.split(' ').next().unwrap_or_default()
    }

    /// The statement on one line.
    fn text(&self) -> String {
        let whole = if self.whole.is_empty() {
            &self.summary
        } else {
            &self.whole
        };
        let words: Vec<&str> = whole.split_whitespace().collect();
        words.join(" ")
    }
}

impl field::Visit for Statement {
    fn record_str(&mut self, field: &field::Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &field::Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &field::Field, _: &dyn fmt::Debug) {}
}
