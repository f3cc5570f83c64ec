//! The contract between the cache and whoever answers what it has not stored.
//!
//! The cache asks an [`Origin`] and never a socket. The proxy's way to the upstream implements it, the inner service of a
//! [`crate::layer::CacheLayer`] does, and so do scripts in tests.

use crate::message::{BodyError, Stream};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A response on its way. Dropping it gives the request up.
pub type Sending = Pin<Box<dyn Future<Output = Result<Response<Stream>, FetchError>> + Send>>;

/// Whoever answers one request that the store cannot answer. A value per request: it knows the target and the caller.
pub trait Origin: fmt::Debug + Send + Sync + 'static {
    /// The request for what a caller asks for with `fields`, as the origin wants it: a GET with the caller's fields and
    /// without content. The cache then makes it conditional, or asks for a part.
    fn request(&self, fields: &HeaderMap) -> Request<RequestBody>;

    /// Sends `request` and waits for the head of the response. The fields of that response that are about one hop are
    /// gone, and it has a `Date`.
    fn send(&self, request: Request<RequestBody>) -> Sending;

    /// The same for a request that nobody waits for: it does not speak in the name of its client, and sends nothing to it.
    fn in_background(self: Arc<Self>) -> Arc<dyn Origin>;
}

/// The content of a request.
pub enum RequestBody {
    /// Bytes at hand, mostly none. They can be sent again.
    Whole(Bytes),
    /// The client's content as it arrives.
    Stream(Stream),
}

impl RequestBody {
    /// No content.
    pub const fn empty() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Why the origin gave no response.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OriginError {
    /// No connection could be made.
    #[error("the upstream cannot be reached")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    /// No connection was made in time.
    #[error("connecting to the upstream took too long")]
    ConnectTimeout,
    /// The head of the response did not come in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The head of the response is larger than it may be.
    #[error(
        "the head of the upstream's answer is too large: 200 fields and some 400 KiB are the most"
    )]
    TooLarge,
    /// The connection broke, or what came is no valid response.
    #[error("the upstream broke the connection or sent no valid response")]
    Broken(#[source] Arc<dyn Error + Send + Sync>),
}

/// Why a fetch brought no response, by who is to blame.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The client: its content ended early or is malformed.
    #[error("the request ended early or is malformed")]
    ClientBody,
    /// The client: its content came too slowly.
    #[error("the content of the request came too slowly")]
    ClientSlow,
    /// This proxy: too many requests were under way for too long.
    #[error("too many requests wait for the upstream")]
    Overloaded,
    /// This proxy: the fetch ended without a result, because it panicked or the process is going down.
    #[error("the fetch was given up")]
    Abandoned,
    /// The client accepts only what is stored, and nothing usable is ([RFC 9111 §5.2.1.7]).
    ///
    /// [RFC 9111 §5.2.1.7]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.7
    #[error("nothing stored can be used, and the request said only-if-cached")]
    OnlyIfCached,
}

impl FetchError {
    /// All words that [`Self::cause`] gives.
    pub const CAUSES: [&'static str; 10] = [
        "upstream_connect",
        "upstream_connect_timeout",
        "upstream_timeout",
        "upstream_head",
        "upstream_broken",
        "upstream_busy",
        "request",
        "request_timeout",
        "abandoned",
        "only_if_cached",
    ];

    /// The origin broke off in the middle of a body of which nothing has been passed on.
    pub fn broken(error: BodyError) -> Self {
        Self::Origin(OriginError::Broken(Arc::new(error)))
    }

    /// The content of the client's request ended in `error`.
    pub fn content(error: &BodyError) -> Self {
        match error {
            BodyError::Silent | BodyError::Lagging => Self::ClientSlow,
            BodyError::Broken | BodyError::Coding => Self::ClientBody,
        }
    }

    /// The status of the answer of a request that ends in it ([RFC 9110 §15.6]).
    ///
    /// [RFC 9110 §15.6]: https://www.rfc-editor.org/rfc/rfc9110#section-15.6
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Origin(
                OriginError::Connect(_) | OriginError::TooLarge | OriginError::Broken(_),
            ) => StatusCode::BAD_GATEWAY,
            Self::Origin(OriginError::ConnectTimeout | OriginError::Timeout)
            | Self::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            Self::Overloaded | Self::Abandoned => StatusCode::SERVICE_UNAVAILABLE,
            Self::ClientBody => StatusCode::BAD_REQUEST,
            Self::ClientSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The word for it in answers, logs and metrics.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Origin(OriginError::Connect(_)) => "upstream_connect",
            Self::Origin(OriginError::ConnectTimeout) => "upstream_connect_timeout",
            Self::Origin(OriginError::Timeout) => "upstream_timeout",
            Self::Origin(OriginError::TooLarge) => "upstream_head",
            Self::Origin(OriginError::Broken(_)) => "upstream_broken",
            Self::Overloaded => "upstream_busy",
            Self::ClientBody => "request",
            Self::ClientSlow => "request_timeout",
            Self::Abandoned => "abandoned",
            Self::OnlyIfCached => "only_if_cached",
        }
    }
}
