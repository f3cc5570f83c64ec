//! All that is measured; the page, the plots and the checks are made of this alone.

use crate::sample::Times;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) run: Run,
    pub(crate) codings: Vec<Coding>,
    pub(crate) databases: Vec<OfDatabase>,
}

/// Where, when and how.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) command: String,
    /// Names and values: processor, memory, versions.
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) messages: u32,
    pub(crate) load: LoadPlan,
}

/// What the load is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LoadPlan {
    pub(crate) seconds: u64,
    /// Requests a second, whatever the answers take.
    pub(crate) rate: u32,
    pub(crate) connections: usize,
    /// Of this many conversations, the most popular first.
    pub(crate) population: usize,
}

/// All of one database.
#[derive(Debug, Serialize)]
pub(crate) struct OfDatabase {
    pub(crate) name: &'static str,
    pub(crate) filled_in_seconds: f64,
    pub(crate) reads: Vec<Read>,
    pub(crate) forms: Vec<Form>,
    pub(crate) repeated: Repeated,
    pub(crate) depths: Vec<Depth>,
    pub(crate) writes: Vec<Write>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) load: Load,
}

/// One way in which the same answer is given.
#[derive(Debug, Serialize)]
pub(crate) struct Read {
    pub(crate) source: Source,
    pub(crate) time: Times,
    pub(crate) statements: u64,
    /// Head and body.
    pub(crate) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Backend,
    Miss,
    Redis,
    Memory,
    NotModified,
}

/// A list of 100 in one of its forms.
#[derive(Debug, Serialize)]
pub(crate) struct Form {
    pub(crate) list: &'static str,
    pub(crate) form: &'static str,
    pub(crate) statements: u64,
    /// Milliseconds in the database, the median.
    pub(crate) database_ms: f64,
    pub(crate) time: Times,
}

/// The same answer ten times in a row.
#[derive(Debug, Serialize)]
pub(crate) struct Repeated {
    pub(crate) backend: Ten,
    pub(crate) stack: Ten,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ten {
    pub(crate) time: Times,
    pub(crate) statements: u64,
}

/// A page of 100 behind this many messages.
#[derive(Debug, Serialize)]
pub(crate) struct Depth {
    pub(crate) behind: u32,
    pub(crate) offset: Times,
    pub(crate) cursor: Times,
}

/// Many messages, written in one of three ways.
#[derive(Debug, Serialize)]
pub(crate) struct Write {
    pub(crate) way: Way,
    pub(crate) messages: usize,
    pub(crate) statements: u64,
    /// For all of the messages.
    pub(crate) time: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    Bulk,
    OneByOne,
    RequestEach,
}

#[derive(Debug, Serialize)]
pub(crate) struct Index {
    pub(crate) name: &'static str,
    pub(crate) serves: &'static str,
    pub(crate) bytes: u64,
    /// None where it was not made anew.
    pub(crate) made_in_ms: Option<f64>,
    pub(crate) is_used: bool,
    pub(crate) without: Times,
    pub(crate) with: Times,
}

/// The same requests to the backend alone and to the whole stack.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    pub(crate) backend: Side,
    pub(crate) stack: Side,
}

#[derive(Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) requests: usize,
    /// Those of them that came to be sent in time.
    pub(crate) sent: usize,
    pub(crate) reads: usize,
    /// Reads that the cache has answered.
    pub(crate) hits: usize,
    /// Of the last quarter, when the cache is no longer empty.
    pub(crate) last_hit_rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    /// Milliseconds below which each hundredth of the answers lies, 0 to 100, the last ones finer.
    pub(crate) curve: Vec<(f64, f64)>,
    pub(crate) statements_per_request: f64,
    /// The same requests as fast as the connections bring them.
    pub(crate) most_per_second: f64,
    pub(crate) processes: Vec<Process>,
}

/// What a process, with its children, took for a load.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) cpu_ms_per_request: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
    /// What is its own and its part of what it shares.
    pub(crate) memory_mib: f64,
}

/// The list of 100 in one coding.
#[derive(Debug, Serialize)]
pub(crate) struct Coding {
    pub(crate) coding: &'static str,
    pub(crate) bytes: usize,
    /// The first answer in this coding, out of what is stored.
    pub(crate) first: Times,
    pub(crate) later: Times,
}

// === impl OfDatabase ===

impl OfDatabase {
    pub(crate) fn read(&self, source: Source) -> Option<&Read> {
        self.reads.iter().find(|read| read.source == source)
    }

    pub(crate) fn form(&self, list: &str, form: &str) -> Option<&Form> {
        self.forms.iter().find(|f| (f.list, f.form) == (list, form))
    }

    pub(crate) fn write(&self, way: Way) -> Option<&Write> {
        self.writes.iter().find(|write| write.way == way)
    }
}

// === impl Side ===

impl Side {
    pub(crate) fn hit_rate(&self) -> f64 {
        self.hits as f64 / self.reads as f64
    }

    pub(crate) fn memory_mib(&self, name: &str) -> f64 {
        let processes = self.processes.iter().filter(|process| process.name == name);
        processes.map(|process| process.memory_mib).sum()
    }

    pub(crate) fn cpu_ms_per_request(&self) -> f64 {
        self.processes
            .iter()
            .map(|process| process.cpu_ms_per_request)
            .sum()
    }
}

// === impl Source ===

impl Source {
    pub(crate) const ALL: [Self; 5] = [
        Self::Backend,
        Self::Miss,
        Self::Redis,
        Self::Memory,
        Self::NotModified,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend alone",
            Self::Miss => "miss",
            Self::Redis => "Redis hit",
            Self::Memory => "memory hit",
            Self::NotModified => "304",
        }
    }
}

// === impl Way ===

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bulk => "one request, bulk",
            Self::OneByOne => "one request, one by one",
            Self::RequestEach => "a request each",
        }
    }
}
