//! The texts that settings come from: the file, then one for each `--set`.

/// One text and the name that a problem shows for it.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) name: String,
    /// As it was written; places count its bytes.
    pub(super) text: String,
}

/// A stretch of one source, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which source: 0 is the file, the rest are `--set` arguments in their order.
    pub(super) source: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A line of a source: its number from 1, and where it begins and ends without its line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

// === impl Place ===

impl Place {
    pub(super) fn new(source: usize, span: std::ops::Range<usize>) -> Self {
        Self {
            source,
            start: span.start,
            end: span.end,
        }
    }

    /// Whether a `--set` argument holds it.
    pub(super) fn is_overlay(self) -> bool {
        self.source != 0
    }
}

// === impl Source ===

impl Source {
    /// Bounds of the line that holds byte `at`; past the last line break, the last line.
    pub(super) fn line_bounds(&self, at: usize) -> (usize, usize) {
        let mut at = self.text.floor_char_boundary(at);
        if at == self.text.len() && self.text.ends_with('\n') {
            at -= 1; // what is missing at the end is missing after the last line, not below it
        }
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |newline| at + newline);
        let end = if self.text[start..end].ends_with('\r') {
            end - 1
        } else {
            end
        };
        // A byte order mark is no column.
        let start = if self.text[start..end].starts_with('\u{feff}') {
            start + 3
        } else {
            start
        };
        (start, end)
    }

    /// The line that holds byte `at`.
    pub(super) fn line(&self, at: usize) -> Line {
        let (start, end) = self.line_bounds(at);
        let before = &self.text.as_bytes()[..start];
        let number = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Line { number, start, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_at_its_edges() {
        let cases = [
            ("one line", "abc", 1, (1, 0, 3)),
            ("its end", "abc", 3, (1, 0, 3)),
            ("the empty text", "", 0, (1, 0, 0)),
            ("past the end", "abc", 99, (1, 0, 3)),
            ("second line", "a\nbc\n", 2, (2, 2, 4)),
            ("at a line break", "a\nbc\n", 1, (1, 0, 1)),
            ("after the last line break", "a\nbc\n", 5, (2, 2, 4)),
            ("carriage return", "a\r\nbc\r\n", 4, (2, 3, 5)),
            ("after a carriage return", "a\r\n", 3, (1, 0, 1)),
            ("byte order mark", "\u{feff}ab", 3, (1, 3, 5)),
            ("inside a character", "é\n", 1, (1, 0, 2)),
        ];
        for (rule, text, at, (number, start, end)) in cases {
            let source = Source {
                name: "x".to_owned(),
                text: text.to_owned(),
            };
            assert_eq!(source.line(at), Line { number, start, end }, "{rule}");
        }
    }
}
