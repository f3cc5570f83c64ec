//! The last purge by target, tag and pattern: what a read asks.
//!
//! Each kind of selector has its own marks, and each kind is bounded. What does not fit is forgotten, the oldest first, and the
//! kind remembers how new that was: an entry that is older *may* have been purged, so that it is confirmed before it is served;
//! one that is newer was not. So no purge is lost, and none is of more than it names.

use super::{
    glob::Steps,
    marks::{Mark, Marks, Stamp, Verdict, verdict_of_forgotten},
    pattern::{Beginning, Compared, Kind},
    selector::{Purge, Selector, target_of},
};
use crate::store::entry::{Entry, StreamId};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// Marks in one of the two generations of each kind: seven eighths of 2^15, at which a table of that size is full.
const GENERATION: usize = 28_672;

/// Each read after a purge tries every pattern with an inner star, so there are few. Only operators can write such.
const MAX_PATTERNS: usize = 250;

/// Where a record of a process with a shared log came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// It was made here and has no place in the shared log yet.
    Here,
    /// It was read from the shared log, so long after it was made.
    Elsewhere(StreamId, Duration),
}

/// See the module docs.
#[derive(Debug)]
pub(crate) struct Index {
    targets: Marks,
    tags: Marks,
    exact: Marks,
    beginnings: Beginnings,
    globs: Globs,
    all: Mark,
    /// See [`Selector::Unnamed`].
    unnamed: Mark,
    begins_at: StreamId,
    reached: StreamId,
}

impl Default for Index {
    fn default() -> Self {
        Self::of(GENERATION, MAX_PATTERNS)
    }
}

impl Index {
    fn of(generation: usize, patterns: usize) -> Self {
        let marks = || Marks::new(generation);
        Self {
            targets: marks(),
            tags: marks(),
            exact: marks(),
            beginnings: Beginnings {
                marks: marks(),
                recent: BTreeSet::new(),
                older: BTreeSet::new(),
            },
            globs: Globs {
                marks: Vec::new(),
                forgotten: Stamp::default(),
                most: patterns,
            },
            all: Mark::default(),
            unnamed: Mark::default(),
            begins_at: StreamId::default(),
            reached: StreamId::default(),
        }
    }

    /// Remembers `purge` as number `number`; `origin` where there is a shared log.
    pub(super) fn record(&mut self, purge: &Purge, number: u64, origin: Option<Origin>) {
        let now = Instant::now();
        let mut stamp = Stamp {
            local: number,
            ..Stamp::default()
        };
        let mut learned = now;
        match origin {
            Some(Origin::Here) => stamp.on_its_way = number,
            Some(Origin::Elsewhere(id, age)) => {
                stamp.shared = id;
                learned = now.checked_sub(age).unwrap_or(now);
            }
            None => {}
        }
        let mark = match &purge.selector {
            Selector::Target(target) => self.targets.renew(*target),
            Selector::Tag(tag) => self.tags.renew(*tag),
            Selector::Path(pattern) => match pattern.kind() {
                Kind::Exactly(path) => self.exact.renew(*path),
                Kind::Beginning(beginning) => self.beginnings.renew(*beginning),
                Kind::Glob(text) => self.globs.renew(text),
            },
            Selector::All => &mut self.all,
            Selector::Unnamed => &mut self.unnamed,
        };
        mark.record(purge.hard, &stamp, learned);
    }

    /// Our record `number` has its place.
    pub(super) fn confirm(&mut self, purge: &Purge, number: u64, id: StreamId) {
        let hard = purge.hard;
        match &purge.selector {
            Selector::Target(target) => self.targets.confirm(*target, hard, number, id),
            Selector::Tag(tag) => self.tags.confirm(*tag, hard, number, id),
            Selector::Path(pattern) => match pattern.kind() {
                Kind::Exactly(path) => self.exact.confirm(*path, hard, number, id),
                Kind::Beginning(one) => {
                    self.beginnings.marks.confirm(one.digest, hard, number, id);
                }
                Kind::Glob(text) => self.globs.confirm(text, hard, number, id),
            },
            Selector::All => self.all.of(hard).confirm(number, id),
            Selector::Unnamed => self.unnamed.of(hard).confirm(number, id),
        }
        self.reach(id);
    }

    /// The records on their way up to `number` were replaced by one that names none of them: here they are known, and of what
    /// Redis holds anything may be concerned.
    pub(super) fn replace_those_on_their_way(&mut self, number: u64) {
        let kinds = [
            &mut self.targets,
            &mut self.tags,
            &mut self.exact,
            &mut self.beginnings.marks,
        ];
        kinds.into_iter().for_each(Marks::settle);
        self.globs.settle();
        self.all.settle();
        self.unnamed.of(true).on_its_way = number;
    }

    /// Purges up to `id` happened before whatever begins now, whether they were read yet or not.
    pub(super) fn reach(&mut self, id: StreamId) {
        self.reached = self.reached.max(id);
    }

    pub(super) fn begins_at(&mut self, id: StreamId) {
        self.begins_at = self.begins_at.max(id);
        self.reach(id);
    }

    pub(super) fn reached(&self) -> StreamId {
        self.reached
    }

    /// For an entry of this process, which no purge up to `checked` concerns.
    pub(super) fn judge_local(&self, entry: &Entry, checked: u64) -> Verdict {
        self.judge(entry, &|stamp| stamp.is_newer_than_local(checked))
    }

    /// For an entry that some replica wrote, by its own position.
    pub(super) fn judge_shared(&self, entry: &Entry) -> Verdict {
        let position = entry.shared_position;
        let verdict = self.judge(entry, &|stamp| stamp.is_newer_than_shared(position));
        if position < self.begins_at {
            return verdict.or(Verdict::Perhaps);
        }
        verdict
    }

    fn judge(&self, entry: &Entry, is_newer: &impl Fn(&Stamp) -> bool) -> Verdict {
        let mut verdict = self.all.verdict(is_newer);
        verdict = verdict.or(verdict_of_forgotten(&self.unnamed.newest(), is_newer));
        if !self.targets.is_empty() {
            let target = target_of(&entry.key);
            verdict = verdict.or(self.targets.verdict(target, is_newer));
        }
        let tags = &entry.head.tags;
        if !tags.is_empty() {
            let digests = tags.iter().map(|tag| xxh3_128(tag.as_bytes()));
            verdict = verdict.or(self.tags.verdict(digests, is_newer));
        }
        if verdict == Verdict::Gone || !self.has_paths() {
            return verdict;
        }
        verdict.or(self.judge_path(entry, is_newer))
    }

    fn has_paths(&self) -> bool {
        !(self.exact.is_empty() && self.beginnings.marks.is_empty() && self.globs.marks.is_empty())
    }

    fn judge_path(&self, entry: &Entry, is_newer: &impl Fn(&Stamp) -> bool) -> Verdict {
        let Some(compared) = Compared::of(&entry.key) else {
            return Verdict::Good;
        };
        let verdict = self.exact.verdict(compared.digests(), is_newer);
        let verdict = verdict.or(self.beginnings.verdict(&compared, is_newer));
        let mut steps = Steps::most();
        verdict.or(self.globs.verdict(&compared, is_newer, &mut steps))
    }
}

/// Patterns that are a beginning of a path, which most are, are looked up by each length that there is. Every length is one of
/// its own up to [`MAX_BEGINNING`](super::pattern::MAX_BEGINNING): to round them would let one client's ids widen what those of
/// others purge.
#[derive(Debug)]
struct Beginnings {
    marks: Marks,
    /// The lengths in each generation of the marks.
    recent: BTreeSet<u16>,
    older: BTreeSet<u16>,
}

impl Beginnings {
    fn renew(&mut self, beginning: Beginning) -> &mut Mark {
        if self.marks.make_room(beginning.digest) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(beginning.length);
        self.marks.renew(beginning.digest)
    }

    fn lengths(&self) -> impl Iterator<Item = u16> {
        self.recent.union(&self.older).copied()
    }

    fn verdict(&self, compared: &Compared<'_>, is_newer: &impl Fn(&Stamp) -> bool) -> Verdict {
        // In order: after the first that is longer than the text all are.
        let digests = self
            .lengths()
            .map_while(|length| compared.digest_of(length));
        self.marks.verdict(digests, is_newer)
    }
}

/// Patterns with an inner star, the one that was purged longest ago first.
#[derive(Debug)]
struct Globs {
    marks: Vec<(Box<str>, Mark)>,
    forgotten: Stamp,
    most: usize,
}

impl Globs {
    fn renew(&mut self, text: &str) -> &mut Mark {
        let known = self.marks.iter().position(|(known, _)| **known == *text);
        let renewed = match known {
            Some(at) => self.marks.remove(at),
            None => (text.into(), Mark::default()),
        };
        if self.marks.len() >= self.most {
            let (_, mark) = self.marks.remove(0);
            self.forgotten.include(&mark.newest());
        }
        self.marks.push(renewed);
        let last = self.marks.len() - 1;
        &mut self.marks[last].1
    }

    fn confirm(&mut self, text: &str, hard: bool, number: u64, id: StreamId) {
        let mark = self.marks.iter_mut().find(|(known, _)| **known == *text);
        match mark.map(|(_, mark)| mark.of(hard)) {
            Some(stamp) if stamp.on_its_way >= number => stamp.confirm(number, id),
            _ => self.forgotten.confirm(number, id), // as of the other marks
        }
        self.forgotten.arrived(number);
    }

    fn settle(&mut self) {
        self.marks.iter_mut().for_each(|(_, mark)| mark.settle());
        self.forgotten.on_its_way = 0;
    }

    /// Those that are no newer than the entry are not tried. Where `steps` do not suffice for the others, one of them may match.
    fn verdict(
        &self,
        compared: &Compared<'_>,
        is_newer: &impl Fn(&Stamp) -> bool,
        steps: &mut Steps,
    ) -> Verdict {
        let mut worst = verdict_of_forgotten(&self.forgotten, is_newer);
        for (text, mark) in &self.marks {
            let verdict = mark.verdict(is_newer);
            if verdict == Verdict::Good {
                continue;
            }
            match compared.matches(text, steps) {
                Some(true) => worst = worst.or(verdict),
                Some(false) => {}
                None => return worst.or(Verdict::Perhaps),
            }
        }
        worst
    }
}

#[cfg(test)]
mod tests;
