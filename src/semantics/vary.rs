//! Which request fields selected a response, and whether another request would have selected it too ([RFC 9111 §4.1]).
//!
//! [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1

use super::fields::{all_members, members, quality};
use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_LANGUAGE, HOST, VARY},
};

/// The request fields that `Vary` names, with the values that selected the stored response.
///
/// Sorted by name, so that equal selections are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selecting(Vec<(HeaderName, Option<Box<[u8]>>)>);

/// Fields that every proxy adds to: the origin saw other values than the client sent, so nothing can be compared.
const CHANGED_ON_THE_WAY: [&str; 6] = [
    "x-forwarded-for",
    "forwarded",
    "via",
    "x-request-id",
    "connection",
    "te",
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

    /// With `name` beside what is there.
    pub fn and(self, name: HeaderName, request: &HeaderMap) -> Self {
        let names = self.names().cloned().chain([name]).collect();
        Self::by_names(names, request)
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

    /// Whether `request` would have selected the response with these fields too ([RFC 9111 §4.1]).
    ///
    /// For `Accept-Language` it is enough that the response is in the language that the request likes best: the origin
    /// has that language, so it would have chosen it.
    ///
    /// [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1
    pub fn matches(&self, request: &HeaderMap, response: &HeaderMap) -> bool {
        self.0.iter().all(|(name, stored)| {
            *stored == normalised(request, name)
                || (*name == ACCEPT_LANGUAGE
                    && language_of(response)
                        .is_some_and(|language| preferred_language(request) == Some(language)))
        })
    }

    /// The selection that any request makes that likes the language of `response` best; `None` where language does not
    /// select, or the response does not say which it is in.
    pub fn by_language_of(&self, response: &HeaderMap) -> Option<Self> {
        self.with_language(&language_of(response)?)
    }

    /// The same as seen from `request`.
    pub fn by_preferred_language(&self, request: &HeaderMap) -> Option<Self> {
        self.with_language(&preferred_language(request)?)
    }

    fn with_language(&self, language: &[u8]) -> Option<Self> {
        let mut parts = self.0.clone();
        let (_, value) = parts
            .iter_mut()
            .find(|(name, _)| *name == ACCEPT_LANGUAGE)?;
        // No field value begins with a control character.
        *value = Some([b"\0", language].concat().into());
        Some(Self(parts))
    }
}

/// The lines of `name` combined into one value, white space around commas gone; for fields whose members have no order
/// the members sorted, in lower case. `None` where the request has no such field.
fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    // The proxy says in it what the client calls the host, where the client says nothing in it.
    let is_host = name == "x-forwarded-host" && !request.contains_key(name);
    let name = if is_host { &HOST } else { name };
    let mut lines = request.get_all(name).into_iter().peekable();
    lines.peek()?;
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
    Some(all.join(&b", "[..]).into_boxed_slice())
}

/// The one language that a response is in, in lower case ([RFC 9110 §8.5]).
///
/// [RFC 9110 §8.5]: https://www.rfc-editor.org/rfc/rfc9110#section-8.5
fn language_of(response: &HeaderMap) -> Option<Vec<u8>> {
    let mut languages = all_members(response, &CONTENT_LANGUAGE);
    match (languages.next(), languages.next()) {
        (Some(language), None) => Some(language.to_ascii_lowercase()),
        _ => None,
    }
}

/// The language that a request likes best; the first of several equal ones ([RFC 9110 §12.5.4]).
///
/// [RFC 9110 §12.5.4]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4
fn preferred_language(request: &HeaderMap) -> Option<Vec<u8>> {
    let mut best: Option<(u16, Vec<u8>)> = None;
    for member in all_members(request, &ACCEPT_LANGUAGE) {
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
            .matches(&map(asked), &HeaderMap::new())
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
    fn the_host_stands_for_what_the_proxy_says_of_it() {
        let host = |host| [("host", host)];
        assert!(selects("x-forwarded-host", &host("a"), &host("a")));
        assert!(!selects("x-forwarded-host", &host("a"), &host("b")));
        let said = [("host", "b"), ("x-forwarded-host", "a")];
        assert!(selects("x-forwarded-host", &host("a"), &said));
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
    fn a_response_in_the_language_that_is_liked_best_is_selected() {
        let selecting = Selecting::of(
            &map(&[("vary", "accept-language")]),
            &map(&[("accept-language", "de")]),
        );
        let selecting = selecting.unwrap();
        let matches = |language, asked| {
            selecting.matches(
                &map(&[("accept-language", asked)]),
                &map(&[("content-language", language)]),
            )
        };
        for asked in ["fr;q=0.5, DE;q=1.0", "de, en", "en;q=0.9, de"] {
            assert!(matches("de", asked), "{asked}");
        }
        for asked in ["en, de", "fr, de;q=0.5", "*", "de;q=0", "de-AT"] {
            assert!(!matches("de", asked), "{asked}");
        }
        assert!(
            !matches("de, en", "fr, de"),
            "more than one language is none to choose by"
        );
        let response = map(&[("content-language", "de")]);
        let request = map(&[("accept-language", "de, fr;q=0.1")]);
        assert_eq!(
            selecting.by_language_of(&response),
            selecting.by_preferred_language(&request)
        );
    }

    #[test]
    fn equal_selections_are_equal_whatever_the_order_of_vary() {
        let request = map(&[("a", "1"), ("b", "2")]);
        let one = Selecting::of(&map(&[("vary", "a, b, A")]), &request);
        assert_eq!(one, Selecting::of(&map(&[("vary", "b, a")]), &request));
    }
}
