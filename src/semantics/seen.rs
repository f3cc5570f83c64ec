//! One look at the names of a request's fields, for what has to be known of every request: to ask for each field by itself costs
//! a hash of its name, and nearly all requests have none of them.

use super::forwarded::says;
use http::{
    HeaderMap,
    header::{CONNECTION, IF_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING, VIA},
};

/// Which of them a request has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `Connection`.
    pub connection: bool,
    /// `Transfer-Encoding`.
    pub transfer_encoding: bool,
    /// A precondition that only the origin can judge; see [`is_for_the_origin`](super::conditional::is_for_the_origin).
    pub precondition: bool,
    /// `Via`.
    pub via: bool,
    /// A field that says how somebody was reached; see [`says`].
    pub reached: bool,
}

impl Seen {
    /// Those of `request`.
    pub fn of(request: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in request.keys() {
            seen.connection |= *name == CONNECTION;
            seen.transfer_encoding |= *name == TRANSFER_ENCODING;
            seen.via |= *name == VIA;
            seen.precondition |= *name == IF_MATCH || *name == IF_UNMODIFIED_SINCE;
            seen.reached |= says(name).is_some();
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::conditional::is_for_the_origin;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_look_sees_what_asking_for_each_would(names in prop::collection::vec(
            "connection|transfer-encoding|if-match|if-unmodified-since|via|x-forwarded-for|host|accept|x_a", 0..5,
        )) {
            let field = |name: &String| {
                (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_static("a"))
            };
            let request: HeaderMap = names.iter().map(field).collect();
            let expected = Seen {
                connection: request.contains_key(CONNECTION),
                transfer_encoding: request.contains_key(TRANSFER_ENCODING),
                precondition: is_for_the_origin(&request),
                via: request.contains_key(VIA),
                reached: request.keys().any(|name| says(name).is_some()),
            };
            prop_assert_eq!(Seen::of(&request), expected);
        }
    }
}
