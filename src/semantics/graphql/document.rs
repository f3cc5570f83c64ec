//! The executable document of a GraphQL request ([GraphQL §2]), as far as its top level goes.
//!
//! Brackets are counted in a list, so that no nesting is too deep. What is not certain is none: what servers may end somewhere else (a
//! comment, a string), and what no grammar has where it stands.
//!
//! [GraphQL §2]: https://spec.graphql.org/September2025/#sec-Language

/// Whether `document` has operations, and each of them is a query, for each server that can read it.
pub(super) fn has_only_queries(document: &str) -> bool {
    if document.chars().any(divides) || has_lone_return(document.as_bytes()) {
        return false;
    }
    let mut tokens = Tokens(document.as_bytes());
    let mut has_query = false;
    loop {
        let sound = match tokens.next() {
            None => return has_query,
            Some(Token::Open(b'{')) => {
                has_query = true;
                closes(&mut tokens, b'{')
            }
            Some(Token::Name(b"query")) => {
                has_query = true;
                definition(&mut tokens, 1)
            }
            Some(Token::Name(b"fragment")) => definition(&mut tokens, 3), // NAME on TYPE
            Some(_) => false,
        };
        if !sound {
            return false;
        }
    }
}

/// What may end a line, or begin a document, for some and for others not.
fn divides(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    is_control || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A return without a line feed ends a comment for some, and for others not.
fn has_lone_return(document: &[u8]) -> bool {
    let mut at = document.iter().enumerate();
    at.any(|(at, byte)| *byte == b'\r' && document.get(at + 1) != Some(&b'\n'))
}

/// The rest of a definition whose head has so many names at most, and one more for each directive. The words of what changes
/// something are none of them, although the grammar has them for names.
fn definition(tokens: &mut Tokens<'_>, mut names: usize) -> bool {
    loop {
        match tokens.next() {
            Some(Token::Open(b'{')) => return closes(tokens, b'{'),
            Some(Token::Open(b'(')) if closes(tokens, b'(') => {}
            Some(Token::Mark(b'@')) => names += 1,
            Some(Token::Name(b"mutation" | b"subscription")) => return false,
            Some(Token::Name(_)) if names > 0 => names -= 1,
            _ => return false,
        }
    }
}

/// Skips what is behind `first`, up to what closes it. A string stands among arguments only: with one elsewhere it is JSON.
fn closes(tokens: &mut Tokens<'_>, first: u8) -> bool {
    let mut open = vec![first];
    let mut arguments = usize::from(first == b'(');
    while let Some(last) = open.last() {
        match tokens.next() {
            Some(Token::Open(bracket)) => {
                arguments += usize::from(bracket == b'(');
                open.push(bracket);
            }
            Some(Token::Close(bracket)) if bracket == closing(*last) => {
                arguments -= usize::from(bracket == b')');
                open.pop();
            }
            Some(Token::Text) if arguments > 0 => {}
            Some(Token::Name(_) | Token::Mark(_)) => {}
            _ => return false,
        }
    }
    true
}

const fn closing(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// A lexical token ([GraphQL §2.1.6](https://spec.graphql.org/September2025/#sec-Language.Source-Text.Lexical-Tokens)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a [u8]),
    Open(u8),
    Close(u8),
    /// A string, or a block string.
    Text,
    /// Any other punctuator, or a byte of a number.
    Mark(u8),
    /// None of the grammar, or one that some read otherwise.
    Unknown,
}

/// What is left of a document.
struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, after) = self.0.split_first()?;
            let token = match first {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                    self.0 = after;
                    continue;
                }
                b'#' => {
                    self.take(|byte| byte != b'\n');
                    continue;
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let name = self.take(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                    return Some(Token::Name(name));
                }
                b'"' => return Some(self.text().map_or(Token::Unknown, |()| Token::Text)),
                b'{' | b'(' | b'[' => Token::Open(*first),
                b'}' | b')' | b']' => Token::Close(*first),
                b'0'..=b'9' | b'-' | b'+' | b'.' => Token::Mark(*first),
                b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|' => Token::Mark(*first),
                _ => Token::Unknown,
            };
            self.0 = after;
            return Some(token);
        }
    }

    /// Takes what begins the rest and is `wanted`.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !wanted(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Skips a string that begins here and ends in the same place for everybody.
    fn text(&mut self) -> Option<()> {
        if let Some(rest) = self.0.strip_prefix(b"\"\"\"") {
            return self.block(rest);
        }
        let mut rest = &self.0[1..];
        loop {
            rest = match rest {
                [b'"', after @ ..] => {
                    self.0 = after;
                    return Some(());
                }
                [b'\\', escape @ ..] => escaped(escape)?,
                [b'\n' | b'\r', ..] | [] => return None,
                [_, after @ ..] => after,
            };
        }
    }

    /// Skips a block string. Servers from before there were any read an empty string, one with the content of the block, and
    /// another empty one: the same, as long as the content has neither quotes nor escapes.
    fn block(&mut self, rest: &'a [u8]) -> Option<()> {
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let after = rest[end..].strip_prefix(b"\"\"\"")?;
        self.0 = after;
        (!after.starts_with(b"\"")).then_some(())
    }
}

/// What is behind an escape of the grammar, whose backslash has been read.
fn escaped(escape: &[u8]) -> Option<&[u8]> {
    match escape {
        [
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
            after @ ..,
        ] => Some(after),
        [b'u', a, b, c, d, after @ ..] => {
            let is_hex = [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit);
            is_hex.then_some(after)
        }
        _ => None,
    }
}
