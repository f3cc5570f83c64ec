//! The routes as the server calls them.

use crate::server::Content;
use axum::{Router, body::Body, extract::Request, response::Response};
use std::{convert::Infallible, pin::Pin};
use tower::ServiceExt as _;

/// See the module docs. Clones are of the same routes.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Router);

/// On its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl hyper::service::Service<axum::http::Request<Content>> for Service {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: axum::http::Request<Content>) -> Answering {
        let request: Request = request.map(Body::new);
        Box::pin(self.0.clone().oneshot(request))
    }
}
