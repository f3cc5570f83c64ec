//! What a request says for itself when variants are chosen among.

use crate::semantics::{
    fields::{is_too_long, members, quality, request_members},
    veil::{Veil, veiled},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE},
};
use std::{
    cell::{OnceCell, RefCell},
    fmt,
};

/// A field and its value as it is kept; `None` where the request has no such field.
pub(super) type Selected = (HeaderName, Option<Box<[u8]>>);

/// In the place of a value that is too long to be compared: no value of a field begins with a control character, and it is
/// equal to nothing, not even to itself.
pub(super) const TOO_LONG: &[u8] = &[1];

/// Longer values are compared as they are, in bytes: to bring their members into one spelling and order would cost more than
/// what they may find.
const LONGEST_NORMALISED: usize = 1 << 10;

/// A request as far as it selects among variants. Each value is made once, however many variants it is compared with.
pub struct Selects<'r> {
    request: &'r HeaderMap,
    veil: &'r dyn Veil,
    pub(super) values: RefCell<Vec<Selected>>,
    language: OnceCell<Option<Vec<u8>>>,
}

impl<'r> Selects<'r> {
    /// The request with these fields. What is kept of their values `veil` may hide.
    pub fn new(request: &'r HeaderMap, veil: &'r dyn Veil) -> Self {
        Self {
            request,
            veil,
            values: RefCell::new(Vec::new()),
            language: OnceCell::new(),
        }
    }

    /// Its fields.
    pub(in crate::semantics) fn fields(&self) -> &HeaderMap {
        self.request
    }

    /// Shows `look` the value of `name`, normalised and as it is kept.
    pub(super) fn with<T>(&self, name: &HeaderName, look: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let mut values = self.values.borrow_mut();
        let at = values.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            let value = if is_too_long(self.request, name) {
                Some(TOO_LONG.into())
            } else {
                let value = normalised(self.request, name);
                value.map(|value| veiled(self.veil, name.as_str(), &value))
            };
            values.push((name.clone(), value));
            values.len() - 1
        });
        look(values[at].1.as_deref())
    }

    pub(super) fn language(&self) -> Option<&Vec<u8>> {
        let language = self
            .language
            .get_or_init(|| preferred_language(self.request));
        language.as_ref()
    }
}

impl fmt::Debug for Selects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selects").finish_non_exhaustive()
    }
}

/// The lines of `name` combined into one value, white space around commas gone unless it is long; for fields whose members have no order
/// the members sorted, in lower case. `None` where the request has no such field.
fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = request.get_all(name).into_iter().peekable();
    lines.peek()?;
    let length: usize = request.get_all(name).iter().map(HeaderValue::len).sum();
    if length > LONGEST_NORMALISED {
        let lines: Vec<&[u8]> = lines.map(HeaderValue::as_bytes).collect();
        return Some(lines.join(&b", "[..]));
    }
    let unordered = *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING;
    let mut all: Vec<Vec<u8>> = if unordered {
        lines
            .flat_map(|line| members(line.as_bytes()))
            .map(without_space)
            .collect()
    } else {
        // Empty members stay: what they mean in an unknown field only the origin knows.
        lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(|member| member.trim_ascii().to_vec())
            .collect()
    };
    if unordered {
        all.sort_unstable();
    }
    Some(all.join(&b", "[..]))
}

/// The language that a request likes best; the first of several equal ones ([RFC 9110 §12.5.4]).
///
/// [RFC 9110 §12.5.4]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4
fn preferred_language(request: &HeaderMap) -> Option<Vec<u8>> {
    let mut best: Option<(u16, Vec<u8>)> = None;
    for member in request_members(request, &ACCEPT_LANGUAGE) {
        let tag = member
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let quality = quality(member);
        if quality > best.as_ref().map_or(0, |(best, _)| *best) {
            best = Some((quality, tag.to_ascii_lowercase()));
        }
    }
    best.map(|(_, tag)| tag).filter(|tag| tag != b"*")
}

fn without_space(member: &[u8]) -> Vec<u8> {
    member
        .iter()
        .filter(|b| !b.is_ascii_whitespace())
        .map(u8::to_ascii_lowercase)
        .collect()
}
