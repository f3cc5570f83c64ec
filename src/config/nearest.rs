//! "Did you mean": the closest of the names that would have been right.

use strsim::osa_distance;

/// Longer words are no slips of the finger, and comparing them costs.
const LONGEST: usize = 64;

/// What others call our keys and words.
const OTHER_NAMES: [(&str, &str); 18] = [
    ("address", "listen"),
    ("backend", "upstream"),
    ("bind", "listen"),
    ("brotli", "br"),
    ("expires", "ttl"),
    ("host", "url"),
    ("invalidate", "purge"),
    ("match", "path"),
    ("max_age", "ttl"),
    ("method", "methods"),
    ("origin", "upstream"),
    ("port", "listen"),
    ("size", "max"),
    ("swr", "stale_while_revalidate"),
    ("target", "url"),
    ("threads", "workers"),
    ("vary", "key"),
    ("zstandard", "zstd"),
];

/// The name among `names` that `word` was probably meant to be.
pub(super) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    let other = OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == word)
        .map(|(_, ours)| *ours);
    let score = |name: &str| {
        if other == Some(name) {
            Some(0)
        } else {
            slip(&word, &plain(name))
        }
    };
    let scored = names
        .into_iter()
        .filter_map(|name| Some((score(name)?, name)));
    scored
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The name among `names` that is one edit away from `word`, in the same case.
///
/// For what may also be right as it is.
pub(super) fn slip_of<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > LONGEST {
        return None;
    }
    let is_one_away = |name: &&str| osa_distance(word, name) == 1;
    names.into_iter().find(is_one_away)
}

/// How far apart they are; `None` where it is too far for a slip.
fn slip(word: &str, name: &str) -> Option<usize> {
    let (word_length, name_length) = (word.chars().count(), name.chars().count());
    let longer = word_length.max(name_length);
    // Half of a short word is another word: `min` is not a slip of `max`.
    let most = (longer / 3).max(2).min(longer / 2);
    if word_length.abs_diff(name_length) > most {
        return None;
    }
    let found = osa_distance(word, name); // a swap of neighbours is one edit
    (found <= most).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_slip_away() {
        let names = [
            "max",
            "listen",
            "max_connections",
            "timeout",
            "ttl",
            "connect_timeout",
        ];
        let cases = [
            ("listne", Some("listen")),
            ("Listen", Some("listen")),
            ("tiemout", Some("timeout")),
            ("timout", Some("timeout")),
            ("max-connections", Some("max_connections")),
            ("maximum_connect", None),
            ("conn_timeout", Some("connect_timeout")),
            ("tl", Some("ttl")),
            ("min", None),
            ("port", Some("listen")),
            ("", None),
            ("völlig", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), names), None);
    }

    #[test]
    fn a_slip_is_one_edit_and_not_the_word_itself() {
        let cases = [
            ("PSOT", Some("POST")),
            ("DELET", Some("DELETE")),
            ("POST", None),
        ];
        for (word, expected) in cases {
            assert_eq!(slip_of(word, ["POST", "DELETE"]), expected, "{word}");
        }
        assert_eq!(slip_of("PURGE", ["POST", "PUT"]), None);
    }
}
