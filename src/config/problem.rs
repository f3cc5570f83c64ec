//! Everything that is wrong with a configuration, collected to be shown at once.

use std::{collections::BTreeMap, sync::Arc};

use super::source::{Place, Source};

/// More than this helps nobody; the rest is counted.
pub(super) const SHOWN: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing starts with it.
    Error,
    /// It starts, and will probably not do what was meant.
    Warning,
    /// It does what it says, which is more than it seems to.
    Note,
}

/// What is wrong with a configuration, in the order of its text.
#[derive(Clone)]
pub struct Problems {
    pub(super) sources: Arc<[Source]>,
    pub(super) list: Vec<Problem>,
    /// Lines that are not TOML, as (source, first byte) -> last byte.
    broken: BTreeMap<(usize, usize), usize>,
}

/// One mistake, the place to look at and the remedy.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    /// The setting that it is about, as `cache.memory.max`.
    pub(super) key: Option<String>,
    pub(super) message: String,
    pub(super) at: Where,
    pub(super) note: Option<(String, Place)>,
    pub(super) help: Option<String>,
    /// The value beside the key at `at` is hidden.
    pub(super) secret: bool,
}

/// What a problem points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    At(Place),
    /// The file as a whole: something that it does not say.
    File,
    Environment,
}

// === impl Problem ===

impl Problem {
    pub(super) fn new(message: impl Into<String>, at: impl Into<Where>) -> Self {
        Self {
            severity: Severity::Error,
            key: None,
            message: message.into(),
            at: at.into(),
            note: None,
            help: None,
            secret: false,
        }
    }

    /// Something that starts all the same.
    pub(super) fn warning(message: impl Into<String>, at: impl Into<Where>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::new(message, at)
        }
    }

    /// Something that is good to know.
    pub(super) fn remark(message: impl Into<String>, at: impl Into<Where>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::new(message, at)
        }
    }

    pub(super) fn key(self, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// A second place that explains the first.
    pub(super) fn note(self, text: impl Into<String>, at: Place) -> Self {
        Self {
            note: Some((text.into(), at)),
            ..self
        }
    }

    pub(super) fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }
}

impl From<Place> for Where {
    fn from(place: Place) -> Self {
        Self::At(place)
    }
}

/// A setting that was not written is a matter of the whole file.
impl From<Option<Place>> for Where {
    fn from(place: Option<Place>) -> Self {
        place.map_or(Self::File, Self::At)
    }
}

// === impl Problems ===

impl Problems {
    pub(super) fn new(sources: Arc<[Source]>) -> Self {
        Self {
            sources,
            list: Vec::new(),
            broken: BTreeMap::new(),
        }
    }

    /// Adds text that is not TOML; one for a line, since the next ones follow from the first.
    pub(super) fn push_syntax(&mut self, problem: Problem) {
        if let Where::At(place) = problem.at {
            if self.is_broken(place) {
                return;
            }
            let (start, end) = self.sources[place.source].line_bounds(place.start);
            self.broken.insert((place.source, start), end);
        }
        self.list.push(problem);
    }

    /// Adds a mistake in what the text means, unless the text there is not TOML anyway.
    pub(super) fn push(&mut self, problem: Problem) {
        if !matches!(problem.at, Where::At(place) if self.is_broken(place)) {
            self.list.push(problem);
        }
    }

    fn is_broken(&self, place: Place) -> bool {
        let line = self
            .broken
            .range(..=(place.source, place.start))
            .next_back();
        line.is_some_and(|(&(source, _), &end)| source == place.source && place.start <= end)
    }

    /// Whether all of it is TOML: only then does something that is not there say anything.
    pub(super) fn all_readable(&self) -> bool {
        self.broken.is_empty()
    }

    /// Puts them in the order of the text; `--set` arguments after the file.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|problem| match problem.at {
            Where::At(place) => (place.source, place.start),
            Where::File => (0, usize::MAX),
            Where::Environment => (usize::MAX, 0),
        });
    }

    /// How many there are of one kind.
    pub fn count(&self, severity: Severity) -> usize {
        let of_it = |problem: &&Problem| problem.severity == severity;
        self.list.iter().filter(of_it).count()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
