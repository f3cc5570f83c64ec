//! How a target is spelt, as far as that has to be known before anybody reads it.

use crate::{
    proxy::problem::Problem,
    semantics::{fields::LONGEST_READ, key},
};
use http::Uri;

/// `uri` with an escape for each byte that is not ASCII: what the upstream gets, and what everybody here reads.
///
/// # Errors
/// It is longer than it can be read ([RFC 9110 §15.5.15]).
///
/// [RFC 9110 §15.5.15]: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.15
pub(super) fn encoded(uri: &Uri) -> Result<Uri, Problem> {
    let foreign = uri
        .path_and_query()
        .filter(|path| !path.as_str().is_ascii());
    let Some(path) = foreign else {
        return Ok(uri.clone());
    };
    if path.as_str().len() > LONGEST_READ {
        return Err(Problem::LongTarget);
    }
    let path = key::encoded(path.as_str()).into_owned();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.try_into().map_err(|_| Problem::Target)?);
    Uri::from_parts(parts).map_err(|_| Problem::Target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(uri: &str) -> Result<String, Problem> {
        encoded(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn bytes_that_are_no_uri_are_escaped_for_everybody() {
        let target = spelt("/caf\u{e9}?q=\u{fc}").unwrap();
        assert_eq!(target, "/caf%C3%A9?q=%C3%BC");
        assert_eq!(spelt("http://b/\u{e9}").unwrap(), "http://b/%C3%A9");
    }

    #[test]
    fn a_target_that_is_not_ascii_is_read_up_to_a_length() {
        for begin in ["/", "/?"] {
            let long = |unit: &str| format!("{begin}{}", unit.repeat(4200 / unit.len()));
            assert!(
                spelt(&long("a")).is_ok()
                    && spelt(&long("é")[begin.len()..][..4000].replacen("é", begin, 1)).is_ok()
            );
            assert!(matches!(spelt(&long("é")), Err(Problem::LongTarget)));
        }
    }
}
