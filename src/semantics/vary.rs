//! Which request fields selected a response, and whether another request would have selected it too ([RFC 9111 §4.1]).
//!
//! [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1

mod selects;

pub use self::selects::Selects;

use self::selects::{Selected, TOO_LONG};
use super::{
    fields::all_members,
    on_the_way::{OnTheWay, on_the_way},
};
use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, HOST, VARY},
};

/// The request fields that `Vary` names, with the values that selected the stored response.
///
/// Sorted by name, so that equal selections are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selecting(Vec<Selected>);

/// A response that more fields select is not stored: each of them is looked up and compared on every request.
const MOST_NAMES: usize = 32;

/// `Vary: *`: nothing but the origin can tell which request selects the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaryStar;

impl Selecting {
    /// What selected `response`, given the request that fetched it.
    ///
    /// # Errors
    /// [`VaryStar`] where a member of `Vary` is `*`, or cannot be compared: it is no field name, the proxy changes the
    /// field on the way, or there are too many.
    pub fn of(response: &HeaderMap, request: &Selects<'_>) -> Result<Self, VaryStar> {
        let mut names = Vec::new();
        for member in all_members(response, &VARY) {
            if member == b"*" || names.len() >= MOST_NAMES {
                return Err(VaryStar);
            }
            let name = HeaderName::from_bytes(member).map_err(|_| VaryStar)?;
            match on_the_way(&name) {
                // Whoever has the same key has the same of these.
                Some(OnTheWay::Keyed) => {}
                // The origin is told of `Host` where no proxy before this one names another.
                Some(OnTheWay::Host) => names.extend([HOST, name]),
                // The origin saw other values than the client sent, so nothing can be compared.
                Some(OnTheWay::Rewritten | OnTheWay::Ended | OnTheWay::Judged) => {
                    return Err(VaryStar);
                }
                Some(OnTheWay::Coding | OnTheWay::Address) | None => names.push(name),
            }
        }
        Ok(Self::by_names(names, request))
    }

    /// The selection that `request` makes by `names`.
    pub fn by_names(mut names: Vec<HeaderName>, request: &Selects<'_>) -> Self {
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let part = |name: HeaderName| {
            let value = request.with(&name, |value| value.map(Box::from));
            (name, value)
        };
        Self(names.into_iter().map(part).collect())
    }

    /// With `name` beside what is there.
    pub fn and(self, name: HeaderName, request: &Selects<'_>) -> Self {
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

    /// Whether no request selects the response, not even the one that fetched it: its fields are too long to be compared.
    pub fn is_of_none(&self) -> bool {
        let mut values = self.0.iter().map(|(_, value)| value.as_deref());
        values.any(|value| value == Some(TOO_LONG))
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
    pub fn matches(&self, request: &Selects<'_>, response: &HeaderMap) -> bool {
        self.0.iter().all(|(name, stored)| {
            request.with(name, |value| {
                value == stored.as_deref() && value != Some(TOO_LONG)
            }) || (*name == ACCEPT_LANGUAGE
                && language_of(response)
                    .is_some_and(|language| request.language() == Some(&language)))
        })
    }

    /// The selection that any request makes that likes the language of `response` best; `None` where language does not
    /// select, or the response does not say which it is in.
    pub fn by_language_of(&self, response: &HeaderMap) -> Option<Self> {
        self.with_language(&language_of(response)?)
    }

    /// The same as seen from `request`.
    pub fn by_preferred_language(&self, request: &Selects<'_>) -> Option<Self> {
        self.with_language(request.language()?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::veil::tests::Thin;
    use http::HeaderValue;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn of(
        response: &[(&'static str, &'static str)],
        request: &[(&'static str, &'static str)],
    ) -> Result<Selecting, VaryStar> {
        Selecting::of(&map(response), &Selects::new(&map(request), &Thin))
    }

    fn selects(
        vary: &'static str,
        stored: &[(&'static str, &'static str)],
        asked: &[(&'static str, &'static str)],
    ) -> bool {
        of(&[("vary", vary)], stored)
            .unwrap()
            .matches(&Selects::new(&map(asked), &Thin), &HeaderMap::new())
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
            "Forwarded",
            "te",
            "if-none-match",
            "no name",
        ] {
            assert_eq!(of(&[("vary", star)], &[]), Err(VaryStar), "{star}");
        }
        let lines = [
            (VARY, HeaderValue::from_static("")),
            (VARY, HeaderValue::from_static("*")),
        ];
        assert_eq!(
            Selecting::of(
                &lines.into_iter().collect(),
                &Selects::new(&map(&[]), &Thin)
            ),
            Err(VaryStar)
        );
    }

    #[test]
    fn what_is_in_every_key_selects_nothing_more() {
        for keyed in ["X-Forwarded-Proto", "x-original-url, x_scheme"] {
            let selecting = of(&[("vary", keyed)], &[]);
            assert_eq!(selecting, Ok(Selecting::default()), "{keyed}");
        }
        for host in ["host", "x-forwarded-host"] {
            assert!(selects(host, &[("host", "a")], &[("host", "a")]), "{host}");
            assert!(!selects(host, &[("host", "a")], &[("host", "b")]), "{host}");
        }
        assert!(!selects(
            "x-real-ip",
            &[("x-real-ip", "1")],
            &[("x-real-ip", "2")]
        ));
    }

    #[test]
    fn long_values_are_compared_as_they_are_and_longer_ones_equal_nothing() {
        let value = |length: usize, comma: &str| {
            let members = vec!["aaaa"; length / 5];
            HeaderValue::from_str(&members.join(comma)).unwrap()
        };
        let request = |value: HeaderValue| {
            [(HeaderName::from_static("foo"), value)]
                .into_iter()
                .collect()
        };
        let selects = |stored: HeaderValue, asked: HeaderValue| {
            let (stored, asked) = (request(stored), request(asked));
            let vary = map(&[("vary", "foo")]);
            let stored = Selecting::of(&vary, &Selects::new(&stored, &Thin)).unwrap();
            stored.matches(&Selects::new(&asked, &Thin), &HeaderMap::new())
        };
        assert!(selects(value(800, ","), value(800, ", ")));
        assert!(!selects(value(2000, ","), value(2000, ", ")));
        assert!(selects(value(2000, ","), value(2000, ",")));
        assert!(!selects(value(5000, ","), value(5000, ",")));
    }

    #[test]
    fn more_fields_than_are_compared_are_a_star() {
        let vary = |count: usize| {
            let names: Vec<_> = (0..count).map(|n| format!("x-{n}")).collect();
            let line = HeaderValue::from_str(&names.join(", ")).unwrap();
            let response = [(VARY, line)].into_iter().collect();
            Selecting::of(&response, &Selects::new(&HeaderMap::new(), &Thin))
        };
        assert!(vary(32).is_ok());
        assert_eq!(vary(33), Err(VaryStar));
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
        let selecting = of(&[("vary", "accept-language")], &[("accept-language", "de")]);
        let selecting = selecting.unwrap();
        let matches = |language, asked| {
            selecting.matches(
                &Selects::new(&map(&[("accept-language", asked)]), &Thin),
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
            selecting.by_preferred_language(&Selects::new(&request, &Thin))
        );
    }

    #[test]
    fn equal_selections_are_equal_whatever_the_order_of_vary() {
        let request = [("a", "1"), ("b", "2")];
        let one = of(&[("vary", "a, b, A")], &request);
        assert_eq!(one, of(&[("vary", "b, a")], &request));
    }

    #[test]
    fn who_asked_cannot_be_read_in_what_is_kept() {
        let kept = of(&[("vary", "x-api-key")], &[("x-api-key", "alice")]).unwrap();
        let (_, value) = &kept.parts()[0];
        let value = value.as_deref().unwrap();
        assert!(!value.windows(5).any(|part| part == b"alice"));
        assert!(selects(
            "x-api-key",
            &[("x-api-key", "alice")],
            &[("x-api-key", "alice")]
        ));
        assert!(!selects(
            "x-api-key",
            &[("x-api-key", "alice")],
            &[("x-api-key", "bob")]
        ));
    }

    #[test]
    fn a_value_is_normalised_once_for_all_variants() {
        let request = map(&[("a", "1")]);
        let request = Selects::new(&request, &Thin);
        for value in ["1", "2", "1"] {
            let stored = of(&[("vary", "a")], &[("a", value)]).unwrap();
            assert_eq!(stored.matches(&request, &HeaderMap::new()), value == "1");
        }
        assert_eq!(request.values.borrow().len(), 1);
    }
}
