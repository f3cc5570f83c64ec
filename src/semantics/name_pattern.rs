//! Names as an operator lists them: one, or all that begin or end in the same way.

use std::fmt;

/// A name, with at most one `*` for any characters, none included.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NamePattern {
    before: Box<str>,
    /// What follows the star, where there is one.
    after: Option<Box<str>>,
}

/// A second `*`: what it would match nobody can tell at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoStars;

impl NamePattern {
    /// Reads `x-user-*`, `*-token` or `authorization`.
    ///
    /// # Errors
    /// [`TwoStars`] where there is more than one `*`.
    pub fn parse(text: &str) -> Result<Self, TwoStars> {
        let (before, after) = match text.split_once('*') {
            None => (text, None),
            Some((_, after)) if after.contains('*') => return Err(TwoStars),
            Some((before, after)) => (before, Some(after.into())),
        };
        Ok(Self {
            before: before.into(),
            after,
        })
    }

    /// Whether it names everything.
    pub fn is_any(&self) -> bool {
        self.before.is_empty() && self.after.as_deref() == Some("")
    }

    /// This one name, whatever it holds.
    pub(super) fn exactly(name: &str) -> Self {
        Self {
            before: name.into(),
            after: None,
        }
    }

    /// What all its names begin with.
    pub(super) fn beginning(&self) -> &str {
        &self.before
    }

    /// What they end with; `None` where it is one name.
    pub(super) fn end(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Whether it names `name`; case counts.
    pub fn matches(&self, name: &str) -> bool {
        let first = self.before.as_bytes().first();
        if first.is_some() && first != name.as_bytes().first() {
            return false; // nearly always: without this every comparison is a call
        }
        match &self.after {
            None => *name == *self.before,
            Some(after) => {
                name.len() >= self.before.len() + after.len()
                    && name.starts_with(&*self.before)
                    && name.ends_with(&**after)
            }
        }
    }

    /// The first and the last byte that a name must have; `None` where any will do.
    pub(super) fn ends(&self) -> (Option<u8>, Option<u8>) {
        let last = self.after.as_deref().unwrap_or(&self.before);
        (self.before.bytes().next(), last.bytes().next_back())
    }
}

impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            None => f.write_str(&self.before),
            Some(after) => write!(f, "{}*{after}", self.before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        NamePattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_any_characters_and_for_none() {
        assert!(matches("x-user-*", "x-user-id") && matches("x-user-*", "x-user-"));
        assert!(matches("*-token", "x-auth-token") && matches("a*c", "abc"));
        assert!(matches("*", "") && matches("*", "anything"));
        assert!(!matches("x-user-*", "x-user") && !matches("ab*ba", "aba"));
    }

    #[test]
    fn without_a_star_the_whole_name_counts() {
        assert!(matches("cookie", "cookie"));
        assert!(!matches("cookie", "cookies") && !matches("cookie", "Cookie"));
    }

    #[test]
    fn two_stars_are_refused() {
        assert_eq!(NamePattern::parse("a*b*"), Err(TwoStars));
    }

    #[test]
    fn its_ends_are_those_of_every_name_that_it_matches() {
        let ends = |pattern| NamePattern::parse(pattern).unwrap().ends();
        assert_eq!(ends("x-*"), (Some(b'x'), None));
        assert_eq!(ends("*-token"), (None, Some(b'n')));
        assert_eq!(ends("dpop"), (Some(b'd'), Some(b'p')));
    }
}
