//! Rewriting messages on their way: what ends at this hop, and what says who passed it on (RFC 9110 §7.6).

use super::target::Target;
use crate::{
    message::{
        Interim,
        names::{
            BYPASS, PURGE_TOKEN, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REQUEST_ID,
        },
    },
    semantics::{cache_status::NAME, date, hop_by_hop},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, TE, TRANSFER_ENCODING, VIA},
    uri::{Authority, Scheme},
};
use std::{net::SocketAddr, time::SystemTime};

/// The fields of the request that goes upstream.
///
/// The client's `Host` goes on, so that the upstream makes the same links as without a proxy.
pub(super) fn request_headers(
    fields: &HeaderMap,
    target: &Target,
    authority: &Authority,
    request_id: &HeaderValue,
    peer: SocketAddr,
) -> HeaderMap {
    let mut headers = fields.clone();
    hop_by_hop::remove(&mut headers);
    headers.remove(BYPASS);
    headers.remove(PURGE_TOKEN);
    if target.accepts_trailers() {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    headers.remove(EXPECT); // answered by our own server
    let host = target.host_field().unwrap_or_else(|| {
        HeaderValue::from_str(authority.as_str()).expect("an authority is visible ASCII")
    });
    headers
        .entry(X_FORWARDED_HOST)
        .or_insert_with(|| host.clone());
    headers
        .entry(X_FORWARDED_PROTO)
        .or_insert(HeaderValue::from_static(target.scheme()));
    headers.insert(HOST, host);
    append_member(
        &mut headers,
        &X_FORWARDED_FOR,
        &peer.ip().to_canonical().to_string(),
    );
    headers.insert(X_REQUEST_ID, request_id.clone());
    append_member(&mut headers, &VIA, &via(target.version()));
    headers
}

/// Lets the interim responses to `request` go on to the client ([RFC 9110 §15.2]); 100 and 101 end at this hop.
///
/// [RFC 9110 §15.2]: https://www.rfc-editor.org/rfc/rfc9110#section-15.2
pub(super) fn pass_interim<B>(request: &mut Request<B>, interim: &Interim) {
    let interim = interim.clone();
    hyper::ext::on_informational(request, move |response| {
        if matches!(
            response.status(),
            StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS
        ) {
            return;
        }
        let mut headers = response.headers().clone();
        hop_by_hop::remove(&mut headers);
        headers.remove(CONTENT_LENGTH); // there is no content (RFC 9110 §8.6)
        let status = response.status();
        let mut message = format!(
            "HTTP/1.1 {} {}\r\n",
            status.as_str(),
            status.canonical_reason().unwrap_or("Interim")
        )
        .into_bytes();
        for (name, value) in &headers {
            message.extend_from_slice(name.as_str().as_bytes());
            message.extend_from_slice(b": ");
            message.extend_from_slice(value.as_bytes());
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"\r\n");
        interim.send(message.into());
    });
}

/// The URL at which the upstream is asked.
pub(super) fn upstream_uri(target: &Target, authority: &Authority) -> Uri {
    let mut parts = target.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.clone());
    Uri::from_parts(parts)
        .expect("scheme, authority and a path that begins with a slash make a URI")
}

/// Takes what ends at this hop out of a response, and adds what every response has.
pub(super) fn prepare_response<B>(response: &mut Response<B>, now: SystemTime) {
    let version = response.version();
    *response.version_mut() = Version::HTTP_11; // ours: each hop speaks its own (RFC 9110 §2.5)
    let headers = response.headers_mut();
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH); // overridden (RFC 9112 §6.3), and a lie to the next hop
    }
    hop_by_hop::remove(headers);
    // A recipient with a clock adds the date where the origin has none (RFC 9110 §6.6.1).
    headers.entry(DATE).or_insert_with(|| {
        HeaderValue::from_bytes(&date::format(now)).expect("a date is visible ASCII")
    });
    append_member(headers, &VIA, &via(version));
}

fn via(version: Version) -> String {
    let version = if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    };
    format!("{version} {NAME}")
}

/// Adds a member to a list field: to the last line, because some readers look at one line only.
fn append_member(headers: &mut HeaderMap, name: &HeaderName, member: &str) {
    let joined = match headers.get_all(name).iter().next_back() {
        Some(last) => [last.as_bytes(), b", ", member.as_bytes()].concat(),
        None => member.as_bytes().to_vec(),
    };
    let Ok(joined) = HeaderValue::from_bytes(&joined) else {
        return;
    };
    let mut lines: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
    lines.pop();
    lines.push(joined);
    headers.remove(name);
    for line in lines {
        headers.append(name.clone(), line);
    }
}
