//! What a write makes invalid ([RFC 9111 §4.4]).
//!
//! [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4

use http::{Method, StatusCode};

/// Whether `method` may change what the origin holds; unknown methods may ([RFC 9110 §9.2.1]).
///
/// [RFC 9110 §9.2.1]: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    ) && method.as_str() != "QUERY"
}

/// Whether the answer to `method` invalidates: only an unsafe method that did not fail ([RFC 9111 §4.4]).
///
/// [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4
pub fn invalidates(method: &Method, status: StatusCode) -> bool {
    is_unsafe(method) && (status.is_success() || status.is_redirection())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_methods_that_succeed_invalidate() {
        let unknown = Method::from_bytes(b"M-SEARCH").unwrap();
        for method in [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            unknown,
        ] {
            for (status, expected) in [
                (200, true),
                (204, true),
                (303, true),
                (400, false),
                (500, false),
            ] {
                let status = StatusCode::from_u16(status).unwrap();
                assert_eq!(invalidates(&method, status), expected, "{method} {status}");
            }
        }
    }

    #[test]
    fn safe_methods_invalidate_nothing() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"] {
            assert!(
                !invalidates(
                    &Method::from_bytes(method.as_bytes()).unwrap(),
                    StatusCode::OK
                ),
                "{method}"
            );
        }
    }
}
