//! The origin: a pooled client with a limit on every wait.

use super::{body::BodyError, patience::Patient};
use crate::{
    metrics::{Counter, Metrics},
    semantics::fields::all_members,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::TRANSFER_ENCODING, uri::Authority};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout},
};

/// What `[upstream]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Host and port of `url`.
    pub authority: Authority,
    /// What connecting may take.
    pub connect_timeout: Duration,
    /// What may pass until the head of the response.
    pub timeout: Duration,
    /// What may pass between two pieces of a body.
    pub body_timeout: Duration,
    /// For how long an unused connection is kept; shorter than the upstream keeps it.
    pub idle_timeout: Duration,
    /// Requests under way at the same time; more wait for at most `connect_timeout`.
    pub max_connections: usize,
}

/// Why there is no response.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("the upstream cannot be reached")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    #[error("connecting to the upstream took too long")]
    ConnectTimeout,
    #[error("the upstream did not answer in time")]
    Timeout,
    #[error("the upstream broke the connection or sent no valid response")]
    Broken(#[source] Arc<dyn Error + Send + Sync>),
    #[error("too many requests wait for the upstream")]
    Busy,
    #[error("the request ended early or is malformed")]
    Request,
    #[error("the fetch was given up")]
    Abandoned,
}

impl UpstreamError {
    /// All words that [`Self::cause`] gives.
    const CAUSES: [&'static str; 7] = [
        "upstream_connect",
        "upstream_connect_timeout",
        "upstream_timeout",
        "upstream_broken",
        "upstream_busy",
        "request",
        "abandoned",
    ];

    /// Whether the upstream itself failed, and not the client or this proxy.
    pub(super) fn is_of_the_upstream(&self) -> bool {
        match self {
            Self::Connect(_) | Self::ConnectTimeout | Self::Timeout | Self::Broken(_) => true,
            Self::Busy | Self::Request | Self::Abandoned => false,
        }
    }

    /// The word for it in answers, logs and metrics.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Connect(_) => "upstream_connect",
            Self::ConnectTimeout => "upstream_connect_timeout",
            Self::Timeout => "upstream_timeout",
            Self::Broken(_) => "upstream_broken",
            Self::Busy => "upstream_busy",
            Self::Request => "request",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What is sent upstream: bytes at hand, mostly none, or the client's body as it arrives.
pub(super) type RequestBody = Either<Full<Bytes>, Patient>;

/// The client. Clones share its connections.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, RequestBody>,
    permits: Arc<Semaphore>,
    settings: Settings,
    failures: Vec<(&'static str, Counter)>,
    /// The last exchange failed to connect; said once when it begins and once when it ends.
    away: AtomicBool,
}

impl Upstream {
    pub(super) fn new(settings: Settings, metrics: &Metrics) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .set_host(false) // the client's own Host goes on
            .build(connector);
        Self {
            client,
            permits: Arc::new(Semaphore::new(settings.max_connections)),
            settings,
            failures: UpstreamError::CAUSES
                .map(|cause| (cause, metrics.upstream_failure(cause)))
                .into(),
            away: AtomicBool::new(false),
        }
    }

    /// Counts what became of an exchange, and says when the upstream goes away or comes back.
    fn note<T>(&self, result: Result<T, UpstreamError>) -> Result<T, UpstreamError> {
        let unreachable = match &result {
            Ok(_) => false,
            Err(error) => {
                let counter = self
                    .failures
                    .iter()
                    .find(|(cause, _)| *cause == error.cause());
                if let Some((_, counter)) = counter {
                    counter.inc();
                }
                matches!(
                    error,
                    UpstreamError::Connect(_) | UpstreamError::ConnectTimeout
                )
            }
        };
        if unreachable && !self.away.swap(true, Relaxed) {
            let error = result.as_ref().err().map(|error| error as &dyn Error);
            tracing::warn!(upstream = %self.settings.authority, error, "the upstream cannot be reached");
        } else if result.is_ok() && self.away.load(Relaxed) && self.away.swap(false, Relaxed) {
            tracing::info!(upstream = %self.settings.authority, "the upstream is back");
        }
        result
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &Authority {
        &self.settings.authority
    }

    /// Sends a request without a body and waits for the head of the response. Dropping the future gives it up.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        self.note(self.exchange(request, None).await)
    }

    /// Sends a client's body with the request. It may take as long as it keeps coming: `timeout` counts from its end.
    pub(super) async fn send_with(
        &self,
        parts: http::request::Parts,
        body: Incoming,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let (body, end) = Patient::with_end(body, self.settings.body_timeout);
        let request = Request::from_parts(parts, Either::Right(body));
        self.note(self.exchange(request, Some(end)).await)
    }

    async fn exchange(
        &self,
        request: Request<RequestBody>,
        body_end: Option<oneshot::Receiver<()>>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let permits = Arc::clone(&self.permits);
        let permit = timeout(self.settings.connect_timeout, permits.acquire_owned())
            .await
            .map_err(|_| UpstreamError::Busy)?
            .expect("the semaphore is never closed");
        let again = repeatable(&request);
        let answer = async {
            match (self.client.request(request).await, again) {
                // The upstream closed a kept connection just as it was used again.
                (Err(error), Some(again)) if broke_before_answering(&error) => {
                    self.client.request(again).await
                }
                (answer, _) => answer,
            }
        };
        let too_late = async {
            if let Some(end) = body_end {
                let _ = end.await;
            }
            sleep(self.settings.timeout).await;
        };
        let response = tokio::select! {
            answer = answer => answer.map_err(classify)?,
            () = too_late => return Err(UpstreamError::Timeout),
        };
        if !is_sound(&response) {
            return Err(UpstreamError::Broken(Arc::new(BodyError::Broken)));
        }
        let limit = self.settings.body_timeout;
        Ok(response.map(|incoming| UpstreamBody {
            body: Patient::new(incoming, limit),
            _permit: permit,
        }))
    }
}

/// A protocol that nobody asked for, or a body in a transfer coding that nobody here removes, is no answer that can be
/// passed on. Words that name no coding are only taken out (RFC 9112 §6.1).
fn is_sound<B>(response: &Response<B>) -> bool {
    const CODINGS: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let coded = all_members(response.headers(), &TRANSFER_ENCODING).any(|member| {
        CODINGS
            .iter()
            .any(|coding| member.eq_ignore_ascii_case(coding))
    });
    response.status() != StatusCode::SWITCHING_PROTOCOLS && !coded
}

/// A copy of `request` where it may be sent twice: idempotent and without a body (RFC 9110 §9.2.2).
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !idempotent || !matches!(request.body(), Either::Left(_)) {
        return None;
    }
    let mut again = Request::new(Either::Left(Full::default()));
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// The first error of type `E` along the chain of causes.
fn source<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

fn broke_before_answering(error: &hyper_util::client::legacy::Error) -> bool {
    !error.is_connect()
        && (source::<hyper::Error>(error)
            .is_some_and(|e| e.is_incomplete_message() || e.is_canceled())
            || source::<io::Error>(error)
                .is_some_and(|e| e.kind() == io::ErrorKind::ConnectionReset))
}

fn classify(error: hyper_util::client::legacy::Error) -> UpstreamError {
    if error.is_connect() {
        return match source::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => UpstreamError::ConnectTimeout,
            _ => UpstreamError::Connect(Arc::new(error)),
        };
    }
    match source::<hyper::Error>(&error) {
        Some(e) if e.is_user() => UpstreamError::Request,
        _ => UpstreamError::Broken(Arc::new(error)),
    }
}

/// A response body that may not go silent, and that holds its place in the limit on connections.
#[derive(Debug)]
pub(super) struct UpstreamBody {
    body: Patient,
    _permit: OwnedSemaphorePermit,
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
