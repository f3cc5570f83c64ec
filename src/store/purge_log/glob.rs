//! Stars in a text, in a bounded number of steps.

/// What one read may spend on all patterns with inner stars. Enough for hundreds of them and a path of ordinary length; a path
/// made to take more counts as one that may have been purged.
pub(super) const MAX_STEPS: usize = 65_536;

/// What is left to spend.
#[derive(Debug)]
pub(super) struct Steps(usize);

impl Steps {
    pub(super) fn most() -> Self {
        Self(MAX_STEPS)
    }

    fn take(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any bytes, also none, and `\` takes the next one literally; `None`
/// where `steps` are used up before that is known.
///
/// After a mismatch only the last star is tried further, so there are at most as many steps as the product of both lengths.
pub(super) fn matches(pattern: &[u8], text: &[u8], steps: &mut Steps) -> Option<bool> {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        steps.take()?;
        match (pattern.get(p), pattern.get(p + 1)) {
            (Some(b'*'), _) => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            (Some(b'\\'), Some(literal)) if *literal == text[t] => (p, t) = (p + 2, t + 1),
            (Some(byte), _) if *byte != b'\\' && *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((star_p, star_t)) => {
                    star = Some((star_p, star_t + 1));
                    (p, t) = (star_p + 1, star_t + 1);
                }
                None => return Some(false),
            },
        }
    }
    Some(pattern[p..].iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the meaning of the words, in exponential time.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            ([b'\\', literal, rest @ ..], [byte, text @ ..]) => {
                literal == byte && naive(rest, text)
            }
            ([b'\\', ..], _) => false,
            ([literal, rest @ ..], [byte, text @ ..]) => literal == byte && naive(rest, text),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_star_means_what_it_says(pattern in "[ab*\\\\]{0,8}", text in "[ab*\\\\]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text, &mut Steps::most()), Some(naive(pattern, text)));
        }
    }

    #[test]
    fn an_ordinary_path_takes_few_steps() {
        let (pattern, text) = (
            b"/api/*/comments*",
            b"/api/articles/17/comments/4711/replies",
        );
        let mut steps = Steps::most();
        assert_eq!(matches(pattern, text, &mut steps), Some(true));
        assert!(MAX_STEPS - steps.left() < 2 * text.len(), "{steps:?}");
    }

    #[test]
    fn a_path_made_to_take_long_is_given_up_after_a_fixed_number_of_steps() {
        let pattern = format!("*{}b", "a".repeat(500));
        let text = "a".repeat(30_000);
        let mut steps = Steps::most();
        assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), &mut steps),
            None
        );
        assert_eq!(steps.left(), 0);
        assert_eq!(
            matches(b"*", b"a", &mut steps),
            None,
            "nothing is left for others"
        );
    }
}
