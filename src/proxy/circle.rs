//! Requests that come back again and again, because the upstream of some proxy leads back to it.

use super::problem::Problem;
use crate::semantics::{
    cache_status::NAME,
    fields::{LONGEST_READ, members},
};
use http::{HeaderMap, header::VIA};

/// More proxies of this name stand nowhere one behind the other.
const MOST_HOPS: usize = 10;

/// `Via` shows a request that comes back again and again ([RFC 9110 §7.6.3]). Each hop adds itself at the end, so the end is what
/// is read of a long one: what a client puts before it hides nothing.
///
/// [RFC 9110 §7.6.3]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3
pub(super) fn check(request: &HeaderMap) -> Result<(), Problem> {
    let ours = |member: &&[u8]| {
        let mut words = member
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        words.nth(1) == Some(NAME.as_bytes())
    };
    let mut left = LONGEST_READ;
    let ends = request.get_all(VIA).iter().rev().map(|line| {
        let line = line.as_bytes();
        let read = line.len().min(left);
        left -= read;
        &line[line.len() - read..]
    });
    match ends.flat_map(members).filter(ours).count() {
        hops if hops >= MOST_HOPS => Err(Problem::Loop(hops)),
        _ => Ok(()),
    }
}
