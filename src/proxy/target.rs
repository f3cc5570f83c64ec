//! The effective request: what a request is about, as RFC 9110 §7.1 says, computed once and checked before anything else
//! looks at it.
//!
//! Route, key, purges and the way to the upstream all read this one value, so that they cannot disagree about where a
//! request goes and how it was reached.

use super::problem::Problem;
use crate::{
    cache,
    message::compact,
    semantics::{fields::all_members, hop_by_hop, path::canonical},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONNECTION, HOST, TE, TRANSFER_ENCODING},
};
use std::borrow::Cow;

/// See the module docs.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Path and query as received; an absolute target also has its scheme and authority.
    uri: Uri,
    /// The one spelling of the path, where it was received in another; see [`canonical`].
    canonical: Option<Box<str>>,
    /// `Host`, or the authority of an absolute target, which wins over it (RFC 9112 §3.2.2); in lower case, because an
    /// origin that corrects the spelling would redirect everybody for ever. An HTTP/1.0 request may have none.
    host: Option<HeaderValue>,
    version: Version,
    /// The client said that it takes trailers (RFC 9110 §6.5.1); the field itself ends at this hop.
    accepts_trailers: bool,
}

impl Target {
    /// Checks what hyper leaves to us, and takes the fields of this hop out of `request`; ambiguous lengths hyper has
    /// refused or resolved already ([RFC 9112 §3.2]).
    ///
    /// [RFC 9112 §3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    pub(super) fn of<B>(request: &mut Request<B>) -> Result<Self, Problem> {
        if *request.method() == Method::CONNECT {
            return Err(Problem::Connect);
        }
        if !request.uri().path().starts_with('/') {
            return Err(Problem::Target);
        }
        let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(Problem::TransferCoding);
        }
        let mut target = Self {
            host: host(request)?,
            canonical: match canonical(request.uri().path()) {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path.into()),
            },
            uri: request.uri().clone(),
            version: request.version(),
            accepts_trailers: false,
        };
        if request.headers().contains_key(CONNECTION) {
            target.accepts_trailers = accepts_trailers(request.headers());
            // Before anything looks at the fields: key, variants and credentials are of what the upstream will see.
            hop_by_hop::remove(request.headers_mut());
        }
        Ok(target)
    }

    /// `http`: the listener speaks nothing else.
    pub(super) fn scheme(&self) -> &'static str {
        "http"
    }

    /// The path by which routes are found, and by which their tags and purges are named: every spelling of a path is the
    /// same one here.
    pub(super) fn canonical_path(&self) -> &str {
        self.canonical.as_deref().unwrap_or(self.uri.path())
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

    /// The `Host` that goes upstream, so that the upstream makes the same links as without a proxy.
    pub(super) fn host_field(&self) -> Option<HeaderValue> {
        self.host.clone()
    }

    /// As the cache sees it.
    pub(super) fn parts(&self) -> cache::Target<'_> {
        cache::Target {
            scheme: self.scheme(),
            host: self.host.as_ref().map_or(b"", |host| host.as_bytes()),
            path: self.uri.path(),
            query: self.uri.query(),
        }
    }

    /// Lets go of the buffer that it was read into.
    pub(super) fn detach(&mut self) {
        self.uri = compact::uri(&self.uri);
        self.host = self.host.as_ref().map(compact::value);
    }
}

fn host<B>(request: &Request<B>) -> Result<Option<HeaderValue>, Problem> {
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    if authority.is_some_and(|authority| !is_host(authority.as_bytes())) {
        return Err(Problem::Host);
    }
    let mut lines = request.headers().get_all(HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(Problem::Host),
        (Some(host), None) if !is_host(host.as_bytes()) => return Err(Problem::Host),
        (None, None) if request.version() >= Version::HTTP_11 => return Err(Problem::Host),
        (host, None) => host,
    };
    let host = match authority {
        Some(authority) => Some(HeaderValue::from_str(authority).map_err(|_| Problem::Host)?),
        None => host.filter(|host| !host.is_empty()).cloned(),
    };
    Ok(host.map(in_lower_case))
}

fn in_lower_case(host: HeaderValue) -> HeaderValue {
    if !host.as_bytes().iter().any(u8::is_ascii_uppercase) {
        return host;
    }
    HeaderValue::from_bytes(&host.as_bytes().to_ascii_lowercase())
        .expect("lower case is as valid as upper case")
}

/// The characters that a host and a port may have; anything else is an attempt to confuse somebody.
fn is_host(host: &[u8]) -> bool {
    host.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte))
}

/// Whether a request says that its sender takes trailers.
fn accepts_trailers(request: &HeaderMap) -> bool {
    all_members(request, &TE).any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        build: impl FnOnce(http::request::Builder) -> http::request::Builder,
    ) -> Result<Target, Problem> {
        Target::of(&mut build(Request::builder()).body(()).unwrap())
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
    fn targets_that_are_no_path_are_refused() {
        assert!(matches!(
            check(|r| r.method("OPTIONS").uri("*").header(HOST, "a")),
            Err(Problem::Target)
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
            .header(CONNECTION, "te, x-secret")
            .header(TE, "trailers")
            .header("x-secret", "1")
            .header("x-other", "2")
            .body(())
            .unwrap();
        let target = Target::of(&mut request).unwrap();
        assert!(target.accepts_trailers());
        let left: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(left, ["host", "x-other"]);
    }
}
