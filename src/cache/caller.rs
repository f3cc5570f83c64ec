//! Who may be given the same answer without being asked who they are.

use crate::semantics::{Key, Policy, sharing::Carried};
use http::HeaderMap;

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
    Carried::of(request, policy).any()
}
