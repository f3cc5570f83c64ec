//! What kind of request it is.

use super::{live::Settings, query, target::Target};
use crate::{cache::Rule, message::names::BYPASS, semantics::Reason};
use http::{
    HeaderMap, Method, Request, Version,
    header::{IF_NONE_MATCH, MAX_FORWARDS},
};
use http_body::Body;

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It purges this cache.
    Purge,
    /// It goes to the upstream and the cache is not asked.
    Pass(Reason),
    /// It is a QUERY, or a POST that is a read: its content is read first, because that is part of its key.
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
    rule: &Rule,
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
    if let Some(reason) = bypass(settings, rule, target, request) {
        return Plan::Pass(reason);
    }
    if is_of_no_content(request.method()) {
        Plan::Cached
    } else {
        Plan::Question
    }
}

/// Whether `Max-Forwards` lets a request go no further ([RFC 9110 §7.6.2]).
///
/// [RFC 9110 §7.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
fn is_its_last_hop(request: &HeaderMap) -> bool {
    request.get(MAX_FORWARDS).is_some_and(|hops| hops == "0")
}

/// Whether content is no part of what `method` asks.
fn is_of_no_content(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Why the cache is not asked, if so.
fn bypass<B: Body>(
    settings: &Settings,
    rule: &Rule,
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
    let is_of_no_content = is_of_no_content(request.method());
    if !is_of_no_content && !query::is_one(rule, request) {
        return Some(Reason::Method);
    }
    if !rule.policy.cache {
        return Some(Reason::Route);
    }
    let token = settings.bypass_token.as_ref();
    if token.is_some_and(|token| token.is(headers.get(BYPASS))) {
        return Some(Reason::Token);
    }
    if target.has_ambiguous_path() {
        return Some(Reason::Path);
    }
    if is_of_no_content && !request.body().is_end_stream() {
        return Some(Reason::Content);
    }
    // Where it fails the answer to a POST is 412, which no cache gives (RFC 9110 §13.1.2).
    let is_for_the_origin = target.has_precondition()
        || (*request.method() == Method::POST && headers.contains_key(IF_NONE_MATCH));
    is_for_the_origin.then_some(Reason::Precondition)
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
    use crate::{
        cache::{self, KeySpec},
        proxy::{peer::Trusted, token::Token},
        semantics::Policy,
    };
    use bytes::Bytes;
    use http_body_util::Full;
    use std::sync::Arc;

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
        plan(settings, &rule(policy, false), &target, &request)
    }

    fn rule(policy: &Policy, body: bool) -> Rule {
        let key = KeySpec {
            body,
            ..KeySpec::default()
        };
        Rule::new(policy.clone(), key, Arc::new(cache::Settings::default()))
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
    fn a_post_is_asked_where_its_route_says_so() {
        let planned = |body, method, fields: &[(&str, &str)]| {
            let mut request = Request::builder().method(method).uri("/");
            for (name, value) in [("host", "a")].iter().chain(fields) {
                request = request.header(*name, *value);
            }
            let mut request = request.body(Full::new(Bytes::from_static(b"{}"))).unwrap();
            let target = Target::of(&mut request, true).unwrap();
            let rule = rule(&Policy::default(), body);
            plan(&settings(), &rule, &target, &request)
        };
        let two = ("content-length", "2");
        assert_eq!(planned(true, "POST", &[two]), Plan::Question);
        let method = Plan::Pass(Reason::Method);
        assert_eq!(planned(false, "POST", &[two]), method);
        assert_eq!(planned(true, "PUT", &[two]), method);
        assert_eq!(
            planned(true, "POST", &[("content-length", "65537")]),
            method
        );
        assert_eq!(planned(true, "POST", &[]), method, "of unknown length");
        for precondition in ["if-none-match", "if-match", "if-unmodified-since"] {
            let fields = [two, (precondition, "*")];
            let plan = planned(true, "POST", &fields);
            assert_eq!(plan, Plan::Pass(Reason::Precondition), "{precondition}");
        }
        let fields = [two, ("if-none-match", "*")];
        assert_eq!(planned(true, "QUERY", &fields), Plan::Question);
        let get = planned(true, "GET", &[two]);
        assert_eq!(get, Plan::Pass(Reason::Content), "which it has no use for");
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
