//! The content of a client's request.

use bytes::Bytes;
use http_body::Body;

/// What the content of a request may be: hyper's, or any other body of bytes.
pub trait Content: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static> Content for B {}
