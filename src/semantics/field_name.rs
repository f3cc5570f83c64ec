//! What is odd in the name of a field.
//!
//! CGI and its heirs make a variable of each name, and put `_` for what is no letter or digit ([RFC 3875 §4.1.18]): some for
//! `-` alone, others for any character that a name may have. Two fields are one for them where they differ in these only.
//!
//! [RFC 3875 §4.1.18]: https://www.rfc-editor.org/rfc/rfc3875#section-4.1.18

/// Whether `name` has nothing but lower case letters, digits and `-`, as nearly all names. Eight bytes at a time: this looks at
/// the name of every field.
pub(super) fn is_plain(name: &[u8]) -> bool {
    let (words, rest) = name.as_chunks::<8>();
    match name.last_chunk::<8>() {
        // The last word overlaps the one before it.
        Some(last) => words.iter().chain([last]).all(is_plain_word),
        None => rest.iter().all(|byte| is_plain_byte(*byte)),
    }
}

fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

/// A name is ASCII, so that no sum below carries into the next byte.
fn is_plain_word(word: &[u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(*word);
    let from = |least: u8| word.wrapping_add(ONES * u64::from(0x80 - least));
    let of = |least: u8, most: u8| from(least) & !from(most + 1);
    let plain = of(b'a', b'z') | of(b'0', b'9') | of(b'-', b'-');
    (plain | !HIGH) == u64::MAX && word & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_odd_is_found_wherever_it_is(name in "[a-z0-9-]{0,30}[!#$%&'*+.^_`|~a-z0-9-]?[a-z0-9-]{0,20}") {
            prop_assert_eq!(is_plain(name.as_bytes()), name.bytes().all(is_plain_byte));
        }
    }
}
