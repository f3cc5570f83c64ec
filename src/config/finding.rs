//! Problems as values: for `check --json` and for the log.

use serde::Serialize;

use super::{
    problem::{Problem, Problems, Severity, Where},
    render::ENVIRONMENT,
    secret,
};

/// One problem, its place and its remedy, without a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file, `--set`, or "the environment".
    pub file: String,
    /// Its line, from 1; `None` where it is about the whole.
    pub line: Option<usize>,
    /// Its first character in that line, from 1.
    pub column: Option<usize>,
    /// What to do.
    pub help: Option<String>,
    /// The setting, as `cache.memory.max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

// === impl Finding ===

impl Finding {
    /// An error about a whole file.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: file.into(),
            line: None,
            column: None,
            help: None,
            key: None,
        }
    }
}

// === impl Problems ===

impl Problems {
    /// Each as a value, in the order of the text.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.list.iter().map(|problem| self.finding(problem))
    }

    fn finding(&self, problem: &Problem) -> Finding {
        let (source, line, column) = match problem.at {
            Where::At(place) => {
                let source = &self.sources[place.source];
                let line = source.line(place.start);
                let at = source.text.floor_char_boundary(place.start);
                let before = &source.text[line.start..at.clamp(line.start, line.end)];
                let column = 1 + before.chars().count();
                (source.name.as_str(), Some(line.number), Some(column))
            }
            Where::File => (self.sources[0].name.as_str(), None, None),
            Where::Environment => (ENVIRONMENT, None, None),
        };
        let masked = |text: &str| secret::masked(text).into_owned();
        Finding {
            severity: problem.severity,
            message: masked(&problem.message),
            file: source.to_owned(),
            line,
            column,
            help: problem.help.as_deref().map(masked),
            key: problem.key.as_deref().map(masked),
        }
    }
}
