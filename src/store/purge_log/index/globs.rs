//! Patterns with an inner star: as text, tried one by one.

use super::super::{
    glob::Steps,
    marks::{After, Mark, Stamp, Verdict},
    pattern::Compared,
};
use crate::store::entry::StreamId;

/// The one that was purged longest ago first.
#[derive(Debug)]
pub(in super::super) struct Globs {
    pub(in super::super) marks: Vec<(Box<str>, Mark)>,
    pub(in super::super) forgotten: Stamp,
    most: usize,
}

impl Globs {
    pub(super) fn new(most: usize) -> Self {
        Self {
            marks: Vec::new(),
            forgotten: Stamp::default(),
            most,
        }
    }

    /// The mark for `text`, which counts as the newest from now on.
    pub(in super::super) fn renew(&mut self, text: &str) -> &mut Mark {
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

    pub(super) fn confirm(&mut self, text: &str, hard: bool, number: u64, id: StreamId) {
        let mark = self.marks.iter_mut().find(|(known, _)| **known == *text);
        // Forgotten while it was on its way, even where it was purged once more since then.
        if !mark.is_some_and(|(_, mark)| mark.confirm(hard, number, id)) {
            self.forgotten.confirm(number, id);
        }
        self.forgotten.arrived(number);
    }

    pub(super) fn settle(&mut self) {
        let marks = self.marks.iter_mut();
        marks
            .flat_map(|(_, mark)| mark.stamps())
            .for_each(Stamp::settle);
        self.forgotten.settle();
    }

    /// Those up to number `dead` concern nothing that is kept.
    pub(super) fn retire(&mut self, dead: u64) {
        let forgotten = &mut self.forgotten;
        self.marks.retain(|(_, mark)| {
            let newest = mark.newest();
            let stays = newest.local > dead || newest.on_its_way > 0;
            if !stays {
                forgotten.include(&newest);
            }
            stays
        });
    }

    /// Whether any of them, also of the forgotten, is newer than the entry.
    pub(super) fn is_newer_than(&self, entry: After) -> bool {
        let is_newer = |(_, mark): &(Box<str>, Mark)| mark.verdict(entry) != Verdict::Good;
        entry.is_before(&self.forgotten) || self.marks.iter().rev().any(is_newer)
    }

    /// Those that are no newer than the entry are not tried. Where `steps` do not suffice for the others, one of them may match.
    pub(super) fn verdict(
        &self,
        compared: &Compared<'_>,
        entry: After,
        steps: &mut Steps,
    ) -> Verdict {
        let mut worst = Verdict::of_forgotten(&self.forgotten, entry);
        for (text, mark) in &self.marks {
            let verdict = mark.verdict(entry);
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

    pub(super) fn bytes(&self) -> usize {
        let of = |(text, mark): &(Box<str>, Mark)| text.len() + size_of_val(&*mark.softs);
        let texts: usize = self.marks.iter().map(of).sum();
        texts + self.marks.capacity() * size_of::<(Box<str>, Mark)>()
    }
}
