//! The beginning of what clients sent, for whoever reads the log.

use std::borrow::Cow;

/// The first `most` bytes of `text`, or a few less where a character would be cut, as `show` shows them. What was left out
/// is said behind them: `…[+28952 bytes]`.
pub fn excerpt<'t>(
    text: &'t str,
    most: usize,
    show: impl FnOnce(&'t str) -> Cow<'t, str>,
) -> Cow<'t, str> {
    if text.len() <= most {
        return show(text);
    }
    let kept = &text[..text.floor_char_boundary(most)];
    format!("{}…[+{} bytes]", show(kept), text.len() - kept.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_whole_and_what_does_not_says_how_much_is_missing() {
        let excerpt = |text| excerpt(text, 4, Cow::Borrowed).into_owned();
        assert_eq!(excerpt("abcd"), "abcd");
        assert_eq!(excerpt("abcde"), "abcd…[+1 bytes]");
        assert_eq!(
            excerpt("abc\u{e9}\u{e9}"),
            "abc…[+4 bytes]",
            "no half characters"
        );
    }
}
