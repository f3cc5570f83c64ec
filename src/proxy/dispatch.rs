//! What kind of request it is.

use super::{live::Settings, query, target::Target};
use crate::{
    message::names::BYPASS,
    semantics::{Policy, Reason},
};
use http::{HeaderMap, Method, Request, Version, header::MAX_FORWARDS};
use http_body::Body;

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It purges this cache.
    Purge,
    /// It goes to the upstream and the cache is not asked.
    Pass(Reason),
    /// It is a QUERY: its content is read first, because that is part of its key.
    Question,
    /// The cache is asked.
    Cached,
    /// It is answered here: TRACE, or as far as `Max-Forwards` lets it go.
    Itself,
    /// TRACE is not served.
    Trace,
}

/// The plan for `request`. A pure function: nothing is looked up for it.
pub(super) fn plan<B: Body>(
    settings: &Settings,
    policy: &Policy,
    target: &Target,
    request: &Request<B>,
) -> Plan {
    if settings.purge_token.is_some() && request.method().as_str() == "PURGE" {
        return Plan::Purge;
    }
    match *request.method() {
        Method::TRACE if !settings.trace => return Plan::Trace,
        Method::OPTIONS | Method::TRACE if is_its_last_hop(request.headers()) => {
            return Plan::Itself;
        }
        _ => {}
    }
    if let Some(reason) = bypass(settings, policy, target, request) {
        return Plan::Pass(reason);
    }
    if query::is_one(request.method()) {
        Plan::Question
    } else {
        Plan::Cached
    }
}

/// Whether `Max-Forwards` lets a request go no further ([RFC 9110 §7.6.2]).
///
/// [RFC 9110 §7.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
fn is_its_last_hop(request: &HeaderMap) -> bool {
    request.get(MAX_FORWARDS).is_some_and(|hops| hops == "0")
}

/// Why the cache is not asked, if so.
fn bypass<B: Body>(
    settings: &Settings,
    policy: &Policy,
    target: &Target,
    request: &Request<B>,
) -> Option<Reason> {
    let headers = request.headers();
    if is_upgrade(settings, target, request) {
        return Some(Reason::Upgrade);
    }
    if !settings.enabled {
        return Some(Reason::Disabled);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !query::is_small(request) {
        return Some(Reason::Method);
    }
    if !policy.cache {
        return Some(Reason::Route);
    }
    let token = settings.bypass_token.as_ref();
    if token.is_some_and(|token| token.is(headers.get(BYPASS))) {
        return Some(Reason::Token);
    }
    if target.has_ambiguous_path() {
        return Some(Reason::Path);
    }
    if !query::is_one(request.method()) && !request.body().is_end_stream() {
        return Some(Reason::Content);
    }
    target.has_precondition().then_some(Reason::Precondition)
}

/// Whether `request` asks for another protocol that clients may switch to. HTTP/1.0 knows none ([RFC 9110 §7.8]), and behind
/// content nobody could tell where the other protocol begins.
///
/// [RFC 9110 §7.8]: https://www.rfc-editor.org/rfc/rfc9110#section-7.8
fn is_upgrade<B: Body>(settings: &Settings, target: &Target, request: &Request<B>) -> bool {
    target.upgrade(&settings.upgrade).is_some()
        && *request.method() == Method::GET
        && target.version() == Version::HTTP_11
        && request.body().is_end_stream()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{peer::Trusted, token::Token};
    use bytes::Bytes;
    use http_body_util::Full;

    fn settings() -> Settings {
        Settings {
            enabled: true,
            clear_site_data: false,
            bypass_token: None,
            purge_token: None,
            trace: false,
            trusted: Trusted::default(),
            upgrade: vec!["websocket".into()],
        }
    }

    fn planned(
        settings: &Settings,
        policy: &Policy,
        method: &str,
        fields: &[(&str, &str)],
    ) -> Plan {
        let request = Request::builder().method(method).uri("/");
        let request = fields.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        of(settings, policy, request, "")
    }

    fn of(
        settings: &Settings,
        policy: &Policy,
        request: http::request::Builder,
        content: &'static str,
    ) -> Plan {
        let content = Full::new(Bytes::from_static(content.as_bytes()));
        let mut request = request.header("host", "a").body(content).unwrap();
        let target = Target::of(&mut request, true).unwrap();
        plan(settings, policy, &target, &request)
    }

    #[test]
    fn safe_methods_are_cached_and_others_pass() {
        let planned = |method| planned(&settings(), &Policy::default(), method, &[]);
        assert_eq!(planned("GET"), Plan::Cached);
        assert_eq!(planned("HEAD"), Plan::Cached);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PURGE", "QUERY"] {
            assert_eq!(planned(method), Plan::Pass(Reason::Method), "{method}");
        }
    }

    #[test]
    fn a_query_is_asked_when_its_content_says_that_it_is_small() {
        let planned = |length| {
            let fields = [("content-length", length)];
            planned(&settings(), &Policy::default(), "QUERY", &fields)
        };
        assert_eq!(planned("0"), Plan::Question);
        assert_eq!(planned("65536"), Plan::Question);
        assert_eq!(planned("65537"), Plan::Pass(Reason::Method));
    }

    #[test]
    fn what_the_operator_switched_off_passes() {
        let off = Settings {
            enabled: false,
            ..settings()
        };
        let route = Policy {
            cache: false,
            ..Policy::default()
        };
        let get = |settings: &Settings, policy: &Policy| planned(settings, policy, "GET", &[]);
        assert_eq!(get(&off, &Policy::default()), Plan::Pass(Reason::Disabled));
        assert_eq!(get(&settings(), &route), Plan::Pass(Reason::Route));
    }

    #[test]
    fn tokens_are_asked_for_only_where_there_are_some() {
        let both = Settings {
            bypass_token: Some(Token::new("bypass")),
            purge_token: Some(Token::new("purge")),
            ..settings()
        };
        let policy = Policy::default();
        let with = |token| [("x-sidecache-bypass", token)];
        let get = |settings: &Settings, token| planned(settings, &policy, "GET", &with(token));
        assert_eq!(get(&both, "bypass"), Plan::Pass(Reason::Token));
        assert_eq!(get(&both, "wrong"), Plan::Cached);
        assert_eq!(get(&settings(), ""), Plan::Cached);
        assert_eq!(planned(&both, &policy, "PURGE", &[]), Plan::Purge);
    }

    #[test]
    fn a_precondition_that_only_the_origin_can_judge_passes() {
        let fields = [("if-match", "\"1\"")];
        let plan = planned(&settings(), &Policy::default(), "GET", &fields);
        assert_eq!(plan, Plan::Pass(Reason::Precondition));
    }

    #[test]
    fn a_path_that_servers_read_in_several_ways_passes() {
        let policy = Policy::default();
        for path in ["/a/../b", "/a//b", "/%2e/a", "/a%2fb", "/a;b"] {
            let plan = of(&settings(), &policy, Request::get(path), "");
            assert_eq!(plan, Plan::Pass(Reason::Path), "{path}");
        }
        let escaped = of(&settings(), &policy, Request::get("/%61%e9b"), "");
        assert_eq!(escaped, Plan::Cached);
    }

    #[test]
    fn another_protocol_passes_if_it_may() {
        let asking = |request: http::request::Builder, protocol| {
            let request = request
                .header("connection", "upgrade")
                .header("upgrade", protocol);
            of(&settings(), &Policy::default(), request, "")
        };
        assert_eq!(
            asking(Request::get("/"), "WebSocket"),
            Plan::Pass(Reason::Upgrade)
        );
        assert_eq!(asking(Request::get("/"), "h2c"), Plan::Cached);
        assert_eq!(asking(Request::head("/"), "websocket"), Plan::Cached);
        let old = Request::get("/").version(Version::HTTP_10);
        assert_eq!(asking(old, "websocket"), Plan::Cached);
    }

    #[test]
    fn a_get_with_content_passes() {
        let plan = of(&settings(), &Policy::default(), Request::get("/"), "{}");
        assert_eq!(plan, Plan::Pass(Reason::Content));
    }
}
