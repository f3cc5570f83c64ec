//! What restricts counts also where it is not quite well formed: `private; max-age=60`, `public private`, `no-store=1`, in quotes,
//! or behind a quote that is never closed. Whoever wrote it meant it, and to miss it is to hand one caller's answer to another.
//!
//! A lifetime that is written so is none ([RFC 9111 §4.2.1]): it leaves the response stale, whatever the route would give it.
//!
//! [RFC 9111 §4.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1

use super::{ResponseDirectives, lower};
use std::time::Duration;

/// Adds what `line` forbids to what was `found` by the grammar.
pub(super) fn take(found: &mut ResponseDirectives, line: &[u8]) {
    let none = |lifetime: &mut Option<Duration>| drop(lifetime.get_or_insert(Duration::ZERO));
    for piece in pieces(line) {
        let end = piece.iter().position(|byte| *byte == b'=');
        let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
        if rest == b"=?0" {
            continue; // what a targeted field says is not so (RFC 9651 §3.3.6)
        }
        let of_fields = rest.len() > 3 && rest.starts_with(b"=\"") && rest.ends_with(b"\"");
        match &*lower(name) {
            b"no-store" => found.no_store = true,
            b"private" if !of_fields => found.private = true,
            b"no-cache" if !of_fields => found.no_cache = true,
            // By the grammar it would permit something too (RFC 9111 §3.5).
            b"must-revalidate" | b"proxy-revalidate" => found.proxy_revalidate = true,
            b"no-transform" => found.no_transform = true,
            b"max-age" => none(&mut found.max_age),
            b"s-maxage" => none(&mut found.s_maxage),
            b"stale-while-revalidate" => none(&mut found.stale_while_revalidate),
            b"stale-if-error" => none(&mut found.stale_if_error),
            _ => {}
        }
    }
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
