//! `Cache-Control` of responses and requests ([RFC 9111 §5.2], [RFC 5861]).
//!
//! Names are case-insensitive, arguments may be tokens or quoted strings, the first of two equal directives counts, and
//! a lifetime that is not a number counts as zero, which is stale ([RFC 9111 §4.2.1]).
//!
//! [RFC 9111 §5.2]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2
//! [RFC 9111 §4.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1
//! [RFC 5861]: https://www.rfc-editor.org/rfc/rfc5861

mod scan;

use self::scan::Piece;
use super::fields::{all_members, delta_seconds, is_too_long, request_members, unquote};
use http::{
    HeaderMap, HeaderName,
    header::{CACHE_CONTROL, PRAGMA},
};
use std::{borrow::Cow, time::Duration};

/// What a response's `Cache-Control` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// `no-store` (RFC 9111 §5.2.2.5).
    pub no_store: bool,
    /// `no-cache` without field names (RFC 9111 §5.2.2.4).
    pub no_cache: bool,
    /// `private` without field names (RFC 9111 §5.2.2.7).
    pub private: bool,
    /// `public` (RFC 9111 §5.2.2.9).
    pub public: bool,
    /// `must-revalidate` (RFC 9111 §5.2.2.2).
    pub must_revalidate: bool,
    /// `proxy-revalidate` (RFC 9111 §5.2.2.8).
    pub proxy_revalidate: bool,
    /// `must-understand` (RFC 9111 §5.2.2.3).
    pub must_understand: bool,
    /// `no-transform` (RFC 9111 §5.2.2.6).
    pub no_transform: bool,
    /// `max-age` (RFC 9111 §5.2.2.1).
    pub max_age: Option<Duration>,
    /// `s-maxage` (RFC 9111 §5.2.2.10).
    pub s_maxage: Option<Duration>,
    /// `stale-while-revalidate` (RFC 5861 §3).
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// A field that is meant for this cache says it: `Cache-Control` and `Expires` do not count (RFC 9213 §2.2).
    pub targeted: bool,
    /// A lifetime is stated, in a form that nobody can read: it is none, and the route's is not meant either
    /// (RFC 9111 §4.2.1).
    pub malformed_lifetime: bool,
    /// The fields that `no-cache="…"` and `private="…"` name, in lower case: they are not kept.
    pub withheld_fields: Vec<String>,
}

impl ResponseDirectives {
    /// Reads every `Cache-Control` line of `headers`.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::of_field(headers, &CACHE_CONTROL);
        found.take_pragma(headers);
        found
    }

    /// Reads every line of `field` as if it were `Cache-Control`.
    ///
    /// One that is longer than is read may forbid everything: nothing is stored of such a response.
    pub(super) fn of_field(headers: &HeaderMap, field: &HeaderName) -> Self {
        let mut found = Self {
            no_store: is_too_long(headers, field),
            ..Self::default()
        };
        if found.no_store {
            return found;
        }
        for member in all_members(headers, field) {
            let (name, argument) = split(member);
            match &*name {
                b"no-store" => found.no_store = true,
                b"no-cache" => found.restrict(argument, |d| &mut d.no_cache),
                b"private" => found.restrict(argument, |d| &mut d.private),
                b"public" => found.public = true,
                b"must-revalidate" => found.must_revalidate = true,
                b"proxy-revalidate" => found.proxy_revalidate = true,
                b"must-understand" => found.must_understand = true,
                b"no-transform" => found.no_transform = true,
                b"max-age" => first(&mut found.max_age, argument),
                b"s-maxage" => first(&mut found.s_maxage, argument),
                b"stale-while-revalidate" => first(&mut found.stale_while_revalidate, argument),
                b"stale-if-error" => first(&mut found.stale_if_error, argument),
                _ => {} // extensions are ignored (RFC 9111 §5.2.3)
            }
        }
        for line in headers.get_all(field) {
            found.take_however_written(line.as_bytes());
        }
        found
    }

    /// Reads `Pragma` where there is no `Cache-Control`. Its meaning in responses was never specified ([RFC 9111 §5.4]), and whoever
    /// sends it means one thing by it.
    ///
    /// [RFC 9111 §5.4]: https://www.rfc-editor.org/rfc/rfc9111#section-5.4
    fn take_pragma(&mut self, headers: &HeaderMap) {
        if !headers.contains_key(CACHE_CONTROL) {
            self.no_cache |= Self::forbidden_by(headers, &PRAGMA).no_cache;
        }
    }

    /// Adds what `other` forbids, for a field whose permissions do not count.
    pub(super) fn add_restrictions(&mut self, other: Self) {
        self.no_store |= other.no_store;
        // Beside it `no-store` would not count; and it is of the field that does.
        self.must_understand &= !other.no_store;
        self.no_cache |= other.no_cache;
        self.private |= other.private;
        // Not `must-revalidate`, which is a permission too: to store what `Authorization` was sent for (RFC 9111 §3.5).
        self.proxy_revalidate |= other.must_revalidate || other.proxy_revalidate;
        self.no_transform |= other.no_transform;
        self.withheld_fields.extend(other.withheld_fields);
        self.malformed_lifetime |= other.malformed_lifetime;
    }

    /// What the lines of `field` forbid, and permit nothing by it, however they are written.
    pub(super) fn forbidden_by(headers: &HeaderMap, field: &HeaderName) -> Self {
        let mut found = Self {
            no_store: is_too_long(headers, field),
            ..Self::default()
        };
        if found.no_store {
            return found;
        }
        for line in headers.get_all(field) {
            found.take_however_written(line.as_bytes());
        }
        found
    }

    /// Adds what `line` restricts to what was found by the grammar.
    fn take_however_written(&mut self, line: &[u8]) {
        let none = |lifetime: &mut Option<Duration>| {
            lifetime.get_or_insert(Duration::ZERO);
        };
        for Piece { name, is_of_fields } in scan::all(line) {
            match &*name {
                b"no-store" | b"nostore" | b"no_store" => self.no_store = true,
                b"private" if !is_of_fields => self.private = true,
                b"no-cache" | b"nocache" | b"no_cache" if !is_of_fields => self.no_cache = true,
                // By the grammar it would permit something too (RFC 9111 §3.5).
                b"must-revalidate" | b"proxy-revalidate" => self.proxy_revalidate = true,
                b"no-transform" => self.no_transform = true,
                b"max-age" => none(&mut self.max_age),
                b"s-maxage" => none(&mut self.s_maxage),
                b"stale-while-revalidate" => none(&mut self.stale_while_revalidate),
                b"stale-if-error" => none(&mut self.stale_if_error),
                _ => {}
            }
        }
    }

    /// With field names the directive withholds these fields; without, it speaks of the whole response.
    fn restrict(&mut self, argument: Option<&[u8]>, flag: impl Fn(&mut Self) -> &mut bool) {
        let names = argument.map(unquote).unwrap_or_default();
        let names = std::str::from_utf8(&names).unwrap_or_default();
        if !self.withhold(names) {
            *flag(self) = true;
        }
    }

    /// Withholds the fields that `names` lists; `false` where it lists none, or all: no field is called `*`.
    pub(super) fn withhold(&mut self, names: &str) -> bool {
        let names: Vec<String> = names
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        let lists_some = !names.is_empty() && !names.iter().any(|name| name == "*");
        self.withheld_fields.extend(names);
        lists_some
    }
}

/// What a request's `Cache-Control` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `no-cache` (RFC 9111 §5.2.1.4), or `Pragma: no-cache` where there is no `Cache-Control` (§5.4).
    pub no_cache: bool,
    /// `no-store` (RFC 9111 §5.2.1.5).
    pub no_store: bool,
    /// `only-if-cached` (RFC 9111 §5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age` (RFC 9111 §5.2.1.1).
    pub max_age: Option<Duration>,
    /// `min-fresh` (RFC 9111 §5.2.1.3).
    pub min_fresh: Option<Duration>,
    /// `max-stale` (RFC 9111 §5.2.1.2); without an argument any staleness will do.
    pub max_stale: Option<Duration>,
}

impl RequestDirectives {
    /// Reads every `Cache-Control` line of `headers`, or `Pragma` in its absence.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for member in request_members(headers, &CACHE_CONTROL) {
            let (name, argument) = split(member);
            match &*name {
                b"no-cache" => found.no_cache = true,
                b"no-store" => found.no_store = true,
                b"only-if-cached" => found.only_if_cached = true,
                b"max-age" => first(&mut found.max_age, argument),
                b"min-fresh" => first(&mut found.min_fresh, argument),
                b"max-stale" if argument.is_none() => found.max_stale = Some(Duration::MAX),
                b"max-stale" => first(&mut found.max_stale, argument),
                _ => {}
            }
        }
        if !headers.contains_key(CACHE_CONTROL) {
            found.no_cache =
                request_members(headers, &PRAGMA).any(|m| m.eq_ignore_ascii_case(b"no-cache"));
        }
        found
    }
}

fn first(slot: &mut Option<Duration>, argument: Option<&[u8]>) {
    let seconds = argument
        .and_then(|a| delta_seconds(&unquote(a)))
        .unwrap_or(0);
    slot.get_or_insert(Duration::from_secs(seconds));
}

/// Splits `name=argument`; white space around `=` is not part of the grammar, so such a name matches nothing. What it was meant
/// to be is seen by [`scan`].
fn split(member: &[u8]) -> (Cow<'_, [u8]>, Option<&[u8]>) {
    let (name, argument) = match member.iter().position(|byte| *byte == b'=') {
        Some(at) => (&member[..at], Some(&member[at + 1..])),
        None => (member, None),
    };
    (scan::lower(name), argument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn lines(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|v| (CACHE_CONTROL, HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    fn response(value: &str) -> ResponseDirectives {
        ResponseDirectives::of(&lines(&[value]))
    }

    fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_field_that_is_longer_than_is_read_forbids_in_a_response_and_says_nothing_in_a_request() {
        let long = format!("max-age=60{}", ", a=1".repeat(1000));
        let found = response(&long);
        assert!(found.no_store && found.max_age.is_none());
        let request = RequestDirectives::of(&lines(&[&long, "no-cache"]));
        assert_eq!(request, RequestDirectives::default());
        assert_eq!(response(&long[..4000]).max_age, secs(60));
    }

    #[test]
    fn names_ignore_case() {
        assert!(response("nO-StOrE").no_store);
        assert_eq!(response("Max-Age=60").max_age, secs(60));
    }

    #[test]
    fn lifetimes_are_read_in_every_form() {
        let cases = [
            ("max-age=60", secs(60)),
            ("max-age=\"60\"", secs(60)),
            ("max-age=003600", secs(3600)),
            ("max-age=2147483649", secs(1 << 31)),
            ("a=\"max-age=1\", max-age=60", secs(60)),
            ("max-age=60, a=\"max-age=1\"", secs(60)),
            ("max-age=60, max-age=1", secs(60)),
        ];
        for (value, expected) in cases {
            assert_eq!(response(value).max_age, expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_lifetime_is_zero() {
        for value in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age='60'",
            "max-age=60.0",
            "max-age=60a",
            "max-age= 60",
            "max-age = 60",
            "max-age =60",
            "max-age=\"\"",
            "max-age=x",
            "max-age: 60",
            "public; max-age=60",
            "public max-age=60",
            "ext=\"a, max-age=60",
        ] {
            assert_eq!(response(value).max_age, secs(0), "{value}");
        }
        assert_eq!(response("s-maxage = 60, max-age=60").s_maxage, secs(0));
        assert_eq!(response("max-age=60; public, max-age = 5").max_age, secs(0));
        assert_eq!(
            response("max-age=60, ext=\"max-age = 5\"").max_age,
            secs(60)
        );
    }

    #[test]
    fn directives_of_several_lines_add_up() {
        let found = ResponseDirectives::of(&lines(&["max-age=60", "no-cache, public"]));
        assert!(found.no_cache && found.public);
        assert_eq!(found.max_age, secs(60));
    }

    #[test]
    fn field_names_restrict_the_directive_to_these_fields() {
        let found = response("private=\"X-A, Set-Cookie\", no-cache=\"x-b\"");
        assert!(!found.private && !found.no_cache);
        assert_eq!(found.withheld_fields, ["x-a", "set-cookie", "x-b"]);
        assert!(
            response("private=\"\"").private,
            "an empty list restricts nothing"
        );
    }

    #[test]
    fn restrictions_count_however_they_are_written() {
        for value in [
            "private; max-age=60",
            "private=true",
            "private =x",
            "private=x-a",
            "max-age=60;private",
            "ext=\"a, private",
            "ext=\"a\\\", private",
            "Private",
            "private,",
            "\tprivate\t",
            "private=",
            "private=\"x",
            "private= \"x-a\"",
            "\"private\"",
            "'private'",
            "\"private, max-age=60\"",
            "Cache-Control:private",
            "{private}",
        ] {
            assert!(response(value).private, "{value}");
        }
        for value in [
            "\"no-store\"",
            "max-age=60 no-store",
            "No-Store, max-age = 60",
            "no-store; no-cache",
            "no-store;",
            "no-store=1",
            "max-age=1 ; no-store",
        ] {
            assert!(response(value).no_store, "{value}");
        }
        assert!(response("no-cache=1").no_cache);
        assert!(response("public; must-revalidate").proxy_revalidate);
        assert!(
            !response("public; must-revalidate").must_revalidate,
            "it forbids, and permits nothing"
        );
        assert!(response("public; no-transform").no_transform);
        let quoted = response("ext=\"private, no-store; no-cache\", max-age=60");
        assert!(
            !quoted.private && !quoted.no_store && !quoted.no_cache,
            "inside a string it is text"
        );
    }

    #[test]
    fn request_directives_are_read() {
        let found = RequestDirectives::of(&lines(&[
            "max-age=0, min-fresh=5",
            "max-stale, only-if-cached",
        ]));
        assert_eq!(
            (found.max_age, found.min_fresh, found.max_stale),
            (secs(0), secs(5), Some(Duration::MAX))
        );
        assert!(found.only_if_cached && !found.no_cache);
        assert_eq!(
            RequestDirectives::of(&lines(&["max-stale=10"])).max_stale,
            secs(10)
        );
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::PRAGMA, HeaderValue::from_static("no-cache"));
        assert!(RequestDirectives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
        assert!(!RequestDirectives::of(&headers).no_cache);
    }
}
