//! Why a call to Redis has no answer, and what an error says about the connection.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// The link is out; nothing was sent.
    Out,
    /// No reply within the budget.
    Timeout,
    /// No place in our own queue within the budget; nothing was sent.
    Busy,
    /// The server does not know the script; it is sent whole then.
    NoScript,
    /// The connection failed, or the server cannot serve anything now.
    Failed,
    /// The server is fine and refuses this call.
    Refused,
    /// The server has no memory left for it.
    Full,
    /// The key holds another kind of value.
    WrongType,
    /// Another server of the cluster has the key, now or soon.
    Moved,
}

impl CallError {
    /// Whether it is what the server said: the connection is as good as before.
    pub(super) const fn is_reply(self) -> bool {
        match self {
            Self::NoScript | Self::Refused | Self::Full | Self::WrongType | Self::Moved => true,
            Self::Out | Self::Timeout | Self::Busy | Self::Failed => false,
        }
    }
}

/// Whether nothing more can be had over this connection: better to connect anew than to try again.
pub(super) fn is_useless(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
    error.is_connection_dropped()
        || matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed
                | ErrorKind::Parse
                | ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly)
        )
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// What a refusal means for the call. Of several commands in one round trip the first counts that was refused.
pub(super) fn refusal(error: &RedisError) -> CallError {
    let refused = error.clone().into_server_errors();
    let first = refused.as_ref().and_then(|refused| refused.first());
    match first.map(|(_, refusal)| refusal.code()) {
        Some("MOVED" | "ASK") => CallError::Moved,
        Some("OOM") => CallError::Full,
        Some("WRONGTYPE") => CallError::WrongType,
        Some("NOSCRIPT") => CallError::NoScript,
        _ => CallError::Refused,
    }
}

/// Why a call over a connection of one's own has no answer.
pub(super) fn failure(error: &RedisError) -> CallError {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension if !is_useless(error) => refusal(error),
        _ => CallError::Failed,
    }
}
