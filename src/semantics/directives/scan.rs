//! What restricts counts also where it is not quite well formed: `private; max-age=60`, `public private`, `no-store=1`, in quotes,
//! or behind a quote that is never closed. Whoever wrote it meant it, and to miss it is to hand one caller's answer to another.
//!
//! A lifetime that is written so is none ([RFC 9111 §4.2.1]): it leaves the response stale, whatever the route would give it.
//!
//! [RFC 9111 §4.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1

use std::borrow::Cow;

/// What may be meant for a directive.
pub(super) struct Piece<'a> {
    /// In lower case.
    pub(super) name: Cow<'a, [u8]>,
    /// It names fields: `private="x-user"`.
    pub(super) is_of_fields: bool,
}

/// The pieces of `line`, but for what a targeted field says is not so (RFC 9651 §3.3.6).
pub(super) fn all(line: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let parts = pieces(line).map(|piece| {
        let end = piece.iter().position(|byte| *byte == b'=');
        piece.split_at(end.unwrap_or(piece.len()))
    });
    let parts = parts.filter(|(_, rest)| *rest != b"=?0");
    parts.map(|(name, rest)| Piece {
        name: lower(name),
        is_of_fields: rest.len() > 3 && rest.starts_with(b"=\"") && rest.ends_with(b"\""),
    })
}

/// The runs of token characters with the argument that follows at once. A string is part of a run where it is an argument, and
/// text where it is not; where quotes do not match, there is none.
fn pieces(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let balanced = line.iter().filter(|byte| **byte == b'"').count() % 2 == 0;
    let (mut quoted, mut before) = (false, b' ');
    let separates = move |byte: &u8| {
        if *byte == b'"' && balanced {
            let begins = !quoted && before == b'=';
            let separates = !quoted && !begins;
            quoted = begins;
            before = *byte;
            return separates;
        }
        before = *byte;
        !quoted && !is_token(*byte) && !matches!(byte, b'=' | b'?' | b'"')
    };
    let lone = |byte: &u8| matches!(byte, b'=' | b'\'' | b'"');
    line.split(separates).map(move |piece| {
        let begin = piece.iter().position(|byte| !lone(byte));
        let piece = &piece[begin.unwrap_or(piece.len())..];
        match piece {
            [name @ .., b'\''] => name,
            piece => piece,
        }
    })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

pub(super) fn lower(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(u8::is_ascii_uppercase) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}
