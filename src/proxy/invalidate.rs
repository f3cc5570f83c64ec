//! What a write invalidates when it comes back ([RFC 9111 §4.4]).
//!
//! [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4

use super::received::Received;
use crate::{
    cache::Cache,
    message::Stream,
    origin::{FetchError, OriginError},
    semantics::invalidation::{
        CACHE_GROUP_INVALIDATION, clears_caches, group_tag, groups, invalidates, named_paths,
    },
    store::{Purge, Selector},
};
use http::{HeaderMap, Method, Response};

/// A write, as far as it matters for what it makes invalid.
#[derive(Debug)]
pub(super) struct Write {
    method: Method,
    host: Vec<u8>,
    path: String,
    /// What its route declares.
    declared: Vec<Purge>,
    clear_site_data: bool,
}

impl Write {
    pub(super) fn of(received: &Received, method: &Method) -> Self {
        let target = received.target.parts();
        Self {
            method: method.clone(),
            host: target.host.to_vec(),
            path: target.path.to_owned(),
            declared: received.route.purges_of(target.path, target.query),
            clear_site_data: received.live.settings.clear_site_data,
        }
    }

    /// Sends it and purges, before the client learns that it succeeded: its next read must not see what was before.
    /// Returns how many purges that were.
    pub(super) async fn carry_out(
        self,
        cache: Cache,
        sending: impl Future<Output = Result<Response<Stream>, FetchError>>,
    ) -> Result<(Response<Stream>, usize), FetchError> {
        let result = sending.await;
        let purges = match &result {
            Ok(response) if invalidates(&self.method, response.status()) => {
                self.purges(response.headers())
            }
            // It was sent and nobody knows what became of it.
            Err(
                FetchError::Origin(OriginError::Timeout | OriginError::Broken(_))
                | FetchError::ClientBody,
            ) => self.purges(&HeaderMap::new()),
            Ok(_) | Err(_) => Vec::new(),
        };
        let count = purges.len();
        cache.purge(purges).await;
        result.map(|response| (response, count))
    }

    /// Its own URI and those that its response names, hard; the groups that its response names; what its route declares.
    fn purges(&self, response: &HeaderMap) -> Vec<Purge> {
        let hard = |selector| Purge {
            selector,
            hard: true,
        };
        if self.clear_site_data && clears_caches(response) {
            return vec![hard(Selector::All)];
        }
        let named = named_paths(response, &self.host, &self.path);
        let uris = std::iter::once(&self.path)
            .chain(&named)
            .map(|path| hard(Selector::of_uri(&self.host, path)));
        let groups = groups(response, &CACHE_GROUP_INVALIDATION)
            .into_iter()
            .map(|group| hard(Selector::tag(&group_tag(&self.host, &group))));
        uris.chain(groups).chain(self.declared.clone()).collect()
    }
}
