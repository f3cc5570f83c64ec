//! What the streams came to: a run that meets only refusals shows nothing.

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) streams: usize,
    /// Final answers that a client got.
    pub(super) answers: usize,
    pub(super) successes: usize,
    pub(super) refusals: usize,
    pub(super) failures: usize,
    pub(super) hits: usize,
    /// Requests that the upstream got.
    pub(super) forwarded: usize,
    pub(super) left: usize,
}

impl Met {
    pub(super) fn add(&mut self, other: &Self) {
        self.streams += other.streams;
        self.answers += other.answers;
        self.successes += other.successes;
        self.refusals += other.refusals;
        self.failures += other.failures;
        self.hits += other.hits;
        self.forwarded += other.forwarded;
        self.left += other.left;
    }

    pub(super) fn status(&mut self, status: u16) {
        self.answers += 1;
        *match status {
            400..500 => &mut self.refusals,
            500.. => &mut self.failures,
            _ => &mut self.successes,
        } += 1;
    }

    pub(super) fn enough(&self) {
        assert!(self.successes * 5 > self.answers, "{self:?}");
        assert!(
            self.refusals + self.failures > self.answers / 50,
            "{self:?}"
        );
        assert!(self.hits * 100 > self.answers, "{self:?}");
        assert!(self.forwarded * 10 > self.answers, "{self:?}");
    }
}
