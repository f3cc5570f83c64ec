//! Copies of the right size: what arrived are slices of read buffers, and a small one would hold on to the whole of its
//! buffer for as long as it is kept, or waits.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};

/// In bytes.
const LONG: usize = 4 << 10;

/// The same fields with all values in one piece of memory.
pub fn fields(headers: &HeaderMap) -> HeaderMap {
    let mut values = Vec::with_capacity(headers.values().map(HeaderValue::len).sum());
    for value in headers.values() {
        values.extend_from_slice(value.as_bytes());
    }
    let mut rest = Bytes::from(values);
    let mut compacted = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let same = HeaderValue::from_maybe_shared(rest.split_to(value.len()));
        compacted.append(name, same.expect("it was a valid value before"));
    }
    compacted
}

/// The same value.
pub fn value(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("it was a valid value before")
}

/// The same URI. A long one is no small part of its buffer, and to read it again would cost more than that saves.
pub fn uri(uri: &Uri) -> Uri {
    if uri
        .path_and_query()
        .is_some_and(|path| path.as_str().len() > LONG)
    {
        return uri.clone();
    }
    uri.to_string().parse().unwrap_or_else(|_| uri.clone()) // a form that only requests have stays as it is
}
