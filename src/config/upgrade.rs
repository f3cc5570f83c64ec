//! `server.upgrade`: the protocols that clients may switch to.

use super::{
    section::Section,
    value::{Text, Value},
};

/// `websocket`, unless it is written.
pub(super) fn read(section: &Section<'_>) -> Vec<Box<str>> {
    let listed = section.list("upgrade", protocol).value;
    listed.unwrap_or_else(|| vec!["websocket".into()])
}

/// What carries requests is refused in every version: `h2c` and `HTTP/2.0` (RFC 9110 §7.8), `TLS/1.0` (RFC 2817 §3).
fn protocol(value: &Value<'_>, text: &Text<'_>) -> Option<Box<str>> {
    let name = text.value.to_ascii_lowercase();
    let hides = match name.split(['/', '-']).next() {
        Some("http" | "https" | "h2" | "h2c" | "h3") => Some("HTTP"),
        Some("tls") => Some("TLS"),
        _ => None,
    };
    if let Some(protocol) = hides {
        let message =
            format!("holds a version of {protocol}, behind which requests would pass unseen");
        return value.fail_text(text, &message, "leave it out");
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let message = "holds what is not the name of a protocol";
        return value.fail_text(text, message, "write it like \"websocket\"");
    }
    Some(name.into())
}
