//! A secret word that callers prove something with.

use http::HeaderValue;
use std::fmt;
use subtle::ConstantTimeEq;

/// A token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// The token that reads `text`.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Whether `given` is this token, in a time that does not tell how much of it was right.
    pub fn is(&self, given: Option<&HeaderValue>) -> bool {
        given.is_some_and(|given| self.reads(given.as_bytes()))
    }

    /// As [`Token::is`], for a part of a field.
    pub fn reads(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The token itself, for whoever has to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_right_and_it_is_not_shown() {
        let token = Token::new("a-secret-of-some-length");
        let is = |given: &'static str| token.is(Some(&HeaderValue::from_static(given)));
        assert!(is("a-secret-of-some-length"));
        for wrong in ["", "a-secret", "a-secret-of-some-lengtH", "b"] {
            assert!(!is(wrong), "{wrong}");
        }
        assert!(!token.is(None));
        assert!(!format!("{token:?}").contains("secret"));
    }
}
