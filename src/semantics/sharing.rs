//! Who may share a stored response ([RFC 9111 §3.5]): the one place that says whose an answer may be. Storing, reusing and
//! collapsing ask here.
//!
//! [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5

use super::{freshness::Source, policy::Policy, refusal::Refusal};
use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE},
};

/// What of a request says who asks, as far as the route neither has it in the key nor lets its callers share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// `Authorization`.
    pub authorization: bool,
    /// `Cookie`, with a cookie that is not in the key.
    pub cookie: bool,
    /// Another field of [`Policy::credentials`].
    pub other: bool,
}

impl Carried {
    /// Those of `request`.
    pub fn of(request: &HeaderMap, policy: &Policy) -> Self {
        let mut found = Self::default();
        if policy.share.is_all() {
            return found;
        }
        for name in request.keys() {
            if !policy.credentials.has(name) || is_lifted(name, policy) {
                continue;
            }
            if *name == COOKIE {
                found.cookie = policy.cookies.has_others(request);
            } else if *name == AUTHORIZATION {
                found.authorization = true;
            } else {
                found.other = true;
            }
        }
        found
    }

    /// Whether there is any.
    pub fn any(self) -> bool {
        self.authorization || self.cookie || self.other
    }

    /// Why what was made for such a caller is not stored, where nothing lifts it. `None` where there is no credential.
    pub fn refusal(self) -> Option<Refusal> {
        let kinds = [
            (self.authorization, Refusal::Authorization),
            (self.other, Refusal::Credential),
            (self.cookie, Refusal::Cookie),
        ];
        kinds
            .into_iter()
            .find(|(carried, _)| *carried)
            .map(|(_, refusal)| refusal)
    }
}

/// Callers that differ in this field have entries of their own, or the operator vouches that they need none.
fn is_lifted(name: &HeaderName, policy: &Policy) -> bool {
    policy.keyed.contains(name) || policy.share.has(name)
}

/// A response that only the route made cacheable is not for callers who may have an answer of their own.
pub(super) fn withheld_from(source: Source, request: &HeaderMap, policy: &Policy) -> bool {
    matches!(source, Source::Route | Source::Heuristic) && Carried::of(request, policy).any()
}

/// A response of which the origin says no more than that it is stale at once is not for them either, in a stale window that
/// somebody else has opened: the operator, or another client. They may have it once the origin has confirmed it to them.
pub(super) fn withheld_while_stale(source: Source, request: &HeaderMap, policy: &Policy) -> bool {
    source == Source::StaleAtOnce && Carried::of(request, policy).any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::{cookies::Cookies, name_pattern::NamePattern, policy::Share};
    use http::HeaderValue;

    fn of(policy: &Policy, fields: &[(&'static str, &'static str)]) -> Carried {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        Carried::of(&fields.iter().map(field).collect(), policy)
    }

    #[test]
    fn each_kind_of_credential_is_known() {
        let policy = Policy::default();
        assert!(of(&policy, &[("authorization", "x")]).authorization);
        assert!(of(&policy, &[("cookie", "a=1")]).cookie);
        assert!(of(&policy, &[("x-api-key", "x")]).other);
        assert!(!of(&policy, &[("accept", "x")]).any());
    }

    #[test]
    fn a_field_in_the_key_is_lifted_and_no_other() {
        let policy = Policy {
            keyed: [HeaderName::from_static("x-api-key"), COOKIE].into(),
            ..Policy::default()
        };
        assert!(!of(&policy, &[("x-api-key", "x"), ("cookie", "a=1")]).any());
        assert!(of(&policy, &[("x-api-key", "x"), ("x-user-id", "1")]).other);
        assert!(
            of(&policy, &[("x_api_key", "x")]).other,
            "it is not what the key has"
        );
    }

    #[test]
    fn a_route_lets_callers_share_all_or_what_it_names() {
        let all = Policy {
            share: Share::All,
            ..Policy::default()
        };
        let everything = [("cookie", "a=1"), ("authorization", "x"), ("x-user", "1")];
        assert!(!of(&all, &everything).any());
        let cookies = Policy {
            share: Share::Those([NamePattern::parse("cookie").unwrap()].into()),
            ..Policy::default()
        };
        assert!(!of(&cookies, &[("cookie", "a=1")]).any());
        let left = of(&cookies, &everything);
        assert!(!left.cookie && left.authorization && left.other);
    }

    #[test]
    fn a_cookie_in_the_key_is_none_and_another_beside_it_is_one() {
        let policy = Policy {
            cookies: Cookies {
                key: ["lang".into()].into(),
                ..Cookies::default()
            }
            .into(),
            ..Policy::default()
        };
        assert!(!of(&policy, &[("cookie", "lang=de")]).any());
        assert!(of(&policy, &[("cookie", "lang=de; sid=1")]).cookie);
    }
}
