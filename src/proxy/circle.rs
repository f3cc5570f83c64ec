//! Requests that come back, because the upstream of some proxy leads back to it.

use super::problem::Problem;
use crate::{
    message::hex,
    semantics::{
        cache_status::NAME,
        fields::{LONGEST_READ, members},
    },
};
use http::{HeaderMap, header::VIA};
use std::hash::{BuildHasher, RandomState};

/// More proxies of this name stand nowhere one behind the other.
const MOST_HOPS: usize = 10;

/// `Via` shows a request that comes back again and again ([RFC 9110 §7.6.3]). Each hop adds itself at the end, so the end is what
/// is read of a long one: what a client puts before it hides nothing.
///
/// [RFC 9110 §7.6.3]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3
pub(super) fn check(request: &HeaderMap) -> Result<(), Problem> {
    match hops(request).count() {
        hops if hops >= MOST_HOPS => Err(Problem::Loop(hops)),
        _ => Ok(()),
    }
}

/// The members of `Via` that name a proxy of this name, from the comment on.
fn hops(request: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let mut left = LONGEST_READ;
    let ends = request.get_all(VIA).iter().rev().map(move |line| {
        let line = line.as_bytes();
        let read = line.len().min(left);
        left -= read;
        &line[line.len() - read..]
    });
    ends.flat_map(members).filter_map(|member| {
        let (_version, rest) = first_word(member);
        let (received_by, comment) = first_word(rest);
        (received_by == NAME.as_bytes()).then_some(comment)
    })
}

fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ');
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii())
}

/// What this very process is called among those of its name: a comment in the `Via` of what it sends upstream, which no client
/// sees.
///
/// A request that has it has come through here before. It must not wait for a fetch under way: that may be the one that it is
/// part of. Replicas share the name and not this, so that one behind the other they collapse requests as ever.
#[derive(Debug)]
pub(super) struct Instance(String);

impl Instance {
    /// One that nobody can guess: who could might let the origin do the same work many times at once.
    pub(super) fn random() -> Self {
        // Seeded by the system's source of randomness.
        let number = RandomState::new().hash_one(fastrand::u64(..));
        let digits = hex(number.to_be_bytes());
        Self(format!("({})", String::from_utf8_lossy(&digits)))
    }

    /// Its name and comment for `Via`.
    pub(super) fn received_by(&self) -> String {
        format!("{NAME} {}", self.0)
    }

    /// Whether `request` has come through here before.
    pub(super) fn has_seen(&self, request: &HeaderMap) -> bool {
        hops(request).any(|comment| comment == self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn via(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (VIA, HeaderValue::from_str(line).unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_process_knows_itself_and_not_its_replicas() {
        let (own, replica) = (Instance::random(), Instance::random());
        let request = via(&["1.0 edge", &format!("1.1 {}, 1.1 b", own.received_by())]);
        assert!(own.has_seen(&request) && !replica.has_seen(&request));
        let spaced = format!("1.1   sidecache  {}", own.0);
        assert!(own.has_seen(&via(&[&spaced])));
        for other in ["1.1 sidecache", "1.1 sidecache ()", "1.1 a (sidecache)"] {
            assert!(!own.has_seen(&via(&[other])), "{other}");
        }
        let elsewhere = format!("1.1 other {}", own.0);
        assert!(!own.has_seen(&via(&[&elsewhere])));
    }

    #[test]
    fn ten_of_this_name_are_too_many_whatever_their_comments() {
        let hop = format!("1.1 {}", Instance::random().received_by());
        let nine = vec![&hop[..]; 9];
        assert!(check(&via(&nine)).is_ok());
        let ten = [&nine[..], &["1.1 sidecache"]].concat();
        assert!(matches!(check(&via(&ten)), Err(Problem::Loop(10))));
    }
}
