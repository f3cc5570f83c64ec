//! The target of a request, reconstructed as RFC 9110 §7.1 says and checked before anything else looks at it.

use super::{compact, rescue::Problem};
use http::{
    HeaderName, Method, Request, Uri, Version,
    header::{HOST, TRANSFER_ENCODING},
};

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) struct Target {
    uri: Uri,
    /// `Host`, or the authority of an absolute target, which wins over it (RFC 9112 §3.2.2).
    pub(super) host: Host,
}

/// Where the host came from.
#[derive(Clone, Debug)]
pub(super) enum Host {
    /// An absolute target.
    Authority,
    /// The field.
    Field,
    /// An HTTP/1.0 request may have none.
    None,
}

impl Target {
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Lets go of the buffer that it was read into.
    pub(super) fn detach(&mut self) {
        self.uri = compact::uri(&self.uri);
    }

    /// The host as received.
    pub(super) fn host<'a, B>(&'a self, request: &'a Request<B>) -> &'a [u8] {
        match self.host {
            Host::Authority => self
                .uri
                .authority()
                .map_or(b"", |authority| authority.as_str().as_bytes()),
            Host::Field => request
                .headers()
                .get(HOST)
                .map_or(b"", |host| host.as_bytes()),
            Host::None => b"",
        }
    }
}

/// Checks what hyper leaves to us; ambiguous lengths it has refused or resolved already ([RFC 9112 §3.2]).
///
/// [RFC 9112 §3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
pub(super) fn of<B>(request: &Request<B>) -> Result<Target, Problem> {
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
    let authority = request
        .uri()
        .authority()
        .map_or(&b""[..], |authority| authority.as_str().as_bytes());
    if !is_host(authority) {
        return Err(Problem::Host);
    }
    Ok(Target {
        host: host(request)?,
        uri: request.uri().clone(),
    })
}

fn host<B>(request: &Request<B>) -> Result<Host, Problem> {
    let mut lines = request.headers().get_all(HOST).iter();
    match (lines.next(), lines.next()) {
        (_, Some(_)) => Err(Problem::Host),
        (Some(host), None) if !is_host(host.as_bytes()) => Err(Problem::Host),
        (Some(_), None) if request.uri().authority().is_none() => Ok(Host::Field),
        (None, None) if request.version() >= Version::HTTP_11 => Err(Problem::Host),
        (None, None) if request.uri().authority().is_none() => Ok(Host::None),
        _ => Ok(Host::Authority),
    }
}

/// The characters that a host and a port may have; anything else is an attempt to confuse somebody.
fn is_host(host: &[u8]) -> bool {
    host.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte))
}

/// The field by which callers may ask to bypass the cache.
pub(super) const BYPASS: HeaderName = HeaderName::from_static("x-sidecache-bypass");

/// The field by which callers prove that they may purge.
pub(super) const PURGE_TOKEN: HeaderName = HeaderName::from_static("x-sidecache-purge");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        build: impl FnOnce(http::request::Builder) -> http::request::Builder,
    ) -> Result<Target, Problem> {
        of(&build(Request::builder()).body(()).unwrap())
    }

    #[test]
    fn an_absolute_target_wins_over_host() {
        let request = Request::builder()
            .uri("http://a.example/x")
            .header(HOST, "b.example")
            .body(())
            .unwrap();
        assert_eq!(of(&request).unwrap().host(&request), b"a.example");
        let request = Request::builder()
            .uri("/x")
            .header(HOST, "b.example")
            .body(())
            .unwrap();
        assert_eq!(of(&request).unwrap().host(&request), b"b.example");
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
        assert!(check(|r| r.uri("/").version(Version::HTTP_10)).is_ok());
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
}
