//! Why a response is not stored: the closed set.

/// Why a response is not stored. Each is a metric label and a detail of `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The method has no cacheable answer.
    Method,
    /// Not a final answer, a part that does not say which or is not as long as it says, or a status to which the route's `ttl`
    /// does not apply.
    Status,
    /// An error that speaks of one request, where the route does not name its status.
    OneRequest,
    /// `no-store`, of the response or, where clients are respected, of the request.
    NoStore,
    /// `private`.
    Private,
    /// The request had `Authorization` and nothing lifts it (RFC 9111 §3.5).
    Authorization,
    /// The request had another credential, such as `X-Api-Key`, and nothing lifts it.
    Credential,
    /// The request had `Cookie`, and only the route's `ttl` would make the answer cacheable.
    Cookie,
    /// The response sets a cookie.
    SetCookie,
    /// `Vary: *`.
    VaryStar,
    /// Nothing says how long it is fresh, and there is no validator to ask with.
    NoLifetime,
    /// It was older than its lifetime when it arrived, and there is no validator to ask with.
    Aged,
    /// Larger than `cache.max_object`.
    TooLarge,
    /// What all bodies on their way may hold together is full (`cache.memory.collecting`).
    NoRoom,
    /// It ended early.
    Incomplete,
    /// It is an event stream, which has no end of its own.
    Endless,
    /// Its `No-Vary-Search` does not say what the key of its request was shortened by.
    NoVarySearch,
    /// It has more or other tags than can be kept, so that a purge would miss it.
    Tags,
    /// It answers a range, and is neither the whole nor a part.
    RangeAnswer,
    /// It is a part, and nobody asked for one.
    UnaskedPart,
    /// It is an error for later, and the stored response may still be served stale.
    StaleServes,
    /// It does not say which requests select it, and would be served to those that select stored variants.
    HidesVariants,
}

// A refusal that is left out of the list would have no counter.
const _: () = assert!(Refusal::ALL.len() == Refusal::HidesVariants as usize + 1);

impl Refusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::Method,
        Self::Status,
        Self::OneRequest,
        Self::NoStore,
        Self::Private,
        Self::Authorization,
        Self::Credential,
        Self::Cookie,
        Self::SetCookie,
        Self::VaryStar,
        Self::NoLifetime,
        Self::Aged,
        Self::TooLarge,
        Self::NoRoom,
        Self::Incomplete,
        Self::Endless,
        Self::NoVarySearch,
        Self::Tags,
        Self::RangeAnswer,
        Self::UnaskedPart,
        Self::StaleServes,
        Self::HidesVariants,
    ];

    /// The word for it in labels and fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::OneRequest => "one-request",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Credential => "credential",
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::NoLifetime => "no-lifetime",
            Self::Aged => "aged",
            Self::TooLarge => "too-large",
            Self::NoRoom => "no-room",
            Self::Incomplete => "incomplete",
            Self::Endless => "endless",
            Self::NoVarySearch => "no-vary-search",
            Self::Tags => "tags",
            Self::RangeAnswer => "range-answer",
            Self::UnaskedPart => "unasked-part",
            Self::StaleServes => "stale-serves",
            Self::HidesVariants => "hides-variants",
        }
    }
}
