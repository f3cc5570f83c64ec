//! Why a request has no answer.

use crate::{cache::Unanswered, origin::FetchError};

/// See the module docs. `rescue` makes an answer of each.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// Neither the store nor the origin answered.
    #[error("{}", .0.error)]
    Fetch(Unanswered),
    /// `Host` is missing, repeated or malformed (RFC 9112 §3.2).
    #[error("the request needs exactly one well-formed Host field")]
    Host,
    /// The target is not a path.
    #[error("the request target must be a path or an absolute URL")]
    Target,
    /// The target is longer than it can be read: its path has escapes, dot segments or what else servers read in several
    /// ways, or it is not ASCII (RFC 9110 §15.5.15).
    #[error(
        "a path that is not in its one spelling, or a target that is not ASCII, may have 4 KiB"
    )]
    LongTarget,
    /// `Connection` lists more fields than are looked for (RFC 9110 §5.4, RFC 6585 §5).
    #[error("the Connection field may have 1 KiB")]
    LongConnection,
    /// A transfer coding other than chunked (RFC 9112 §6.1).
    #[error("the only transfer coding that is served is chunked")]
    TransferCoding,
    /// A PURGE without the right token.
    #[error("PURGE needs the right token in X-Sidecache-Purge")]
    PurgeToken,
    /// It has come through proxies of this name so often that it goes in a circle.
    #[error(
        "the request has come through sidecache {0} times: it goes in a circle, probably because the upstream is a proxy that leads back here"
    )]
    Loop(usize),
    /// TRACE, which shows credentials to scripts and is not served unless it is switched on.
    #[error("TRACE is not served here")]
    Trace,
    /// It is about this proxy itself: `OPTIONS *`, or as far as `Max-Forwards` lets it go (RFC 9110 §7.6.2, §9.3.7).
    #[error("this is what is served here")]
    Itself,
    /// A tunnel was asked for.
    #[error("this is a reverse proxy: CONNECT is not served")]
    Connect,
}

impl From<Unanswered> for Problem {
    fn from(unanswered: Unanswered) -> Self {
        Self::Fetch(unanswered)
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error.into())
    }
}

impl Problem {
    /// The word for it in the body of the answer: stable, for programs.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Fetch(unanswered) => unanswered.error.cause(),
            Self::Host => "host",
            Self::Target => "target",
            Self::LongTarget => "long_target",
            Self::LongConnection => "long_connection",
            Self::TransferCoding => "transfer_coding",
            Self::PurgeToken => "purge_token",
            Self::Loop(_) => "loop",
            Self::Trace => "trace_method",
            Self::Itself => "itself",
            Self::Connect => "connect_method",
        }
    }
}
