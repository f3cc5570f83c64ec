//! What the operator decided for a route, as far as HTTP semantics ask.

use super::{
    cookies::Cookies, credentials::Credentials, name_pattern::NamePattern,
    targeted::CDN_CACHE_CONTROL,
};
use http::{HeaderName, StatusCode};
use std::{ops::RangeInclusive, sync::Arc, time::Duration};

/// Whether a client's `Cache-Control` can force a trip to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientDirectives {
    /// The default: a browser's reload does not reach the origin.
    Ignore,
    /// As RFC 9111 §5.2.1 says.
    Respect,
}

/// Who may be given a response that only the route's `ttl` made cacheable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// The default: callers without [credentials](Policy::credentials), but for those that the route has in its key.
    Anonymous,
    /// Those too who have no other credentials than these: the operator vouches that the answer does not depend on them.
    Those(Arc<[NamePattern]>),
    /// Everyone: the operator vouches that the answer does not depend on who asks.
    All,
}

impl Share {
    /// Whether who asks does not matter at all.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Whether it does not matter what a field of this name says.
    pub fn has(&self, name: &HeaderName) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Those(names) => names.iter().any(|known| known.matches(name.as_str())),
            Self::All => true,
        }
    }
}

/// What happens to a response with `Set-Cookie`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetCookie {
    /// The default: it is passed on and not stored.
    Bypass,
    /// It is stored, and served later, without the field.
    Strip,
    /// It is stored as it is; every later caller gets the same cookie.
    Store,
}

/// A freshness lifetime for some statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusTtl {
    /// Which.
    pub statuses: RangeInclusive<u16>,
    /// How long they are fresh.
    pub ttl: Duration,
}

/// The caching policy of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether this route uses the cache at all.
    pub cache: bool,
    /// The freshness lifetime where the origin does not state one.
    pub ttl: Option<Duration>,
    /// The freshness lifetime by status where the origin does not state one, the most specific first.
    pub status_ttl: Arc<[StatusTtl]>,
    /// `ttl` counts even where the origin states another, or forbids storing; never against `private`.
    pub override_origin: bool,
    /// For how long after expiry a stale response may be served while it is refreshed, where the origin is silent.
    pub stale_while_revalidate: Option<Duration>,
    /// For how long after expiry a stale response may be served when the origin fails, where the origin is silent.
    pub stale_if_error: Option<Duration>,
    /// For how long after expiry a response may be served when the origin gives no answer at all, unless the origin
    /// prohibits that (RFC 9111 §4.2.4).
    pub stale_on_disconnect: Duration,
    /// See [`Share`].
    pub share: Share,
    /// See [`SetCookie`].
    pub set_cookie: SetCookie,
    /// Whether a lifetime may be guessed from `Last-Modified` (RFC 9111 §4.2.2).
    pub heuristic: bool,
    /// See [`ClientDirectives`].
    pub client_directives: ClientDirectives,
    /// Fields that are meant for this cache and win over `Cache-Control`, the first that is there (RFC 9213).
    pub targeted: Arc<[HeaderName]>,
    /// Nothing is kept longer than this, in any tier.
    pub max_lifetime: Duration,
    /// The fields that say who asks.
    pub credentials: Arc<Credentials>,
    /// The fields that the key holds: callers who differ in one of them have entries of their own.
    pub keyed: Arc<[HeaderName]>,
    /// Which cookies say who asks.
    pub cookies: Arc<Cookies>,
}

impl Policy {
    /// Whether the route names this very status, not only its class.
    pub fn names(&self, status: StatusCode) -> bool {
        let named = &(status.as_u16()..=status.as_u16());
        self.status_ttl.iter().any(|one| one.statuses == *named)
    }

    /// How long the route says that an answer with this status is fresh. A class leaves out what is said of one request.
    pub fn ttl_of(&self, status: StatusCode) -> Option<Duration> {
        let by_status = self.status_ttl.iter().find(|one| {
            one.statuses.contains(&status.as_u16())
                && (one.statuses.len() == 1 || !is_about_one_request(status))
        });
        match by_status {
            Some(one) => Some(one.ttl),
            None => self.ttl.filter(|_| route_ttl_applies(status)),
        }
    }
}

/// The statuses that only a route which names them keeps, though the origin calls each of its answers fresh. Whoever provokes
/// one, with a long field or an odd method, would have it served to everybody else.
pub const KEPT_BY_NAME: [u16; 13] = [
    400, 401, 403, 405, 406, 413, 414, 415, 416, 417, 421, 429, 431,
];

/// The statuses to which a route's `ttl` applies: answers that say something lasting. Failures are kept only where the
/// origin says for how long.
pub fn route_ttl_applies(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308)
}

/// The statuses that speak of the request, its sender or the moment, and not of the resource.
pub fn is_about_one_request(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        400..=403 | 405..=408 | 411..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431
    )
}

impl Default for Policy {
    /// What applies where no route matches: the origin's own headers decide.
    fn default() -> Self {
        Self {
            cache: true,
            ttl: None,
            status_ttl: Arc::new([]),
            override_origin: false,
            stale_while_revalidate: None,
            stale_if_error: None,
            stale_on_disconnect: Duration::ZERO,
            share: Share::Anonymous,
            set_cookie: SetCookie::Bypass,
            heuristic: false,
            client_directives: ClientDirectives::Ignore,
            targeted: Arc::new([CDN_CACHE_CONTROL]),
            max_lifetime: Duration::from_secs(7 * 24 * 3600),
            credentials: Credentials::usual(),
            keyed: Arc::new([]),
            cookies: Arc::new(Cookies::default()),
        }
    }
}
