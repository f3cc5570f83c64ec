//! Fields by which whoever stands before a server tells it how it was reached ([RFC 7239] and its elders): a closed list.
//!
//! Anybody can send them. Of a peer that is not trusted none of them goes on; of a trusted one those that may decide what is
//! answered are part of the key. What only says who the client is neither splits nor poisons: an origin that answers by it
//! says so as for any other field, by `Vary` or `private`.
//!
//! [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239

use super::field_name::is_plain;
use http::{HeaderMap, HeaderName};

/// What a field of the list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The scheme by which the client asked: `X-Forwarded-Proto`.
    Scheme,
    /// The host that the client asked for: `X-Forwarded-Host`.
    Host,
    /// All of it: `Forwarded`.
    All,
    /// Port, path, prefix, method and whatever else an origin may answer by.
    Target,
    /// The address of the client, or of a proxy before this one.
    Address,
    /// Who the client is: a user, a token, a certificate.
    User,
}

/// `Forwarded` ([RFC 7239 §4]).
///
/// [RFC 7239 §4]: https://www.rfc-editor.org/rfc/rfc7239#section-4
pub const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// What `name` says of how a server was reached; `None` for the fields that say nothing of it.
pub fn says(name: &HeaderName) -> Option<Says> {
    let name = name.as_str();
    let listed = match name.as_bytes()[0] {
        b'x' => of_x(name),
        b'f' => of_f(name),
        b'c' => of_c(name),
        b't' if name == "true-client-ip" => Some(Says::Address), // Akamai, Cloudflare
        b's' if name.starts_with("ssl-client-") => Some(Says::User), // ingress-nginx
        // What is put in by whoever stands in front: holes in a page that others get too (Edge Architecture §2.2).
        b's' if name == "surrogate-capability" => Some(Says::Target),
        b'p' if name == "proxy" => Some(Says::Target), // HTTP_PROXY of CGI programs (CVE-2016-5385)
        b'h' if name == "https" => Some(Says::Target),
        b'd' if name == "disguised-host" => Some(Says::Target), // Azure
        b'w' => match name {
            "wl-proxy-client-ip" => Some(Says::Address),
            "was-default-hostname" => Some(Says::Target), // Azure
            _ => name.starts_with("wl-proxy-").then_some(Says::Target), // WebLogic
        },
        b'b' if name == "base-url" => Some(Says::Target),
        _ => None,
    };
    // One variable with the dashed name in CGI, WSGI, Rack and PHP.
    listed.or_else(|| (!is_plain(name.as_bytes())).then_some(Says::Target))
}

fn of_f(name: &str) -> Option<Says> {
    match name {
        "forwarded" => Some(Says::All),
        "front-end-https" | "fastly-ssl" | "fastly-host" | "fastly-orig-host" => Some(Says::Target),
        "fastly-client-ip" | "fly-client-ip" | "forwarded-for" => Some(Says::Address),
        // RFC 7239's field as if it were X-Forwarded-*: Rack, Play and others.
        _ if name.starts_with("forwarded-") || name.starts_with("fly-forwarded-") => {
            Some(Says::Target)
        }
        _ => None,
    }
}

fn of_c(name: &str) -> Option<Says> {
    match name {
        "cf-visitor" | "cloudfront-forwarded-proto" => Some(Says::Target), // they hold the scheme
        "cf-connecting-ip" | "cf-connecting-ipv6" | "cf-pseudo-ipv4" | "client-ip" => {
            Some(Says::Address)
        }
        "client-cert" | "client-cert-chain" => Some(Says::User), // RFC 9440 §3
        "cloudfront-viewer-address" => Some(Says::Address),
        _ => None,
    }
}

/// Nearly all fields of the list begin like this.
fn of_x(name: &str) -> Option<Says> {
    let rest = name.strip_prefix("x-")?;
    if let Some(forward) = rest.strip_prefix("forward") {
        return Some(of_x_forward(forward));
    }
    if let Some(tls) = rest.strip_prefix("ssl") {
        return of_x_ssl(tls);
    }
    match rest {
        // Which host, path or prefix was asked for: Symfony, IIS, Envoy, ingress-nginx, WSGI.
        "host"
        | "host-override"
        | "http-host-override"
        | "original-host"
        | "original-url"
        | "original-uri"
        | "original-path"
        | "rewrite-url"
        | "rewrite-uri"
        | "request-uri"
        | "request-url"
        | "script-name"
        | "base-url"
        | "proxy-host"
        | "proxy-url"
        | "proxy-port"
        | "real-host"
        | "real-port"
        | "envoy-original-path"
        | "envoy-original-host"
        | "envoy-original-dst-host"
        | "original-querystring"
        | "original-request-uri"
        | "override-url"
        | "http-path-override"
        | "http-destinationurl"
        | "ms-original-url"
        | "waws-unencoded-url"
        | "context-path"
        | "ingress-path"
        | "external-host"
        | "server-name"
        | "server-port"
        // By which scheme.
        | "scheme"
        | "url-scheme"
        | "proto"
        | "original-proto"
        | "original-scheme"
        | "client-proto"
        | "client-scheme"
        | "proxy-proto"
        | "real-proto"
        | "https"
        | "arr-ssl"
        | "appservice-proto"
        // By which method: Rails, Symfony, Express and others carry it out.
        | "http-method"
        | "http-method-override"
        | "method-override"
        | "original-method" => Some(Says::Target),
        "client-cert" | "client-verify" | "arr-clientcert" => Some(Says::User),
        _ if is_address(rest) => Some(Says::Address),
        _ if is_of_frameworks(rest) => Some(Says::Target),
        _ if rest.starts_with("amzn-mtls-") => Some(Says::User),
        _ => None,
    }
}

/// Where the client is.
fn is_address(rest: &str) -> bool {
    matches!(
        rest,
        "real-ip"
            | "client-ip"
            | "cluster-client-ip"
            | "proxyuser-ip"
            | "originating-ip"
            | "remote-ip"
            | "remote-addr"
            | "remote-host"
            | "remote-port"
            | "http-forwarded-for"
            | "original-forwarded-for"
            | "original-remote-addr"
            | "azure-clientip"
            | "azure-socketip"
            | "envoy-external-address"
            | "envoy-internal"
            | "appengine-user-ip"
            | "vercel-forwarded-for"
    )
}

/// What one part of a framework tells another, or the server in front of it: anybody who says so from outside gets another
/// answer, and others after him.
fn is_of_frameworks(rest: &str) -> bool {
    match rest {
        // Which page: Next.js (CVE-2025-29927, CVE-2024-46982), React Router (CVE-2025-43864, CVE-2025-43865).
        "matched-path"
        | "now-route-matches"
        | "middleware-subrequest"
        | "middleware-subrequest-id"
        | "react-router-spa-mode"
        | "react-router-prerender-data"
        // That the content is left out, because the server in front sends it: Rack (CVE-2025-61780).
        | "sendfile-type" => true,
        _ => rest.starts_with("invoke-") || rest.starts_with("accel-"),
    }
}

/// `X-Forwarded-*`, bare `X-Forwarded`, and its misspellings.
fn of_x_forward(rest: &str) -> Says {
    let Some(what) = rest.strip_prefix("ed-") else {
        return Says::Target;
    };
    match what {
        "proto" => Says::Scheme,
        "host" => Says::Host,
        "for" | "by" | "client-ip" | "client-port" | "remote-ip" | "remote-addr" | "request-id" => {
            Says::Address
        }
        "user" | "email" | "groups" | "preferred-username" | "access-token" | "id-token" => {
            Says::User
        }
        _ if what.starts_with("client-cert") || what.starts_with("tls-client-cert") => Says::User,
        _ => Says::Target,
    }
}

/// `X-SSL`, `X-SSL-*`: whether TLS was spoken, and with whom.
fn of_x_ssl(rest: &str) -> Option<Says> {
    match rest {
        "" => Some(Says::Target),
        _ if !rest.starts_with('-') => None,
        _ if [
            "-client", "-cert", "-session", "-cipher", "-issuer", "-subject",
        ]
        .iter()
        .any(|whom| rest.starts_with(whom)) =>
        {
            Some(Says::User)
        }
        _ => Some(Says::Target),
    }
}

/// Takes all of them out: of a peer that is not trusted they say what it likes.
pub fn remove(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| says(name).is_some())
        .cloned()
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::credentials::Credentials;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn of(name: &str) -> Option<Says> {
        says(&HeaderName::from_bytes(name.as_bytes()).unwrap())
    }

    #[test]
    fn what_may_decide_the_answer_is_told_from_what_names_the_client() {
        assert_eq!(of("X-Forwarded-Proto"), Some(Says::Scheme));
        assert_eq!(of("x-forwarded-host"), Some(Says::Host));
        assert_eq!(of("Forwarded"), Some(Says::All));
        for name in [
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Forwarded-Anything",
            "X-Forwarded",
            "X-Forward-Proto",
            "X-Original-URL",
            "X-Original-URI",
            "X-Original-Host",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-HTTP-Host-Override",
            "X-Host",
            "Front-End-Https",
            "X-Url-Scheme",
            "X-Scheme",
            "X-Proxy-Host",
            "X-Script-Name",
            "X-Request-URI",
            "X-SSL",
            "Proxy",
            "Base-Url",
            "Https",
            "Forwarded-Host",
            "Forwarded-Proto",
            "Fastly-Host",
            "Surrogate-Capability",
            "WL-Proxy-SSL",
            "Disguised-Host",
            "X-Accel-Mapping",
            "X-Sendfile-Type",
            "X-Middleware-Subrequest",
            "X-Invoke-Status",
            "X-Matched-Path",
        ] {
            assert_eq!(of(name), Some(Says::Target), "{name}");
        }
        for name in [
            "X-Forwarded-For",
            "X-Forwarded-Request-Id",
            "X-Real-IP",
            "X-Client-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "Fastly-Client-IP",
            "X-Cluster-Client-IP",
            "X-ProxyUser-Ip",
            "Forwarded-For",
            "Fly-Client-IP",
            "WL-Proxy-Client-IP",
            "CloudFront-Viewer-Address",
            "X-Appengine-User-IP",
            "X-Vercel-Forwarded-For",
        ] {
            assert_eq!(of(name), Some(Says::Address), "{name}");
        }
        for name in [
            "X-Forwarded-User",
            "X-Forwarded-Email",
            "X-Forwarded-Access-Token",
            "X-Forwarded-Client-Cert",
            "X-SSL-Client-S-DN",
            "SSL-Client-Cert",
            "Client-Cert",
            "Client-Cert-Chain",
            "X-Client-Cert",
            "X-Client-Verify",
            "X-Forwarded-Groups",
            "X-Forwarded-Preferred-Username",
            "X-Forwarded-Id-Token",
            "X-Forwarded-Tls-Client-Cert-Info",
            "X-Amzn-Mtls-Clientcert",
            "X-ARR-ClientCert",
        ] {
            assert_eq!(of(name), Some(Says::User), "{name}");
            // It is in no key, so it has to be what keeps callers apart.
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert!(Credentials::usual().has(&name), "{name}");
        }
    }

    #[test]
    fn other_fields_say_nothing_of_it() {
        for name in [
            "accept",
            "authorization",
            "cookie",
            "destination", // of WebDAV
            "host",
            "from",
            "forwarder",
            "via",
            "x-request-id",
            "x-user-id",
            "x-auth-request-user",
            "remote-user",
            "x-api-key",
            "x-sslish",
            "x-requested-with",
            "proxy-authorization",
            "x-original-filename",
            "x-middleware-prefetch", // of browsers
            "surrogate-key",
            "cf-ipcountry", // which answers may depend on, in the key
            "warning",
            "depth",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn an_odd_name_is_one_of_them_whatever_it_says() {
        for name in [
            "_",
            "x_user",
            "a_b",
            "abcdefg_",
            "_bcdefgh",
            "abcdefghi_k",
            "abcdefgh_",
            "x.forwarded.host",
            "x!user",
            "$wssn",
        ] {
            assert_eq!(of(name), Some(Says::Target), "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_the_list_is_left_and_nothing_else_is_lost(
            names in proptest::collection::vec(
                "(x-)?(forwarded|real|client|ssl|original|host|proxy|cf-connecting|accept|user)(-|_)?(for|ip|url|proto|)", 0..20),
        ) {
            let mut headers = HeaderMap::new();
            for name in &names {
                headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("1"));
            }
            let rest = headers.keys().filter(|name| says(name).is_none()).count();
            remove(&mut headers);
            prop_assert!(!headers.keys().any(|name| says(name).is_some()));
            prop_assert_eq!(headers.keys_len(), rest);
        }
    }
}
