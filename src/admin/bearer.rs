//! What proves that one may ask: `admin.token` as a bearer token (RFC 6750 §2.1).

use super::problem::Problem;
use crate::proxy::Token;
use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

/// The answer to a request whose `fields` do not prove that the sender knows `token`; `None` where they do.
pub(super) fn refusal(token: &Token, fields: &HeaderMap) -> Option<Response> {
    missing(token, fields).map(challenge)
}

/// What to do where `fields` do not prove that the sender knows `token`; `None` where they do.
///
/// `Authorization` is one line (RFC 9110 §11.6.2, §5.3): of two nobody can say which one counts.
fn missing(token: &Token, fields: &HeaderMap) -> Option<&'static str> {
    let mut lines = fields.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Some(
            "send `Authorization: Bearer TOKEN` with what `admin.token` says; sidecache's own commands take it from \
             --config or ADMIN_TOKEN",
        ),
        (Some(_), Some(_)) => Some("Authorization is there twice: send it once"),
        (Some(line), None) => match bearer(line) {
            None => Some("Authorization names another scheme: send `Authorization: Bearer TOKEN`"),
            Some(given) if token.reads(given) => None,
            Some(_) => Some("this is not the token: send what `admin.token` says"),
        },
    }
}

/// What follows the scheme, whose case does not matter (RFC 9110 §11.1), and its blanks (§11.4: at least one).
fn bearer(line: &HeaderValue) -> Option<&[u8]> {
    let (scheme, given) = line.as_bytes().split_at_checked("bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && given.starts_with(b" ");
    is_bearer.then(|| given.trim_ascii())
}

/// 401 with the scheme that would do (RFC 9110 §15.5.2).
fn challenge(detail: &'static str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn passes(lines: &[&'static str]) -> bool {
        let line = |line: &&'static str| (AUTHORIZATION, HeaderValue::from_static(line));
        missing(&Token::new(TOKEN), &lines.iter().map(line).collect()).is_none()
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        for line in [
            "Bearer 0123456789abcdef",
            "bearer 0123456789abcdef",
            "BEARER 0123456789abcdef",
            "bEaReR   0123456789abcdef",
        ] {
            assert!(passes(&[line]), "{line}");
        }
    }

    #[test]
    fn only_the_whole_token_opens() {
        for line in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer0123456789abcdef",
            "Bearer\t0123456789abcdef",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
            "Bearer 0123456789abcdef, Bearer 0123456789abcdef",
            "Bearer \"0123456789abcdef\"",
            "Bearer token=0123456789abcdef",
            "Basic 0123456789abcdef",
            "Basic OjAxMjM0NTY3ODlhYmNkZWY=",
            "Token 0123456789abcdef",
            "0123456789abcdef",
            "Bearer Bearer 0123456789abcdef",
        ] {
            assert!(!passes(&[line]), "{line}");
        }
        assert!(!passes(&[]));
    }

    #[test]
    fn two_lines_are_none() {
        let right = "Bearer 0123456789abcdef";
        assert!(passes(&[right]));
        assert!(!passes(&[right, right]));
        assert!(!passes(&[right, "Bearer x"]));
        assert!(!passes(&["Basic x", right]));
    }
}
