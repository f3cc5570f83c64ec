//! The names as which origins may read the name of a parameter.

use crate::semantics::key::decoded;

/// What is decoded once more at most: nobody decodes more often.
const MOST_ROUNDS: usize = 3;

/// As which names origins may read one. Equal parts of two of them mean that some origin may take the two for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    /// Up to what begins a key inside it, in lower case, without what stands before it: `q` of `+q[x].y`. ASP.NET, Rack, qs.
    cut: String,
    /// With `_` for what PHP puts it for: `q_x` of `q.x`, up to a bracket.
    underscored: String,
    /// The same where the bracket is not closed: `q_x` of `q[x`.
    unclosed: String,
    /// It begins with what is of no name: who reads on, and from where, nobody knows.
    pub(super) begins_oddly: bool,
}

impl Reading {
    /// Of a name that has been decoded once.
    pub(super) fn of(name: &str) -> Self {
        if is_plain(name) {
            let name = name.to_ascii_lowercase();
            return Self {
                underscored: String::new(),
                unclosed: String::new(),
                cut: name,
                begins_oddly: false,
            };
        }
        let mut name = name.to_owned();
        for _ in 0..MOST_ROUNDS {
            let again = decoded(&units(&name));
            if again == name {
                break;
            }
            name = again;
        }
        let name: String = name.chars().flat_map(char::to_lowercase).collect();
        let own = name.trim_start_matches(|c| !is_of_a_name(c));
        let begins_oddly = own.len() < name.len();
        let own = if own.is_empty() { &*name } else { own };
        let end = |stop: &dyn Fn(char) -> bool| own.find(stop).unwrap_or(own.len());
        let underscored = |text: &str| text.replace(['.', ' ', '[', '+'], "_");
        Self {
            cut: own[..end(&|c| !is_of_a_name(c))].to_owned(),
            underscored: underscored(&own[..end(&|c| c == '[' || c == '\0')]),
            unclosed: underscored(&own[..end(&|c| c == '\0')]),
            begins_oddly,
        }
    }

    /// What parameters that some origin takes for one have in common.
    pub(super) fn sorted_by(&self) -> &str {
        &self.cut
    }

    /// What else origins may read.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        let others = [&*self.underscored, &*self.unclosed];
        others.into_iter().filter(|name| !name.is_empty())
    }

    /// All that origins may read.
    pub(super) fn all(&self) -> Vec<&str> {
        std::iter::once(self.sorted_by())
            .chain(self.others())
            .collect()
    }
}

/// Whether everybody reads the same in it, but for upper and lower case.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.bytes().all(plain)
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@')
}

/// `%u0071` as ASP has it, as `%71`.
fn units(name: &str) -> String {
    name.replace("%u00", "%").replace("%U00", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_lenient_origins_do() {
        for name in [
            "q",
            "Q",
            "q[]",
            "q[0]",
            "q.x",
            " q",
            "q\0",
            "q\0x",
            "q ",
            "[q]",
            "?q",
            "%71",
            "%2571",
            "%u0071",
            "\u{feff}q",
            "q=1",
            "q&x",
            "q]",
            "q:x",
            "\tq",
            "q[",
        ] {
            assert_eq!(Reading::of(name).sorted_by(), "q", "{name:?}");
        }
        let read = |name| {
            let reading = Reading::of(name);
            reading
                .all()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for name in ["a.b", "a b", "a[b", " a.b", "A.b"] {
            assert!(read(name).contains(&"a_b".to_owned()), "{name:?}");
        }
        assert_eq!(read("a_b"), ["a_b"]);
        assert_eq!(Reading::of("größe").sorted_by(), "größe");
    }
}
