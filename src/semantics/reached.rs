//! How a trusted peer says that it was reached: the effective scheme and host, and what else of that counts in the key
//! ([RFC 9110 §7.1], [RFC 7239]).
//!
//! [RFC 9110 §7.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.1
//! [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239

use super::{
    fields::all_members,
    forwarded::{FORWARDED, Says, says},
    host::normal,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the forwarding fields of a request say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host that the client asked for, where a field says one.
    pub host: Option<HeaderValue>,
    /// What an origin may answer by beside these two, sorted by name.
    pub counted: Vec<(HeaderName, HeaderValue)>,
}

impl Reached {
    /// By the first member of `X-Forwarded-Proto` and `X-Forwarded-Host`, else by the first of `Forwarded`: the one that is
    /// nearest to the client. `host` is that of the request itself.
    ///
    /// What goes on to the origin decides what counts: a field that holds exactly the effective value says nothing more than
    /// the one that this proxy would write in its place.
    pub fn of(headers: &HeaderMap, host: Option<&HeaderValue>) -> Self {
        let mut elements = all_members(headers, &FORWARDED);
        let first = elements.next().unwrap_or_default();
        let by = |name: HeaderName, parameter_name: &[u8]| {
            let member = all_members(headers, &name).next();
            member.into_iter().chain(parameter(first, parameter_name))
        };
        let scheme = by(X_FORWARDED_PROTO, b"proto").find_map(scheme);
        let scheme = scheme.unwrap_or("http");
        let said = by(X_FORWARDED_HOST, b"host").find_map(|said| normal(unquoted(said)));
        let said = said.and_then(|said| HeaderValue::from_bytes(&said).ok());
        let effective = said.as_ref().or(host);
        let same = |name: &HeaderName, value: Option<&[u8]>| {
            let mut lines = headers.get_all(name).iter();
            lines.next().map(HeaderValue::as_bytes) == value && lines.next().is_none()
        };
        let mut counted = counted(headers, |name, says| match says {
            Says::Scheme => !same(name, Some(scheme.as_bytes())),
            Says::Host => !same(name, effective.map(HeaderValue::as_bytes)),
            Says::Target => true,
            Says::All | Says::Address | Says::User => false,
        });
        counted.extend(of_forwarded(headers));
        counted.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Self {
            scheme,
            host: said,
            counted,
        }
    }
}

/// Everything that an origin may answer by, as it was received: for a server that hands on what it gets.
pub fn as_received(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut all = counted(headers, |_, says| {
        matches!(says, Says::Scheme | Says::Host | Says::Target)
    });
    all.extend(of_forwarded(headers));
    all
}

fn counted(
    headers: &HeaderMap,
    counts: impl Fn(&HeaderName, Says) -> bool,
) -> Vec<(HeaderName, HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| says(name).is_some_and(|says| counts(name, says)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What `Forwarded` says at each hop, but for the addresses in it, which name clients and proxies only.
fn of_forwarded(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    headers.get(&FORWARDED)?;
    let mut said = Vec::new();
    for line in headers.get_all(&FORWARDED) {
        for element in line.as_bytes().split(|byte| *byte == b',') {
            for pair in element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
                if !pair.is_empty() && !is_of_a_node(pair) {
                    said.extend_from_slice(pair);
                    said.push(b';');
                }
            }
            said.push(b',');
        }
    }
    // Hops after the last that says something only name themselves.
    let end = said.iter().rposition(|byte| *byte != b',')?;
    Some((FORWARDED, HeaderValue::from_bytes(&said[..=end]).ok()?))
}

/// Whether a pair is `for=` or `by=` with what may be a node ([RFC 7239 §6]) and nothing else. Servers look for `host=` in many
/// ways, in strings and behind other names too: what is not plainly an address may be read as one.
///
/// [RFC 7239 §6]: https://www.rfc-editor.org/rfc/rfc7239#section-6
fn is_of_a_node(pair: &[u8]) -> bool {
    let Some(at) = pair.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let names = [&b"for"[..], b"by"];
    names
        .iter()
        .any(|name| pair[..at].eq_ignore_ascii_case(name))
        && unquoted(&pair[at + 1..])
            .iter()
            .all(|byte| is_of_nodes(*byte))
}

fn is_of_nodes(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".:[]_-%".contains(&byte)
}

/// The value of the parameter `name` of one element, as it is written ([RFC 7239 §4]).
///
/// [RFC 7239 §4]: https://www.rfc-editor.org/rfc/rfc7239#section-4
fn parameter<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut quoted = false;
    let pairs = element.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    });
    pairs
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
        })
        .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
}

fn scheme(said: &[u8]) -> Option<&'static str> {
    let said = unquoted(said);
    ["https", "http"]
        .into_iter()
        .find(|scheme| said.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn unquoted(said: &[u8]) -> &[u8] {
    said.strip_prefix(b"\"")
        .and_then(|said| said.strip_suffix(b"\""))
        .unwrap_or(said)
}

/// Whether `Forwarded` can be continued: in a string that is never closed what is added would be lost.
pub fn is_closed(forwarded: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in forwarded {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HOST;

    fn reached(fields: &[(&'static str, &'static str)]) -> Reached {
        let fields: HeaderMap = fields
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_static(value))
            })
            .collect();
        Reached::of(&fields, fields.get(HOST))
    }

    fn effective(fields: &[(&'static str, &'static str)]) -> (&'static str, Option<String>, usize) {
        let Reached {
            scheme,
            host,
            counted,
        } = reached(fields);
        let host = host.map(|host| host.to_str().unwrap().to_owned());
        (scheme, host, counted.len())
    }

    #[test]
    fn the_first_member_decides_scheme_and_host() {
        let host = |host: &str| Some(host.to_owned());
        assert_eq!(effective(&[("host", "a")]), ("http", None, 0));
        assert_eq!(
            effective(&[
                ("host", "a"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "b")
            ]),
            ("https", host("b"), 0)
        );
        assert_eq!(
            effective(&[
                ("x-forwarded-proto", "https, http"),
                ("x-forwarded-host", "B:, c")
            ]),
            ("https", host("b"), 2),
            "what is more than the effective value counts too"
        );
        assert_eq!(
            effective(&[(
                "forwarded",
                "for=1.2.3.4;Proto=HTTPS;host=\"b:8080\", for=x;host=c"
            )]),
            ("https", host("b:8080"), 1)
        );
        assert_eq!(
            effective(&[
                ("forwarded", "proto=http;host=f"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "x")
            ]),
            ("https", host("x"), 1)
        );
    }

    #[test]
    fn what_is_no_scheme_or_host_counts_as_it_is() {
        assert_eq!(
            effective(&[("x-forwarded-proto", "gopher")]),
            ("http", None, 1)
        );
        assert_eq!(
            effective(&[("x-forwarded-proto", "HTTPS")]),
            ("https", None, 1)
        );
        assert_eq!(effective(&[("x-forwarded-host", "a,b c")]).2, 1);
        assert_eq!(effective(&[("x-forwarded-host", "a:b")]), ("http", None, 1));
        assert_eq!(
            effective(&[("x-forwarded-proto", "http"), ("x-forwarded-proto", "http")]).2,
            2
        );
    }

    #[test]
    fn who_the_client_is_counts_nowhere() {
        for client in [
            ("forwarded", "for=192.0.2.1;by=10.0.0.1"),
            ("forwarded", "for=\"[2001:db8::1]:4711\", for=unknown"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("x-forwarded-client-cert", "Hash=1"),
            ("x-forwarded-user", "alice"),
        ] {
            assert_eq!(
                reached(&[("host", "a"), client]),
                reached(&[("host", "a")]),
                "{client:?}"
            );
        }
        let of = |client| reached(&[("forwarded", client)]);
        assert_eq!(
            of("for=1;proto=https;host=a"),
            of("for=2;proto=https;host=a")
        );
        assert_ne!(
            of("for=1;proto=https;host=a"),
            of("for=1;proto=https;host=b")
        );
        assert_ne!(of("for=1;proto=https"), of("for=1, for=1;proto=https"));
        assert_eq!(
            of("for=1;host=a, for=2"),
            of("for=1;host=a"),
            "hops that say nothing"
        );
    }

    #[test]
    fn what_hides_in_forwarded_counts() {
        for hidden in [
            r#"for="\"";host=evil"#,
            r#"for="x, host=evil""#,
            r#"for="x;host=evil""#,
            r#"for="host=evil""#,
            r"for=1;ho\st=evil",
            "xhost=evil",
            "for=1;x-host=evil",
            "for=1\thost=evil",
            "for=1 host=evil",
            "for=1;host:evil",
            "for=1;host",
        ] {
            assert_ne!(
                reached(&[("forwarded", hidden)]).counted,
                reached(&[("forwarded", "for=1")]).counted,
                "{hidden}"
            );
        }
    }

    #[test]
    fn whatever_else_an_origin_may_answer_by_counts() {
        for field in [
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/x"),
            ("x-original-url", "/admin"),
            ("x-http-method-override", "DELETE"),
            ("x_user", "alice"),
        ] {
            assert_ne!(reached(&[field]), reached(&[]), "{field:?}");
        }
        let (one, other) = (("x-script-name", "/x"), ("x-forwarded-port", "1"));
        assert_eq!(
            reached(&[one, other]),
            reached(&[other, one]),
            "order does not"
        );
    }

    #[test]
    fn a_string_that_is_never_closed_is_told() {
        for closed in ["", "for=a", "for=\"a\"", r#"for="a\"b""#, r"for=\"] {
            assert!(is_closed(closed.as_bytes()), "{closed}");
        }
        for open in ["for=\"a", r#"for="a\""#, "for=\"a\", host=\""] {
            assert!(!is_closed(open.as_bytes()), "{open}");
        }
    }
}
