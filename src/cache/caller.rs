//! Who may be given the same answer without being asked who they are.

use crate::semantics::{Key, Policy, policy::Share};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

/// Who shares a flight: requests of one key, and of those only callers with credentials, or only callers without. What the
/// first ones get may not be for others, and nobody shall wait for that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    pub(super) key: Key,
    /// See [`has_credentials`].
    pub(super) credentials: bool,
}

impl Caller {
    /// Who asks for `key` with the fields `request`.
    pub(super) fn of(key: &Key, policy: &Policy, request: &HeaderMap) -> Self {
        Self {
            key: key.clone(),
            credentials: has_credentials(policy, request),
        }
    }
}

/// Whether the caller may get a response of its own that the route does not let others see: it says nothing about what is
/// stored for others.
pub(super) fn has_credentials(policy: &Policy, request: &HeaderMap) -> bool {
    let own = |name, in_key: bool| request.contains_key(name) && !in_key;
    policy.share != Share::All
        && (own(AUTHORIZATION, policy.key_has_authorization) || own(COOKIE, policy.key_has_cookie))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn a_credential_that_is_in_the_key_or_shared_makes_no_caller_of_its_own() {
        let request = |name: HeaderName| -> HeaderMap {
            [(name, HeaderValue::from_static("x"))]
                .into_iter()
                .collect()
        };
        let policy = Policy::default();
        assert!(has_credentials(&policy, &request(AUTHORIZATION)));
        assert!(has_credentials(&policy, &request(COOKIE)));
        assert!(!has_credentials(&policy, &HeaderMap::new()));
        let keyed = Policy {
            key_has_authorization: true,
            ..Policy::default()
        };
        assert!(!has_credentials(&keyed, &request(AUTHORIZATION)));
        assert!(has_credentials(&keyed, &request(COOKIE)));
        let shared = Policy {
            share: Share::All,
            ..Policy::default()
        };
        assert!(!has_credentials(&shared, &request(COOKIE)));
    }
}
