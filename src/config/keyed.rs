//! Fields that a route puts into the key.

use http::HeaderName;

use super::{
    typed,
    value::{Text, Value},
};
use crate::semantics::on_the_way::{OnTheWay, on_the_way};

/// The name of a field by which answers can be told apart: one that the origin sees as the client sent it.
pub(super) fn field(value: &Value<'_>, text: &Text<'_>) -> Option<HeaderName> {
    let name = typed::field_name(value, text)?;
    let Some(change) = on_the_way(&name) else {
        return Some(name);
    };
    let (fault, help) = match change {
        OnTheWay::Keyed if name.as_str().contains(is_odd) => (
            "reaches the origin only from peers in `server.trusted`, and is in the key then",
            "write it with dashes, as clients send it",
        ),
        OnTheWay::Keyed | OnTheWay::Host => (
            "is in every key already, where it counts at all",
            "leave it out",
        ),
        OnTheWay::Rewritten => (
            "is written anew by this proxy, so that the origin sees another value than the key would have",
            "leave it out, or set `cache = false` where answers depend on it",
        ),
        OnTheWay::Ended => (
            "ends at this proxy: no answer can depend on it",
            "leave it out",
        ),
        OnTheWay::Judged => (
            "is judged by the cache itself, which asks the origin in its own words",
            "leave it out: conditional and range requests are answered from one stored answer",
        ),
        OnTheWay::Coding => (
            "is the cache's own: it stores one answer and codes it as each client likes",
            "leave it out",
        ),
        OnTheWay::Address => (
            "names the address of a client, which makes an entry for each of them",
            "set `cache = false` where answers depend on it, or key by what it is looked up for",
        ),
    };
    value.fail_text(text, &format!("holds `{name}`, which {fault}"), help)
}

/// Whatever else a name may hold, CGI and its heirs read as one and the same.
fn is_odd(c: char) -> bool {
    !c.is_ascii_alphanumeric() && c != '-'
}
