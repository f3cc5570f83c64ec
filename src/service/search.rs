//! What origins said of queries that make no other answer: remembered by host and path, where a route asks for it.

use crate::semantics::{Key, key::Builder, no_vary_search::Rule};
use http::HeaderMap;
use quick_cache::sync::Cache;
use std::{fmt, sync::Arc};

/// Paths whose rule is remembered; one that is forgotten is learned again from the next response.
const MAX_RULES: usize = 10_000;

/// The rules. Each process learns its own, so the second request of a path is a miss once more.
pub(super) struct Searches(Cache<Box<[u8]>, Arc<Rule>>);

impl Default for Searches {
    fn default() -> Self {
        Self(Cache::new(MAX_RULES))
    }
}

impl fmt::Debug for Searches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Searches")
            .field("rules", &self.0.len())
            .finish()
    }
}

impl Searches {
    /// What of `query` counts; `None` where nothing does.
    pub(super) fn counted(&self, host: &[u8], path: &str, query: Option<&str>) -> Option<String> {
        let query = query?;
        let rule = Builder::new("", host, path)
            .build()
            .target()
            .and_then(|target| self.0.get(target));
        let counted = rule.map_or_else(|| query.to_owned(), |rule| rule.apply(query));
        Some(counted).filter(|counted| !counted.is_empty())
    }

    /// What a response for `key` says; silence takes an earlier word back.
    pub(super) fn learn(&self, key: &Key, response: &HeaderMap) {
        let Some(target) = key.target() else { return };
        match Rule::of(response) {
            Some(rule) if self.0.get(target).is_none_or(|known| *known != rule) => {
                self.0.insert(target.into(), Arc::new(rule));
            }
            Some(_) => {}
            None => drop(self.0.remove(target)),
        }
    }
}
