//! Why a response is not stored: the closed set.

/// Why a response is not stored. Each is a metric label and a detail of `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The method has no cacheable answer.
    Method,
    /// Not a final answer, a part that does not say which, or a status to which the route's `ttl` does not apply.
    Status,
    /// `no-store`, of the response or, where clients are respected, of the request.
    NoStore,
    /// `private`.
    Private,
    /// The request had `Authorization` and nothing lifts it (RFC 9111 §3.5).
    Authorization,
    /// The request had `Cookie`, and only the route's `ttl` would make the answer cacheable.
    Cookie,
    /// The response sets a cookie.
    SetCookie,
    /// `Vary: *`.
    VaryStar,
    /// Nothing says how long it is fresh, and there is no validator to ask with.
    NoLifetime,
    /// Larger than `cache.max_object`.
    TooLarge,
    /// It ended early.
    Incomplete,
    /// It is an event stream, which has no end of its own.
    Endless,
    /// Its `No-Vary-Search` does not say what the key of its request was shortened by.
    Search,
    /// It has more or other tags than can be kept, so that a purge would miss it.
    Tags,
}

impl Refusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Method,
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::Authorization,
        Self::Cookie,
        Self::SetCookie,
        Self::VaryStar,
        Self::NoLifetime,
        Self::TooLarge,
        Self::Incomplete,
        Self::Endless,
        Self::Search,
        Self::Tags,
    ];

    /// The word for it in labels and fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::NoLifetime => "no-lifetime",
            Self::TooLarge => "too-large",
            Self::Incomplete => "incomplete",
            Self::Endless => "endless",
            Self::Search => "search",
            Self::Tags => "tags",
        }
    }
}
