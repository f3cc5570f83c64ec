//! What all of a reading has in common.

use std::cell::RefCell;

use super::{
    document::Document,
    env::Env,
    problem::{Problem, Problems},
    source::{Place, Source},
};

/// What all sections share: the texts, the environment, the problems found so far.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a [Source],
    pub(super) env: Env<'a>,
    /// Whether the file has no setting at all.
    pub(super) file_is_empty: bool,
    problems: RefCell<Problems>,
}

/// A setting, and where it was written: nowhere if it is the default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) at: Option<Place>,
    /// Not after a problem: then `value` is nobody's choice and says nothing about the others.
    pub(super) sound: bool,
}

/// What came of reading a value that may be written empty.
#[derive(Clone, Debug)]
pub(super) enum Read<T> {
    /// It is wrong, and that was reported.
    Wrong,
    /// It is written, and says that there is none.
    Empty,
    Value(T),
}

/// A value that may not be empty: none is one that is wrong.
impl<T> From<Option<T>> for Read<T> {
    fn from(read: Option<T>) -> Self {
        read.map_or(Self::Wrong, Self::Value)
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(
        sources: &'a [Source],
        document: &Document<'_>,
        env: Env<'a>,
        problems: Problems,
    ) -> Self {
        let file_is_empty = document.file_is_empty();
        Self {
            sources,
            env,
            file_is_empty,
            problems: RefCell::new(problems),
        }
    }

    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The variable that is all that is written at `place`: who left it empty has to set it.
    pub(super) fn variable(&self, place: Option<Place>) -> Option<&'a str> {
        let place = place?;
        let written = self.sources[place.source]
            .text
            .get(place.start..place.end)?;
        let inside = written
            .trim_matches(['"', '\''])
            .strip_prefix("${")?
            .strip_suffix('}')?;
        let name = inside.split(':').next()?;
        (!name.contains(['$', '{', '}'])).then_some(name)
    }

    /// Whether all text is TOML: only then is what is not there really missing.
    pub(super) fn all_readable(&self) -> bool {
        self.problems.borrow().all_readable()
    }

    pub(super) fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }
}

// === impl Setting ===

impl<T> Setting<Option<T>> {
    /// The default in the place of nothing.
    pub(super) fn or(self, default: T) -> Setting<T> {
        Setting {
            value: self.value.unwrap_or(default),
            at: self.at,
            sound: self.sound,
        }
    }
}
