//! What origins said of queries that make no other answer: remembered by host and path, where a route asks for it.

use crate::semantics::{Key, fields::LONGEST_READ, key::Builder, no_vary_search::Rule};
use http::HeaderMap;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// Paths whose rule is remembered; one that is forgotten is learned again from the next response.
const MAX_RULES: usize = 4_000;

/// The rules. Each process learns its own, so the second request of a path is a miss once more.
///
/// By digest: a path may be as long as a request head, and another one's rule must not be applied to it.
pub(super) struct QueryRules(Cache<[u8; 32], Arc<Rule>>);

impl Default for QueryRules {
    fn default() -> Self {
        Self(Cache::new(MAX_RULES))
    }
}

impl fmt::Debug for QueryRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRules")
            .field("rules", &self.0.len())
            .finish()
    }
}

impl QueryRules {
    /// What of `query` counts; `None` where nothing does.
    pub(super) fn counted(&self, host: &[u8], path: &str, query: Option<&str>) -> Option<String> {
        let query = query?;
        let name = name(&Builder::new("", host, path).build());
        let Some(rule) = name.and_then(|name| self.0.get(&name)) else {
            return Some(query.to_owned());
        };
        Some(rule.apply(query)).filter(|counted| !counted.is_empty())
    }

    /// What a response for `key` says; silence takes an earlier word back.
    pub(super) fn learn(&self, key: &Key, response: &HeaderMap) {
        let Some(name) = name(key) else { return };
        match Rule::of(response) {
            Some(rule) if self.0.get(&name).is_none_or(|known| *known != rule) => {
                self.0.insert(name, Arc::new(rule));
            }
            Some(_) => {}
            None => drop(self.0.remove(&name)),
        }
    }
}

/// Whether a response may be stored under `key`, made of a request with `query`: what was left out of it is what the
/// response itself says does not count.
pub(super) fn may_store(key: &Key, query: Option<&str>, response: &HeaderMap) -> bool {
    let counted = key.path_and_query().and_then(|(_, counted)| counted);
    if counted == query.map(str::as_bytes) {
        return true; // nothing was
    }
    let left = Rule::of(response).map(|rule| rule.apply(query.unwrap_or_default()));
    left.is_some_and(|left| left.as_bytes() == counted.unwrap_or_default())
}

/// `None` of what is longer than is read.
fn name(key: &Key) -> Option<[u8; 32]> {
    let target = key.target().filter(|target| target.len() <= LONGEST_READ);
    target.map(|target| Sha256::digest(target).into())
}
