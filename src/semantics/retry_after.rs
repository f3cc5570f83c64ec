//! How long an origin that failed wants to be left alone ([RFC 9110 §10.2.3]).
//!
//! [RFC 9110 §10.2.3]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3

use super::{date, fields::delta_seconds};
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// A longer wish is not granted: an origin that is well again would not be noticed.
const LONGEST: Duration = Duration::from_secs(3600);

/// What `Retry-After` asks for at `now`, an hour at most. `None` where it is not there or cannot be read.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.as_bytes().trim_ascii();
    let wish = match delta_seconds(value) {
        Some(seconds) => Duration::from_secs(seconds),
        None => date::parse(value, now)?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wish.min(LONGEST))
}

/// Whether an answer with this status says that the origin cannot answer now, and nothing about the resource.
pub fn is_for_later(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn seconds_and_dates_are_read_and_an_hour_is_the_most() {
        let now = date::parse(b"Sun, 06 Nov 1994 08:49:37 GMT", SystemTime::UNIX_EPOCH).unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            ("99999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let headers = [(RETRY_AFTER, HeaderValue::from_static(value))];
            let found = retry_after(&headers.into_iter().collect(), now);
            assert_eq!(found, seconds.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
