//! Why an answer came from where it came from: one small value that feeds `Cache-Status`, metrics and the access log.

use super::refusal::Refusal;
use http::StatusCode;

/// Where the answer came from. Per route the outcomes sum to the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// From the store, fresh.
    Hit,
    /// From the store, stale, because that was allowed.
    Stale,
    /// From the store, after the origin confirmed it.
    Revalidated,
    /// From the origin; the cache was asked first.
    Miss,
    /// From the origin; the cache was not asked.
    Bypass,
    /// Neither could answer.
    Failed,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Miss,
        Self::Bypass,
        Self::Failed,
    ];

    /// The word for it in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Failed => "failed",
        }
    }
}

/// Why it was not simply served from the store, or why it could be. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// It was stored and fresh.
    Fresh,
    /// Stale, inside the window for serving while it is refreshed.
    WhileRevalidate,
    /// Stale, inside the window for serving when the origin fails.
    IfError,
    /// Stale, inside the window for serving when the origin gives no answer at all.
    OnDisconnect,
    /// Nothing is stored for this URI.
    UriMiss,
    /// Something is stored, but other request fields selected it.
    VaryMiss,
    /// What is stored is stale.
    Expired,
    /// What is stored was purged softly.
    Purged,
    /// What is stored needs the origin's word for each use (`no-cache`).
    NoCache,
    /// Purges may have been missed while Redis was away.
    PurgeGap,
    /// The client's `Cache-Control` asked for it.
    Client,
    /// The caller has `Authorization` or `Cookie` and the route does not share.
    Credentials,
    /// The method has no cacheable answer.
    Method,
    /// The cache is switched off.
    Disabled,
    /// The route has `cache = false`.
    Route,
    /// The caller gave the bypass token.
    Token,
    /// The request asks for a range that is not in the store.
    Range,
    /// The request has a precondition that only the origin can judge.
    Precondition,
    /// The path is not in its one spelling: servers disagree about what it names.
    Path,
    /// A field that would be part of its key is longer than is read, or there are too many cookies.
    TooLong,
    /// The request has content, which may be part of what it asks for.
    Content,
    /// It is a POST to a route of reads, and what it asks may be no read: a mutation of GraphQL, or what cannot be read with
    /// certainty.
    NotARead,
    /// The request asks for another protocol on its connection.
    Upgrade,
    /// The client accepts only what is stored, and nothing usable is.
    OnlyIfCached,
    /// The origin could not be reached or did not answer.
    Upstream,
    /// The request itself is malformed.
    Request,
}

// A reason that is left out of the list would have no counter.
const _: () = assert!(Reason::ALL.len() == Reason::Request as usize + 1);

impl Reason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 26] = [
        Self::Fresh,
        Self::WhileRevalidate,
        Self::IfError,
        Self::OnDisconnect,
        Self::UriMiss,
        Self::VaryMiss,
        Self::Expired,
        Self::Purged,
        Self::NoCache,
        Self::PurgeGap,
        Self::Client,
        Self::Credentials,
        Self::Method,
        Self::Disabled,
        Self::Route,
        Self::Token,
        Self::Range,
        Self::Precondition,
        Self::Path,
        Self::TooLong,
        Self::Content,
        Self::NotARead,
        Self::Upgrade,
        Self::OnlyIfCached,
        Self::Upstream,
        Self::Request,
    ];

    /// The word for it in labels, logs and the `detail` of `Cache-Status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::WhileRevalidate => "stale-while-revalidate",
            Self::IfError => "stale-if-error",
            Self::OnDisconnect => "stale-on-disconnect",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Expired => "expired",
            Self::Purged => "purged",
            Self::NoCache => "no-cache",
            Self::PurgeGap => "purge-gap",
            Self::Client => "client",
            Self::Credentials => "credentials",
            Self::Method => "method",
            Self::Disabled => "disabled",
            Self::Route => "route",
            Self::Token => "token",
            Self::Range => "range",
            Self::Precondition => "precondition",
            Self::Path => "path",
            Self::TooLong => "too-long",
            Self::Content => "content",
            Self::NotARead => "not-a-read",
            Self::Upgrade => "upgrade",
            Self::OnlyIfCached => "only-if-cached",
            Self::Upstream => "upstream",
            Self::Request => "malformed",
        }
    }

    /// The outcome of a request that was forwarded for this reason: past the cache where it was not to be used, else a
    /// miss.
    pub const fn outcome_when_forwarded(self) -> Outcome {
        match self {
            Self::Disabled
            | Self::Route
            | Self::Token
            | Self::Precondition
            | Self::Path
            | Self::TooLong
            | Self::Content
            | Self::NotARead
            | Self::Upgrade
            | Self::Method => Outcome::Bypass,
            Self::Fresh
            | Self::WhileRevalidate
            | Self::IfError
            | Self::OnDisconnect
            | Self::UriMiss
            | Self::VaryMiss
            | Self::Expired
            | Self::Purged
            | Self::NoCache
            | Self::PurgeGap
            | Self::Client
            | Self::Credentials
            | Self::Range
            | Self::OnlyIfCached
            | Self::Upstream
            | Self::Request => Outcome::Miss,
        }
    }

    /// The `fwd` parameter of `Cache-Status` ([RFC 9211 §2.2]); `None` where nothing was forwarded.
    ///
    /// [RFC 9211 §2.2]: https://www.rfc-editor.org/rfc/rfc9211#section-2.2
    pub const fn fwd(self) -> Option<&'static str> {
        match self {
            Self::Fresh | Self::WhileRevalidate | Self::OnlyIfCached | Self::Request => None,
            Self::UriMiss => Some("uri-miss"),
            Self::VaryMiss => Some("vary-miss"),
            Self::Expired
            | Self::Purged
            | Self::NoCache
            | Self::PurgeGap
            | Self::IfError
            | Self::OnDisconnect => Some("stale"),
            Self::Client => Some("request"),
            Self::Method | Self::NotARead => Some("method"),
            Self::Range => Some("partial"),
            Self::Credentials
            | Self::Disabled
            | Self::Route
            | Self::Token
            | Self::Precondition
            | Self::Path
            | Self::TooLong
            | Self::Content
            | Self::Upgrade => Some("bypass"),
            Self::Upstream => Some("miss"),
        }
    }
}

/// Which tier had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The process's own memory.
    Memory,
    /// Redis.
    Redis,
}

impl Tier {
    /// The word for it in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }
}

/// What became of the origin's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// There was none, or it was not a candidate.
    None,
    /// It is stored, or will be with the rest of what it says it has.
    Stored,
    /// It is being stored, and does not say how much there is: it may turn out to be too large.
    Arriving,
    /// It may not be stored.
    Refused(Refusal),
}

/// The whole decision on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the answer came from.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Which tier had what is stored.
    pub tier: Option<Tier>,
    /// Seconds of freshness left, negative when stale.
    pub ttl: Option<i64>,
    /// What the origin answered, where that is not the status that the client gets.
    pub fwd_status: Option<StatusCode>,
    /// What became of the origin's answer.
    pub storage: Storage,
    /// Another request's fetch brought it.
    pub collapsed: bool,
    /// The origin was not asked, because it had failed a moment ago.
    pub backs_off: bool,
}

impl Decision {
    /// A decision with nothing but its outcome and reason.
    pub const fn new(outcome: Outcome, reason: Reason) -> Self {
        Self {
            outcome,
            reason,
            tier: None,
            ttl: None,
            fwd_status: None,
            storage: Storage::None,
            collapsed: false,
            backs_off: false,
        }
    }

    /// The decision about a request that is passed on for this reason, where the store has no part in its answer.
    pub const fn forwarded(reason: Reason) -> Self {
        Self::new(reason.outcome_when_forwarded(), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_use_the_cache_is_a_bypass_and_all_else_a_miss() {
        let bypasses = |reason: &Reason| reason.outcome_when_forwarded() == Outcome::Bypass;
        let found: Vec<_> = Reason::ALL.into_iter().filter(bypasses).collect();
        let expected = [
            Reason::Method,
            Reason::Disabled,
            Reason::Route,
            Reason::Token,
            Reason::Precondition,
            Reason::Path,
            Reason::TooLong,
            Reason::Content,
            Reason::NotARead,
            Reason::Upgrade,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_lists_are_in_the_order_of_the_numbers_and_words_are_unique() {
        assert!(
            Outcome::ALL
                .iter()
                .enumerate()
                .all(|(at, o)| at == *o as usize)
        );
        assert!(
            Reason::ALL
                .iter()
                .enumerate()
                .all(|(at, r)| at == *r as usize)
        );
        assert!(
            Refusal::ALL
                .iter()
                .enumerate()
                .all(|(at, r)| at == *r as usize)
        );
        let mut words: Vec<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
