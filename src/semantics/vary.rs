//! Which request fields selected a response, and whether another request would have selected it too ([RFC 9111 §4.1]).
//!
//! [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1

use super::fields::{all_members, members};
use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY},
};

/// The request fields that `Vary` names, with the values that selected the stored response.
///
/// Sorted by name, so that equal selections are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selecting(Vec<(HeaderName, Option<Box<[u8]>>)>);

/// Fields that every proxy adds to: the origin saw other values than the client sent, so nothing can be compared.
const CHANGED_ON_THE_WAY: [&str; 5] = [
    "x-forwarded-for",
    "forwarded",
    "via",
    "x-request-id",
    "connection",
];

/// `Vary: *`: nothing but the origin can tell which request selects the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaryStar;

impl Selecting {
    /// What selected `response`, given the request that fetched it.
    ///
    /// # Errors
    /// [`VaryStar`] where a member of `Vary` is `*`, or is no field name and so cannot be compared.
    pub fn of(response: &HeaderMap, request: &HeaderMap) -> Result<Self, VaryStar> {
        let mut names = Vec::new();
        for member in all_members(response, &VARY) {
            if member == b"*" {
                return Err(VaryStar);
            }
            let name = HeaderName::from_bytes(member).map_err(|_| VaryStar)?;
            if CHANGED_ON_THE_WAY.contains(&name.as_str()) {
                return Err(VaryStar);
            }
            names.push(name);
        }
        Ok(Self::by_names(names, request))
    }

    /// The selection that `request` makes by `names`.
    pub fn by_names(mut names: Vec<HeaderName>, request: &HeaderMap) -> Self {
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Self(
            names
                .into_iter()
                .map(|name| {
                    let value = normalised(request, &name);
                    (name, value)
                })
                .collect(),
        )
    }

    /// Without `name`: the cache sends the same value of it with every request of its own.
    pub fn without(mut self, name: &HeaderName) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// Rebuilt from its parts, as a stored entry is read.
    pub fn from_parts(parts: Vec<(HeaderName, Option<Box<[u8]>>)>) -> Self {
        Self(parts)
    }

    /// The names and values.
    pub fn parts(&self) -> &[(HeaderName, Option<Box<[u8]>>)] {
        &self.0
    }

    /// The names alone.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Whether every request selects the response.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `request` would have selected the same response ([RFC 9111 §4.1]).
    ///
    /// [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1
    pub fn matches(&self, request: &HeaderMap) -> bool {
        self.0
            .iter()
            .all(|(name, stored)| *stored == normalised(request, name))
    }
}

/// The lines of `name` combined into one value, white space around commas gone; for fields whose members have no order
/// the members sorted, in lower case. `None` where the request has no such field.
fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    let mut lines = request.get_all(name).into_iter().peekable();
    lines.peek()?;
    let unordered = *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING;
    let mut all: Vec<Vec<u8>> = match unordered {
        true => lines
            .flat_map(|line| members(line.as_bytes()))
            .map(without_space)
            .collect(),
        // Empty members stay: what they mean in an unknown field only the origin knows.
        false => lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(|member| member.trim_ascii().to_vec())
            .collect(),
    };
    if unordered {
        all.sort_unstable();
    }
    Some(all.join(&b", "[..]).into_boxed_slice())
}

fn without_space(member: &[u8]) -> Vec<u8> {
    member
        .iter()
        .filter(|b| !b.is_ascii_whitespace())
        .map(u8::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn selects(
        vary: &'static str,
        stored: &[(&'static str, &'static str)],
        asked: &[(&'static str, &'static str)],
    ) -> bool {
        Selecting::of(&map(&[("vary", vary)]), &map(stored))
            .unwrap()
            .matches(&map(asked))
    }

    #[test]
    fn the_named_fields_must_be_equal() {
        assert!(selects(
            "foo",
            &[("foo", "1")],
            &[("foo", "1"), ("bar", "2")]
        ));
        assert!(!selects("foo", &[("foo", "1")], &[("foo", "2")]));
        assert!(!selects(
            "foo, bar",
            &[("foo", "1"), ("bar", "1")],
            &[("foo", "1"), ("bar", "2")]
        ));
    }

    #[test]
    fn an_absent_field_matches_only_an_absent_field() {
        assert!(selects("foo", &[], &[]));
        assert!(!selects("foo", &[], &[("foo", "1")]));
        assert!(!selects("foo", &[("foo", "1")], &[]));
        assert!(!selects("foo", &[("foo", "")], &[]), "empty is not absent");
    }

    #[test]
    fn a_star_in_any_place_matches_nothing() {
        for star in [
            "*",
            "foo, *",
            "*, foo",
            ", *",
            "X-Forwarded-For",
            "via, foo",
            "no name",
        ] {
            assert_eq!(
                Selecting::of(&map(&[("vary", star)]), &map(&[])),
                Err(VaryStar),
                "{star}"
            );
        }
        let lines = [
            (VARY, HeaderValue::from_static("")),
            (VARY, HeaderValue::from_static("*")),
        ];
        assert_eq!(
            Selecting::of(&lines.into_iter().collect(), &map(&[])),
            Err(VaryStar)
        );
    }

    #[test]
    fn several_lines_equal_one_combined_line() {
        assert!(selects(
            "foo",
            &[("foo", "1"), ("foo", "2")],
            &[("foo", "1,2")]
        ));
        assert!(
            !selects("foo", &[("foo", "1, 2")], &[("foo", "2, 1")]),
            "order counts in unknown fields"
        );
        assert!(
            !selects("foo", &[("foo", ",1")], &[("foo", "1")]),
            "and so do empty members"
        );
    }

    #[test]
    fn languages_and_codings_ignore_case_space_and_order() {
        assert!(selects(
            "accept-language",
            &[("accept-language", "en, de;q=0.5")],
            &[("accept-language", "DE; q=0.5,EN")]
        ));
        assert!(selects(
            "accept-encoding",
            &[("accept-encoding", "gzip, br")],
            &[("accept-encoding", "br,gzip")]
        ));
        assert!(!selects(
            "accept-language",
            &[("accept-language", "en")],
            &[("accept-language", "de")]
        ));
    }

    #[test]
    fn equal_selections_are_equal_whatever_the_order_of_vary() {
        let request = map(&[("a", "1"), ("b", "2")]);
        let one = Selecting::of(&map(&[("vary", "a, b, A")]), &request);
        assert_eq!(one, Selecting::of(&map(&[("vary", "b, a")]), &request));
    }
}
