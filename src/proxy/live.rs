//! Everything that a reload replaces, as one value: a request takes it once, at its beginning, and keeps it.

use super::{
    peer::Trusted,
    route::{Route, Routes},
    token::Token,
};
use crate::{cache, metrics::Metrics, semantics::Policy};
use std::sync::Arc;

/// What `[cache]` says about who may ask it for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether the cache is used at all.
    pub enabled: bool,
    /// Whether the answer to a write with `Clear-Site-Data: "cache"` purges everything.
    pub clear_site_data: bool,
    /// A request whose `X-Sidecache-Bypass` holds it goes to the upstream.
    pub bypass_token: Option<Token>,
    /// A PURGE whose `X-Sidecache-Purge` holds it purges; without one PURGE is a method like any other.
    pub purge_token: Option<Token>,
    /// Whether TRACE goes to the upstream.
    pub trace: bool,
    /// Whose forwarding fields count.
    pub trusted: Trusted,
    /// The protocols that clients may switch to.
    pub upgrade: Vec<Box<str>>,
}

/// See the module docs.
#[derive(Debug)]
pub struct Live {
    pub(super) settings: Settings,
    pub(super) routes: Routes,
}

impl Live {
    /// `routes` in order, and `default_policy` where none of them matches.
    pub fn new(
        settings: Settings,
        routes: Vec<Route>,
        default_policy: Policy,
        cache: cache::Settings,
        metrics: &Metrics,
    ) -> Self {
        Self {
            settings,
            routes: Routes::new(routes, default_policy, &Arc::new(cache), metrics),
        }
    }
}
