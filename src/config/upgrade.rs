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

fn protocol(value: &Value<'_>, text: &Text<'_>) -> Option<Box<str>> {
    let name = text.value.to_ascii_lowercase();
    if name == "h2c" || name == "h2" {
        let message = "holds a version of HTTP, whose requests would pass unseen";
        return value.fail_text(text, message, "leave it out");
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let message = "holds what is not the name of a protocol";
        return value.fail_text(text, message, "write it like \"websocket\"");
    }
    Some(name.into())
}
