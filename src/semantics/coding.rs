//! The content codings that this cache produces ([RFC 9110 §8.4.1]).
//!
//! [RFC 9110 §8.4.1]: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1

/// One of them. What is in none of them is "identity".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Zstandard ([RFC 9659]).
    ///
    /// [RFC 9659]: https://www.rfc-editor.org/rfc/rfc9659
    Zstd,
    /// Brotli ([RFC 7932]).
    ///
    /// [RFC 7932]: https://www.rfc-editor.org/rfc/rfc7932
    Br,
    /// gzip ([RFC 9110 §8.4.1.3]).
    ///
    /// [RFC 9110 §8.4.1.3]: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3
    Gzip,
}

/// The names of all codings: what a tag that was given out may carry as suffix, whatever is configured by now.
pub const NAMES: [&str; Coding::COUNT] =
    [Coding::Zstd.name(), Coding::Br.name(), Coding::Gzip.name()];

impl Coding {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// Each of them, those that make the smaller bodies for the same work first.
    pub const ALL: [Self; Self::COUNT] = [Self::Zstd, Self::Br, Self::Gzip];

    /// As it stands in `Content-Encoding` and `Accept-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Its place in [`Coding::ALL`] and in what is kept for each of them.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The coding that a member of `Accept-Encoding` names, in any case; `x-gzip` is gzip ([RFC 9110 §8.4.1.3]).
    ///
    /// [RFC 9110 §8.4.1.3]: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3
    pub fn named(name: &[u8]) -> Option<Self> {
        let is = |coding: &Self| name.eq_ignore_ascii_case(coding.name().as_bytes());
        let known = Self::ALL.into_iter().find(is);
        known.or_else(|| name.eq_ignore_ascii_case(b"x-gzip").then_some(Self::Gzip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_has_a_place_and_a_name_of_its_own() {
        for (at, coding) in Coding::ALL.into_iter().enumerate() {
            assert_eq!(coding.index(), at);
            assert_eq!(NAMES[at], coding.name());
            assert_eq!(Coding::named(coding.name().as_bytes()), Some(coding));
        }
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Coding::named(b"GZip"), Some(Coding::Gzip));
        assert_eq!(Coding::named(b"x-gzip"), Some(Coding::Gzip));
        for none_of_ours in ["", "identity", "deflate", "brotli", "*", "gzip "] {
            assert_eq!(
                Coding::named(none_of_ours.as_bytes()),
                None,
                "{none_of_ours}"
            );
        }
    }
}
