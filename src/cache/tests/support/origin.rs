//! An origin that follows a script and remembers what it was asked.

use super::{reply::Reply, until};
use crate::origin::{Origin, RequestBody, Sending};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// One request that the origin was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    fields: HeaderMap,
    pub(crate) content: Bytes,
}

impl Sent {
    /// What field `name` says, if anything.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }
}

/// See the module docs.
#[derive(Debug, Default)]
pub(crate) struct Script {
    replies: Mutex<VecDeque<Reply>>,
    sent: Mutex<Vec<Sent>>,
}

impl Script {
    /// From now on every request is answered so.
    pub(crate) fn answer(&self, reply: Reply) {
        self.answers([reply]);
    }

    /// From now on requests are answered so, one after the other; the last reply stands for all that come later.
    pub(crate) fn answers(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.replies.lock() = replies.into_iter().collect();
    }

    /// How many requests it was sent.
    pub(crate) fn count(&self) -> usize {
        self.sent.lock().len()
    }

    /// Waits until it was sent so many requests.
    pub(crate) async fn asked(&self, count: usize) {
        until("the origin is asked", || self.count() >= count).await;
        assert_eq!(self.count(), count, "the origin was asked too often");
    }

    /// The last request that it was sent.
    pub(crate) fn last(&self) -> Sent {
        let sent = self.sent.lock();
        sent.last().expect("the origin was asked").clone()
    }

    fn next(&self) -> Reply {
        let mut replies = self.replies.lock();
        if replies.len() > 1 {
            return replies.pop_front().expect("there are two");
        }
        let last = replies.front().cloned();
        last.unwrap_or_else(|| Reply::ok("not scripted").status(404))
    }
}

impl Origin for Script {
    fn request(&self, fields: &HeaderMap) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.headers_mut() = fields.clone();
        request
    }

    fn send(&self, request: Request<RequestBody>) -> Sending {
        let (parts, body) = request.into_parts();
        self.sent.lock().push(Sent {
            method: parts.method,
            fields: parts.headers,
            content: match body {
                RequestBody::Whole(content) => content,
                RequestBody::Stream(_) => panic!("the cache sends only what it has"),
            },
        });
        Box::pin(self.next().give())
    }
}
