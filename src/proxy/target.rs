//! The effective request: what a request is about, as RFC 9110 §7.1 says, computed once and checked before anything else
//! looks at it.
//!
//! Route, key, purges and the way to the upstream all read this one value, so that they cannot disagree about where a
//! request goes and how it was reached.

mod spelling;

use super::{circle, problem::Problem};
use crate::{
    cache,
    message::compact,
    semantics::{
        fields::{is_too_long, request_members},
        forwarded::{self, FORWARDED},
        hop_by_hop,
        host::normal,
        path::{Canonical, canonical},
        reached::{Reached, is_closed},
        seen::Seen,
        upgrade,
    },
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{GetAll, HOST, TE, TRANSFER_ENCODING},
};
use std::borrow::Cow;

/// Longer ambiguous paths of writes are refused, in bytes: what such a write may have changed has to be guessed
/// ([`loosest`](crate::semantics::path::loosest)), which costs more with every byte.
const LONGEST_GUESSED: usize = 3 << 9;

/// See the module docs.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Path and query as received, in ASCII; an absolute target also has its scheme and authority.
    uri: Uri,
    /// The one spelling of the path, where it was received in another; see [`canonical`].
    canonical: Option<Box<str>>,
    has_ambiguous_path: bool,
    /// `Host`, or the authority of an absolute target, which wins over it (RFC 9112 §3.2.2); in its one spelling, because an
    /// origin that corrects the spelling would redirect everybody for ever. An HTTP/1.0 request may have none.
    host: Option<HeaderValue>,
    /// How a trusted peer was reached, where it says so.
    reached: Option<Box<Reached>>,
    version: Version,
    /// The client said that it takes trailers (RFC 9110 §6.5.1); the field itself ends at this hop.
    accepts_trailers: bool,
    /// Only the origin can judge a precondition of it (RFC 9111 §4.3.2).
    has_precondition: bool,
    /// The protocols that it asks for in the place of HTTP.
    upgrade: Option<HeaderValue>,
}

impl Target {
    /// Checks what hyper leaves to us, and takes out of `request` the fields of this hop and, unless its peer `is_trusted`,
    /// those that say how somebody else was reached; ambiguous lengths hyper has refused or resolved already
    /// ([RFC 9112 §3.2]).
    ///
    /// [RFC 9112 §3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    pub(super) fn of<B>(request: &mut Request<B>, is_trusted: bool) -> Result<Self, Problem> {
        if *request.method() == Method::CONNECT {
            return Err(Problem::Connect);
        }
        if !request.uri().path().starts_with('/') {
            let itself = *request.method() == Method::OPTIONS && request.uri().path() == "*";
            return Err(if itself {
                Problem::Itself
            } else {
                Problem::Target
            });
        }
        let mut seen = Seen::of(request.headers());
        if seen.via {
            circle::check(request.headers())?;
        }
        if seen.transfer_encoding {
            let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
            if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
                return Err(Problem::TransferCoding);
            }
        }
        let uri = spelling::encoded(request.uri())?;
        let authority = uri.authority().map(|authority| authority.as_str());
        let (host, respelt) = host(
            authority,
            &request.headers().get_all(HOST),
            request.version(),
        )?;
        if let Some(host) = host.as_ref().filter(|_| respelt) {
            request.headers_mut().insert(HOST, host.clone());
        }
        let canonical = readable(&uri, request.method())?;
        let mut target = Self {
            host,
            reached: None,
            has_ambiguous_path: canonical.is_ambiguous,
            canonical: match canonical.path {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path.into()),
            },
            uri,
            version: request.version(),
            accepts_trailers: false,
            has_precondition: false,
            upgrade: None,
        };
        if seen.connection {
            if hop_by_hop::lists_too_much(request.headers()) {
                return Err(Problem::LongConnection);
            }
            target.accepts_trailers = accepts_trailers(request.headers());
            target.upgrade = upgrade::asked(request.headers());
            // Before anything looks at the fields: key, variants and credentials are of what the upstream will see.
            hop_by_hop::remove(request.headers_mut());
            seen = Seen::of(request.headers());
        }
        target.has_precondition = seen.precondition;
        if seen.reached {
            target.reached = reached(request.headers_mut(), target.host.as_ref(), is_trusted);
        }
        Ok(target)
    }

    /// The scheme by which the client asked: `http`, because the listener speaks nothing else, unless a trusted peer says
    /// otherwise.
    pub(super) fn scheme(&self) -> &'static str {
        self.reached
            .as_ref()
            .map_or("http", |reached| reached.scheme)
    }

    /// Whether a trusted peer says anything of how it was reached.
    pub(super) fn is_reached_by_another(&self) -> bool {
        self.reached.is_some()
    }

    /// The host that the client asked for: that of the request, unless a trusted peer says otherwise.
    pub(super) fn effective_host(&self) -> Option<&HeaderValue> {
        let said = self
            .reached
            .as_ref()
            .and_then(|reached| reached.host.as_ref());
        said.or(self.host.as_ref())
    }

    /// The path by which routes are found, and by which their tags and purges are named: every spelling of a path is the
    /// same one here.
    pub(super) fn canonical_path(&self) -> &str {
        self.canonical.as_deref().unwrap_or(self.uri.path())
    }

    /// Whether servers disagree about what the path names.
    pub(super) fn has_ambiguous_path(&self) -> bool {
        self.has_ambiguous_path
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn accepts_trailers(&self) -> bool {
        self.accepts_trailers
    }

    /// The protocol to switch to, where one of those that the request asks for is `allowed`.
    pub(super) fn upgrade<'a>(&self, allowed: &'a [Box<str>]) -> Option<&'a str> {
        upgrade::allowed(self.upgrade.as_ref()?, allowed)
    }

    pub(super) fn has_precondition(&self) -> bool {
        self.has_precondition
    }

    /// The `Host` that goes upstream, so that the upstream makes the same links as without a proxy.
    pub(super) fn host_field(&self) -> Option<HeaderValue> {
        self.host.clone()
    }

    /// As the cache sees it.
    pub(super) fn parts(&self) -> cache::Target<'_> {
        cache::Target {
            scheme: self.scheme(),
            host: self.effective_host().map_or(b"", HeaderValue::as_bytes),
            own_host: self.host.as_ref().map_or(b"", HeaderValue::as_bytes),
            path: self.uri.path(),
            query: self.uri.query(),
            counted: self
                .reached
                .as_ref()
                .map_or(&[], |reached| &reached.counted),
        }
    }

    /// Lets go of the buffer that it was read into.
    pub(super) fn detach(&mut self) {
        self.uri = compact::uri(&self.uri);
        self.host = self.host.as_ref().map(compact::value);
        if let Some(reached) = &mut self.reached {
            reached.host = reached.host.as_ref().map(compact::value);
            for (_, value) in &mut reached.counted {
                *value = compact::value(value);
            }
        }
    }
}

/// The one spelling of the path of `uri`.
///
/// # Errors
/// It is longer than it can be read, or guessed at ([RFC 9110 §15.5.15]).
///
/// [RFC 9110 §15.5.15]: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.15
fn readable<'u>(uri: &'u Uri, method: &Method) -> Result<Canonical<'u>, Problem> {
    let canonical = canonical(uri.path());
    let is_guessed = canonical.is_ambiguous && !method.is_safe();
    if canonical.is_too_long || (is_guessed && uri.path().len() > LONGEST_GUESSED) {
        return Err(Problem::LongTarget);
    }
    Ok(canonical)
}

/// How the sender of `headers` says that it was reached, if it is trusted; else they are without any such field.
fn reached(
    headers: &mut HeaderMap,
    host: Option<&HeaderValue>,
    is_trusted: bool,
) -> Option<Box<Reached>> {
    if !is_trusted {
        forwarded::remove(headers);
        return None;
    }
    let lines = headers.get_all(FORWARDED).iter();
    let lines: Vec<&[u8]> = lines.map(HeaderValue::as_bytes).collect();
    if is_too_long(headers, &FORWARDED) || !is_closed(&lines.join(&b", "[..])) {
        headers.remove(FORWARDED);
    }
    Some(Box::new(Reached::of(headers, host)))
}

/// The host of a request: of its target where that has one, else of its `Host` ([RFC 9112 §3.2], [RFC 9113 §8.3.1]).
/// HTTP/1.0 knows requests without. Also whether it is another than `Host` says, or in another spelling.
///
/// [RFC 9112 §3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
/// [RFC 9113 §8.3.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
fn host(
    authority: Option<&str>,
    lines: &GetAll<'_, HeaderValue>,
    version: Version,
) -> Result<(Option<HeaderValue>, bool), Problem> {
    let mut lines = lines.iter();
    let (field, respelt) = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(Problem::Host),
        (Some(empty), None) if empty.is_empty() => (None, false),
        (Some(host), None) => match normal(host.as_bytes()).ok_or(Problem::Host)? {
            Cow::Borrowed(_) => (Some(host.clone()), false),
            Cow::Owned(spelt) => (Some(value(&spelt)?), true),
        },
        (None, None) if version == Version::HTTP_11 => return Err(Problem::Host),
        (None, None) => (None, false),
    };
    let Some(authority) = authority else {
        return Ok((field, respelt));
    };
    let authority = normal(authority.as_bytes()).ok_or(Problem::Host)?;
    // There a request with two different hosts is malformed; before, the target wins (RFC 9112 §3.2.2).
    if version > Version::HTTP_11 && field.is_some_and(|field| field.as_bytes() != &*authority) {
        return Err(Problem::Host);
    }
    Ok((Some(value(&authority)?), true))
}

fn value(host: &[u8]) -> Result<HeaderValue, Problem> {
    HeaderValue::from_bytes(host).map_err(|_| Problem::Host)
}

/// Whether a request says that its sender takes trailers.
fn accepts_trailers(request: &HeaderMap) -> bool {
    request_members(request, &TE).any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        build: impl FnOnce(http::request::Builder) -> http::request::Builder,
    ) -> Result<Target, Problem> {
        Target::of(&mut build(Request::builder()).body(()).unwrap(), true)
    }

    #[test]
    fn an_absolute_target_wins_over_host() {
        let absolute = check(|r| r.uri("http://a.example/x").header(HOST, "b.example"));
        assert_eq!(absolute.unwrap().parts().host, b"a.example");
        let relative = check(|r| r.uri("/x").header(HOST, "B.example"));
        assert_eq!(relative.unwrap().parts().host, b"b.example");
    }

    #[test]
    fn a_host_that_is_missing_repeated_or_malformed_is_refused() {
        assert!(matches!(check(|r| r.uri("/")), Err(Problem::Host)));
        assert!(matches!(
            check(|r| r.uri("/").header(HOST, "a").header(HOST, "a")),
            Err(Problem::Host)
        ));
        assert!(matches!(
            check(|r| r.uri("/").header(HOST, "a/b")),
            Err(Problem::Host)
        ));
        let old = check(|r| r.uri("/").version(Version::HTTP_10));
        assert_eq!(old.unwrap().parts().host, b"");
    }

    #[test]
    fn no_authority_is_believed_that_is_no_host() {
        for host in [
            "a:b", "a:80:80", "[::1", "[zz]", "%zz", "a,b", "u@a", "a:65536", ":80",
        ] {
            let refused = check(|r| r.uri("/").header(HOST, host));
            assert!(matches!(refused, Err(Problem::Host)), "{host}");
            let refused = check(|r| r.uri("http://a/").header(HOST, host));
            assert!(
                matches!(refused, Err(Problem::Host)),
                "{host} beside a target with one"
            );
        }
        for uri in ["http://u@a/", "http://a:b/", "http://[zz]/"] {
            let Ok(uri) = uri.parse::<Uri>() else {
                continue;
            };
            let refused = check(|r| r.uri(uri.clone()).header(HOST, "a"));
            assert!(matches!(refused, Err(Problem::Host)), "{uri}");
        }
        let empty = check(|r| r.uri("/").header(HOST, "a:")).unwrap();
        assert_eq!(empty.parts().host, b"a");
    }

    #[test]
    fn whoever_reads_the_field_reads_the_host_of_the_target() {
        for (uri, sent, host) in [("http://a/", "b", "a"), ("/", "A:", "a"), ("/", "a", "a")] {
            let request = Request::builder().uri(uri).header(HOST, sent);
            let mut request = request.body(()).unwrap();
            Target::of(&mut request, true).unwrap();
            assert_eq!(request.headers()[HOST], host, "{uri} {sent}");
        }
    }

    #[test]
    fn later_versions_need_no_host_but_one_that_agrees() {
        let h2 = |host: Option<&'static str>| {
            check(|r| {
                let r = r.uri("http://A.example/").version(Version::HTTP_2);
                host.into_iter().fold(r, |r, host| r.header(HOST, host))
            })
        };
        assert_eq!(h2(None).unwrap().parts().host, b"a.example");
        assert_eq!(h2(Some("a.example")).unwrap().parts().host, b"a.example");
        assert!(matches!(h2(Some("b.example")), Err(Problem::Host)));
    }

    #[test]
    fn what_a_peer_says_of_others_counts_only_if_it_is_trusted() {
        let fields = [
            ("host", "a"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "B"),
            ("x-real-ip", "1"),
            ("a_b", "1"),
        ];
        let target = |is_trusted| {
            let request = Request::builder().uri("/");
            let request = fields
                .iter()
                .fold(request, |r, (name, value)| r.header(*name, *value));
            let mut request = request.body(()).unwrap();
            let target = Target::of(&mut request, is_trusted).unwrap();
            (target, request.headers().len())
        };
        let (trusted, left) = target(true);
        assert_eq!(
            (trusted.scheme(), trusted.parts().host, left),
            ("https", &b"b"[..], 5)
        );
        assert_eq!(trusted.host_field().unwrap(), "a", "which goes on");
        let (stranger, left) = target(false);
        assert_eq!(
            (stranger.scheme(), stranger.parts().host, left),
            ("http", &b"a"[..], 1)
        );
        assert_eq!(stranger.parts().counted, []);
    }

    #[test]
    fn targets_that_are_no_path_are_refused() {
        assert!(matches!(
            check(|r| r.method("GET").uri("*").header(HOST, "a")),
            Err(Problem::Target)
        ));
        assert!(matches!(
            check(|r| r.method("OPTIONS").uri("*").header(HOST, "a")),
            Err(Problem::Itself)
        ));
        assert!(matches!(
            check(|r| r.method("CONNECT").uri("a:1").header(HOST, "a")),
            Err(Problem::Connect)
        ));
    }

    #[test]
    fn a_path_is_known_as_received_and_in_its_one_spelling() {
        let target = check(|r| r.uri("/a/%2e./%62").header(HOST, "a")).unwrap();
        assert_eq!(target.canonical_path(), "/b");
        assert_eq!(target.parts().path, "/a/%2e./%62");
    }

    #[test]
    fn fields_of_this_hop_are_gone_before_anybody_reads_them() {
        let mut request = Request::builder()
            .uri("/")
            .header(HOST, "a")
            .header(http::header::CONNECTION, "te, x-secret")
            .header(TE, "trailers")
            .header("x-secret", "1")
            .header("x-other", "2")
            .body(())
            .unwrap();
        let target = Target::of(&mut request, true).unwrap();
        assert!(target.accepts_trailers());
        let left: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(left, ["host", "x-other"]);
    }
}
