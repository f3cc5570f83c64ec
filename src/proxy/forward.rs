//! Rewriting messages on their way: what ends at this hop, and what says who passed it on (RFC 9110 §7.6).

use super::{circle::Instance, target::Target};
use crate::{
    message::{
        BodyError, Interim,
        names::{
            BYPASS, PURGE_TOKEN, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REQUEST_ID,
        },
    },
    origin::FetchError,
    semantics::{cache_status::NAME, date, fields::all_members, forwarded::FORWARDED, hop_by_hop},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, TE, TRANSFER_ENCODING, VIA},
    uri::{Authority, Scheme},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::SystemTime,
};

/// What a trusted peer says in them decides, in whichever line it stands.
const KEPT_IN_ONE_LINE: [HeaderName; 4] = [
    X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
];

/// The fields of the request that goes upstream.
///
/// The client's `Host` goes on, so that the upstream makes the same links as without a proxy.
pub(super) fn request_headers(
    fields: &HeaderMap,
    target: &Target,
    authority: &Authority,
    request_id: &HeaderValue,
    peer: SocketAddr,
    instance: &Instance,
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
        .or_insert_with(|| target.effective_host().unwrap_or(&host).clone());
    headers
        .entry(X_FORWARDED_PROTO)
        .or_insert(HeaderValue::from_static(target.scheme()));
    headers.insert(HOST, host);
    if target.is_reached_by_another() {
        for name in KEPT_IN_ONE_LINE {
            join_lines(&mut headers, &name);
        }
    }
    let peer = peer.ip().to_canonical();
    append_member(&mut headers, &X_FORWARDED_FOR, &peer.to_string());
    if headers.contains_key(FORWARDED) {
        append_member(&mut headers, &FORWARDED, &forwarded_for(peer));
    }
    one_length(&mut headers); // hyper has refused those that differ
    headers.insert(X_REQUEST_ID, request_id.clone());
    let member = via(target.version(), &instance.received_by());
    append_member(&mut headers, &VIA, &member);
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
///
/// # Errors
/// Its length is no number, or there are several: nobody can tell where it ends ([RFC 9112 §6.3]).
///
/// [RFC 9112 §6.3]: https://www.rfc-editor.org/rfc/rfc9112#section-6.3
pub(super) fn prepare_response<B>(
    response: &mut Response<B>,
    now: SystemTime,
) -> Result<(), FetchError> {
    let version = response.version();
    *response.version_mut() = Version::HTTP_11; // ours: each hop speaks its own (RFC 9110 §2.5)
    let headers = response.headers_mut();
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH); // overridden (RFC 9112 §6.3), and a lie to the next hop
    }
    if !one_length(headers) {
        return Err(FetchError::broken(BodyError::Broken));
    }
    hop_by_hop::remove(headers);
    // A recipient with a clock adds the date where the origin has none (RFC 9110 §6.6.1).
    headers.entry(DATE).or_insert_with(|| {
        HeaderValue::from_bytes(&date::format(now)).expect("a date is visible ASCII")
    });
    append_member(headers, &VIA, &via(version, NAME));
    Ok(())
}

fn via(version: Version, received_by: &str) -> String {
    let version = if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    };
    format!("{version} {received_by}")
}

/// Adds a member to a list field, all of it in one line: some readers look at the first line only, others at the last.
fn append_member(headers: &mut HeaderMap, name: &HeaderName, member: &str) {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let lines: Vec<&[u8]> = lines.chain([member.as_bytes()]).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
        headers.insert(name, joined);
    }
}

/// All lines of a list field in one.
fn join_lines(headers: &mut HeaderMap, name: &HeaderName) {
    let mut lines = headers.get_all(name).iter();
    if let (Some(_), Some(_)) = (lines.next(), lines.next()) {
        let lines: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
            headers.insert(name, joined);
        }
    }
}

/// This hop as a member of `Forwarded` ([RFC 7239 §4], [RFC 7239 §6]).
///
/// [RFC 7239 §4]: https://www.rfc-editor.org/rfc/rfc7239#section-4
/// [RFC 7239 §6]: https://www.rfc-editor.org/rfc/rfc7239#section-6
fn forwarded_for(peer: IpAddr) -> String {
    match peer {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    }
}

/// The lengths that a message states, written anew as one ([RFC 9112 §6.3]); `false` where they are no numbers or differ.
///
/// [RFC 9112 §6.3]: https://www.rfc-editor.org/rfc/rfc9112#section-6.3
fn one_length(headers: &mut HeaderMap) -> bool {
    let Some(first) = headers.get(CONTENT_LENGTH) else {
        return true;
    };
    let is_number = !first.is_empty() && first.as_bytes().iter().all(u8::is_ascii_digit);
    let is_canonical = is_number && (first.len() == 1 || first.as_bytes()[0] != b'0');
    if is_canonical && headers.get_all(CONTENT_LENGTH).iter().nth(1).is_none() {
        return true;
    }
    let mut lengths = all_members(headers, &CONTENT_LENGTH).map(length);
    let Some(Some(length)) = lengths.next() else {
        return false;
    };
    let agree = lengths.all(|other| other == Some(length));
    drop(lengths);
    if !agree {
        return false;
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    true
}

fn length(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(lines: &[&'static str]) -> Option<Vec<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
        }
        let left = |headers: &HeaderMap| {
            let lines = headers.get_all(CONTENT_LENGTH).iter();
            lines
                .map(|line| line.to_str().unwrap().to_owned())
                .collect()
        };
        one_length(&mut headers).then(|| left(&headers))
    }

    #[test]
    fn a_length_leaves_as_one_canonical_number() {
        assert_eq!(lengths(&[]), Some(vec![]));
        let cases: [&[&'static str]; 6] = [
            &["5"],
            &["05"],
            &["5, 5"],
            &["5", "5"],
            &["5", "005, 5"],
            &["5,"],
        ];
        for lines in cases {
            assert_eq!(lengths(lines), Some(vec!["5".to_owned()]), "{lines:?}");
        }
        assert_eq!(lengths(&["0"]), Some(vec!["0".to_owned()]));
        let cases: [&[&'static str]; 9] = [
            &[""],
            &["+5"],
            &["-5"],
            &["0x5"],
            &["5 5"],
            &["5, 6"],
            &["5", "6"],
            &["5", "x"],
            &["099999999999999999999"],
        ];
        for lines in cases {
            assert_eq!(lengths(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_peer_is_named_as_a_node_is() {
        assert_eq!(forwarded_for("192.0.2.1".parse().unwrap()), "for=192.0.2.1");
        assert_eq!(
            forwarded_for("2001:db8::1".parse().unwrap()),
            "for=\"[2001:db8::1]\""
        );
    }

    #[test]
    fn a_list_is_continued_in_one_line() {
        let mut headers = HeaderMap::new();
        append_member(&mut headers, &VIA, "1.1 a");
        assert_eq!(headers[VIA], "1.1 a");
        headers.append(VIA, HeaderValue::from_static("1.0 b"));
        append_member(&mut headers, &VIA, "1.1 c");
        let lines: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(lines, ["1.1 a, 1.0 b, 1.1 c"]);
    }
}
