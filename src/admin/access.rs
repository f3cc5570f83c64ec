//! Who may ask.
//!
//! Where there is no token and only this machine can connect, a browser on it still can, for the page of a stranger: whoever
//! lets a name of their own stand for 127.0.0.1 (DNS rebinding) has a page that may read what this port answers. The name is
//! then in `Host`, which no page can change, so only what cannot be a stranger's name is answered.

use super::{bearer, problem::Problem};
use crate::proxy::Token;
use axum::{
    extract::{Request, State},
    http::{StatusCode, header::HOST, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// What an orchestrator asks. It has no token, and they tell nothing but how the proxy is.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Who may ask more than the probes.
#[derive(Debug)]
pub(super) enum Access {
    /// Whoever has it.
    Token(Token),
    /// Whoever can connect and asks by a name that no stranger can have.
    Here,
    /// Whoever can connect.
    Open,
}

impl Access {
    /// As `admin.token` and `admin.open` say.
    pub(super) fn new(token: Option<Token>, open: bool) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if open => Self::Open,
            None => Self::Here,
        }
    }
}

/// Lets those through who may ask; others get 401 or 421, also for paths that do not exist.
pub(super) async fn authorize(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let is_probe = PROBES.contains(&request.uri().path());
    let refusal = match &*access {
        Access::Token(token) if !is_probe => bearer::refusal(token, request.headers()),
        Access::Here if !is_probe && is_misdirected(&request) => Some(misdirected()),
        _ => None,
    };
    match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// RFC 9110 §15.5.20.
fn misdirected() -> Response {
    let detail = "without `admin.token` this port answers requests for an address, for `localhost` or for a name without a \
                  dot, because a page in a browser could ask by any other name: ask for one of these, set `admin.token`, or \
                  write `open = true` under `[admin]`";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
}

/// Whether `request` is for a name that can be a stranger's. One without any is of no browser.
fn is_misdirected(request: &Request) -> bool {
    let target = request.uri().host().into_iter().map(str::as_bytes);
    let lines = request.headers().get_all(HOST).iter();
    let mut names = target.chain(lines.map(|line| line.as_bytes()));
    !names.all(is_nobodys)
}

/// Whether `authority` is an address, or a name that nobody can own: `localhost` and what ends in it (RFC 6761 §6.3), and
/// those without a dot.
fn is_nobodys(authority: &[u8]) -> bool {
    if authority.is_empty() {
        return true;
    }
    let Ok(authority) = Authority::try_from(authority) else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stranger_has_an_address_or_a_name_without_a_dot() {
        for authority in [
            "",
            "127.0.0.1",
            "127.0.0.1:9901",
            "[::1]:9901",
            "10.1.2.3:9901",
            "localhost:9901",
            "LocalHost.",
            "api.localhost:9901",
            "sidecache:9901",
        ] {
            assert!(is_nobodys(authority.as_bytes()), "{authority}");
        }
    }

    #[test]
    fn every_other_name_can_be_a_strangers() {
        for authority in [
            "attacker.example",
            "attacker.example:9901",
            "attacker.example.",
            "127.0.0.1.attacker.example",
            "127.0.0.1@attacker.example",
            "localhost.attacker.example:9901",
            "notlocalhost.example",
            "a.notlocalhost",
            "local host",
            "attacker.example:x",
            "attacker.example,localhost",
        ] {
            assert!(!is_nobodys(authority.as_bytes()), "{authority}");
        }
    }
}
