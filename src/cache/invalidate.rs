//! What a write invalidates when it comes back ([RFC 9111 §4.4]).
//!
//! [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4

use super::key::Target;
use crate::{
    message::Stream,
    origin::{FetchError, OriginError},
    semantics::{
        invalidation::{
            CACHE_GROUP_INVALIDATION, clears_caches, group_tag, groups, invalidates, named_paths,
        },
        path::loosest,
    },
    store::{Purge, Selector},
};
use http::{HeaderMap, Method, Response};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A write, as far as it matters for what it makes invalid.
#[derive(Debug)]
pub(crate) struct Write {
    method: Method,
    host: Box<[u8]>,
    /// See [`Target::own_host`].
    own_host: Box<[u8]>,
    /// The other names under which what it changes may be kept.
    names: Arc<[Box<str>]>,
    path: String,
    /// Its path as the most obliging of servers reads it: read once, for one that is ambiguous takes a while.
    loosest_path: String,
    declared: Vec<Purge>,
    clear_site_data: bool,
    limit: Duration,
}

/// A write whose origin says no other time is over by then.
const LIMIT: Duration = Duration::from_secs(31);

impl Write {
    /// A write to `target`.
    pub(crate) fn new(method: &Method, target: &Target<'_>) -> Self {
        Self {
            method: method.clone(),
            host: target.host.into(),
            own_host: target.own_host.into(),
            names: Arc::default(),
            path: target.path.to_owned(),
            loosest_path: loosest(target.path).into_owned(),
            declared: Vec::new(),
            clear_site_data: false,
            limit: LIMIT,
        }
    }

    /// See [`loosest`].
    pub(crate) fn loosest_path(&self) -> &str {
        &self.loosest_path
    }

    /// Routes keep answers under these names, whatever their host is called.
    pub(crate) fn known_as(self, names: &Arc<[Box<str>]>) -> Self {
        let names = Arc::clone(names);
        Self { names, ..self }
    }

    /// What its route declares is purged too.
    pub(crate) fn declaring(self, declared: Vec<Purge>) -> Self {
        Self { declared, ..self }
    }

    /// Whether a response with `Clear-Site-Data: "cache"` purges everything.
    pub(crate) fn clearing(self, clear_site_data: bool) -> Self {
        Self {
            clear_site_data,
            ..self
        }
    }

    /// What the origin has not done after `limit`, counted from the end of its content, it does not do any more.
    pub(crate) fn over_by(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// See [`Self::over_by`].
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What it may change, as far as that is known before it is sent.
    pub(super) fn intended(&self) -> Vec<Purge> {
        self.purges_of_success(&HeaderMap::new())
    }

    /// What is to be purged after this result, and whether it may still change something.
    pub(super) fn purges(
        &self,
        result: &Result<Response<Stream>, FetchError>,
        was_whole: bool,
    ) -> (Vec<Purge>, bool) {
        match result {
            Ok(response) if invalidates(&self.method, response.status()) => {
                (self.purges_of_success(response.headers()), false)
            }
            // It was sent and nobody knows what became of it.
            Err(FetchError::Origin(
                OriginError::Timeout | OriginError::TooLarge | OriginError::Broken(_),
            )) if was_whole => (self.intended(), true),
            Ok(_) | Err(_) => (Vec::new(), false),
        }
    }

    /// Its own URI and those that its response names, hard; the groups that its response names; what its route declares.
    ///
    /// Under each of its hosts: a proxy that passes on a host that some client made up must not keep a write from what it
    /// changes.
    fn purges_of_success(&self, response: &HeaderMap) -> Vec<Purge> {
        let hard = |selector| Purge {
            selector,
            hard: true,
        };
        if self.clear_site_data && clears_caches(response) {
            return vec![hard(Selector::All)];
        }
        let others = self.names.iter().map(|name| name.as_bytes());
        let hosts: BTreeSet<&[u8]> = [&*self.host, &*self.own_host]
            .into_iter()
            .chain(others)
            .collect();
        let named =
            [&self.host, &self.own_host].map(|host| named_paths(response, host, &self.path));
        let named = named.into_iter().flatten();
        let named = named.map(|path| loosest(&path).into_owned());
        let own = std::iter::once(self.loosest_path.clone());
        let paths: BTreeSet<String> = own.chain(named).collect();
        let groups = groups(response, &CACHE_GROUP_INVALIDATION);
        let mut purges = Vec::new();
        for host in hosts {
            purges.extend(paths.iter().map(|path| hard(Selector::of_uri(host, path))));
            let tags = groups.iter().map(|group| group_tag(host, group));
            purges.extend(tags.map(|tag| hard(Selector::tag(&tag))));
        }
        purges.extend(self.declared.iter().cloned());
        purges
    }
}
