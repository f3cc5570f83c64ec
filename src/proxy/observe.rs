//! One event per request: the metrics, the access line and the fields that say what happened.

use super::{
    access::{End, Event, Line},
    route::Compiled,
    shared::Shared,
};
use crate::{
    cache::{Answered, mark},
    message::{Body, compact, hex, names::X_REQUEST_ID},
    semantics::Storage,
};
use http::{HeaderValue, Request, Response, header::HOST};
use tokio::time::Instant;

/// A longer id of a client is not passed on, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// A request under observation.
#[derive(Debug)]
pub(super) struct Observed {
    started: Instant,
    request_id: HeaderValue,
    /// For the access line, where there is one.
    line: Option<Line>,
}

impl Observed {
    pub(super) fn start<B>(shared: &Shared, request: &Request<B>) -> Self {
        Self {
            started: Instant::now(),
            request_id: request_id(request),
            line: shared.access_log.then(|| Line {
                method: request.method().clone(),
                uri: request.uri().clone(),
                host: request.headers().get(HOST).cloned(),
            }),
        }
    }

    /// Lets go of the buffer that the request was read into.
    pub(super) fn detach(&mut self) {
        self.request_id = compact::value(&self.request_id);
        if let Some(line) = &mut self.line {
            line.uri = compact::uri(&line.uri);
            line.host = line.host.as_ref().map(compact::value);
        }
    }

    /// The id that the client gave, or a new one.
    pub(super) fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// Counts, logs and marks the answer.
    pub(super) fn finish(
        self,
        shared: &Shared,
        route: &Compiled,
        answered: Answered,
    ) -> Response<Body> {
        let Answered {
            mut response,
            decision,
        } = answered;
        let elapsed = self.started.elapsed();
        route.metrics.count(decision.outcome, elapsed.as_secs_f64());
        shared.metrics.decided(decision.reason);
        if let Storage::Refused(refusal) = decision.storage {
            shared.metrics.refused(refusal);
        }
        let headers = response.headers_mut();
        mark(headers, decision);
        let Some(line) = self.line else {
            headers.insert(X_REQUEST_ID, self.request_id);
            return response;
        };
        headers.insert(X_REQUEST_ID, self.request_id.clone());
        let event = Event {
            line,
            route: route.name.clone(),
            status: response.status(),
            decision,
            request_id: self.request_id,
            started: self.started,
            head: elapsed,
            bytes: 0,
            end: End::Left,
        };
        match response.body().known_size() {
            Some(bytes) => event.sent_whole(bytes),
            None => response.body_mut().watch(Box::new(event)),
        }
        response
    }
}

/// The id that the client gave, where it is fit to be passed on, or a new one.
fn request_id<B>(request: &Request<B>) -> HeaderValue {
    let fit = |id: &&HeaderValue| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    match request.headers().get(X_REQUEST_ID).filter(fit) {
        Some(given) => given.clone(),
        None => {
            let id = hex(fastrand::u128(..).to_ne_bytes());
            HeaderValue::from_maybe_shared(id).expect("hexadecimal digits are visible ASCII")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: Option<&str>) -> HeaderValue {
        let mut request = Request::new(());
        if let Some(given) = given {
            request
                .headers_mut()
                .insert(X_REQUEST_ID, HeaderValue::from_str(given).unwrap());
        }
        request_id(&request)
    }

    #[test]
    fn a_fit_request_id_is_passed_on_and_any_other_replaced() {
        assert_eq!(id(Some("abc-1")), "abc-1");
        for unfit in ["", "a b", &"x".repeat(129)] {
            assert_eq!(id(Some(unfit)).len(), 32, "{unfit:?}");
        }
        assert_ne!(id(None), id(None));
    }
}
