//! The upstream: a pooled client behind a stack of limits, each of which bounds one wait.
//!
//! The first part of a client's content has to be here before anything is asked (`content`), and then a request needs a place
//! among those under way (`places`). What follows is a stack of [`tower`] services, from the outside in: the time until the
//! head of the response (`time_limit`), one more try where the upstream closed or garbled a kept connection (`retry`), the
//! client and its pool; below it the bytes of each connection (`wire`).

mod content;
mod error;
mod health;
mod outgoing;
mod places;
mod response;
mod retry;
mod surplus;
mod time_limit;
mod tunnel;
mod wire;

pub use self::tunnel::tunnel;

use self::{
    health::Health,
    places::Places,
    retry::Once,
    time_limit::{TimeLimit, TimeLimitLayer},
    wire::Connector,
};
use crate::{
    message::{Party, Stream},
    metrics::{Gauge, Metrics},
    origin::{FetchError, RequestBody},
};
use http::{Request, Response, header::UPGRADE, uri::Authority};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;
use tower::{
    ServiceBuilder, ServiceExt,
    retry::{Retry, RetryLayer},
    util::MapErr,
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
    /// What clients have to send of a request's content in a second, in bytes; 0: anything. They may be behind it by
    /// `body_timeout`.
    pub min_rate: u64,
    /// What may pass without a byte in either direction of a tunnel.
    pub tunnel_timeout: Duration,
    /// For how long an unused connection is kept; shorter than the upstream keeps it.
    pub idle_timeout: Duration,
    /// Requests under way at the same time; more wait for at most `connect_timeout`.
    pub max_connections: usize,
}

/// An answer with more fields is none; the library's own limit is 100. [`OriginError::TooLarge`] names it.
///
/// [`OriginError::TooLarge`]: crate::origin::OriginError::TooLarge
const MOST_FIELDS: usize = 200;

/// The client with its pool.
type Pooled = Client<Connector, RequestBody>;

/// See the module docs.
type Stack = TimeLimit<MapErr<Retry<Once, Pooled>, fn(legacy::Error) -> FetchError>>;

/// The way to one upstream.
#[derive(Debug)]
pub struct Upstream {
    stack: Stack,
    health: Health,
    authority: Authority,
    content: content::Limits,
    places: Places,
    /// Of first parts of content.
    first_parts: Places,
    tunnel_timeout: Duration,
    longest_write: Duration,
}

/// What a write may take longer than the limits say: to get here, and to be carried out.
const MORE_FOR_A_WRITE: Duration = Duration::from_secs(1);

impl Upstream {
    /// Connects to nothing yet.
    pub fn new(settings: Settings, metrics: &Metrics) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .set_host(false) // the client's own Host goes on
            .http1_max_headers(MOST_FIELDS)
            .build(Connector::new(connector, settings.body_timeout));
        let classify: fn(legacy::Error) -> FetchError = error::classify;
        let stack = ServiceBuilder::new()
            .layer(TimeLimitLayer::new(settings.timeout, settings.body_timeout))
            .map_err(classify)
            .layer(RetryLayer::new(Once))
            .service(client);
        let places = |most, taken| Places::new(most, settings.connect_timeout, taken, metrics);
        Self {
            stack,
            places: places(settings.max_connections, metrics.shares.places.clone()),
            first_parts: places(content::MOST_FIRST_PARTS, Gauge::default()),
            health: Health::new(settings.authority.clone(), metrics),
            authority: settings.authority,
            tunnel_timeout: settings.tunnel_timeout,
            longest_write: settings.timeout + settings.connect_timeout + MORE_FOR_A_WRITE,
            content: content::Limits {
                patience: settings.body_timeout,
                min_rate: settings.min_rate,
            },
        }
    }

    /// Host and port.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What may pass without a byte in either direction of a tunnel.
    pub fn tunnel_timeout(&self) -> Duration {
        self.tunnel_timeout
    }

    /// What the upstream has not done that long after all of a request's content was there, it does not do any more, as far as
    /// its limits say.
    pub fn longest_write(&self) -> Duration {
        self.longest_write
    }

    /// The content of a request of `party`, all of it that is at most 64 KiB, or its first part.
    ///
    /// # Errors
    /// [`FetchError`], where it comes too slowly, breaks off, or too many others wait for theirs.
    pub async fn receive(&self, content: Stream, party: Party) -> Result<Stream, FetchError> {
        let begun = content::begun(content, self.content, &self.first_parts, party).await;
        Ok(Box::pin(begun?))
    }

    /// Sends `request` for `party` and waits for the head of the response. Dropping the future gives the request up.
    ///
    /// # Errors
    /// [`FetchError`], by who is to blame. Each wait has a limit; content of the client may take as long as it keeps
    /// coming and nobody waits for its place, and [`Settings::timeout`] counts from its end.
    pub async fn send(
        &self,
        request: Request<RequestBody>,
        party: Party,
    ) -> Result<Response<Stream>, FetchError> {
        let answer = self.exchange(request, party).await;
        self.health.note(&answer);
        answer
    }

    async fn exchange(
        &self,
        request: Request<RequestBody>,
        party: Party,
    ) -> Result<Response<Stream>, FetchError> {
        let upgrade = request.headers().get(UPGRADE).cloned();
        let (parts, body) = request.into_parts();
        let stack = self.stack.clone();
        let (response, place) = match body {
            RequestBody::Whole(content) if content.is_empty() => {
                let place = self.places.take(party).await?;
                let request = Request::from_parts(parts, RequestBody::Whole(content));
                (stack.oneshot(request).await?, place)
            }
            RequestBody::Whole(_) => {
                let place = self.places.take(party).await?;
                let mut request = Request::from_parts(parts, body);
                let connection = capture_connection(&mut request);
                let response = stack.oneshot(request).await?;
                wire::let_go_of_early(&response, &connection);
                (response, place)
            }
            RequestBody::Stream(content) => {
                let content = content::begun(content, self.content, &self.first_parts, party);
                let content = content.await?;
                let place = self.places.take(party).await?;
                let mut request = Request::from_parts(parts, content.sent_in(&place));
                let connection = capture_connection(&mut request);
                let response = place.unless_displaced(stack.oneshot(request)).await?;
                wire::let_go_of_early(&response, &connection);
                (response, place)
            }
        };
        response::checked(response, place, upgrade.as_ref(), self.content.patience).await
    }
}
