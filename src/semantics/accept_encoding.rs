//! Which content coding a client gets ([RFC 9110 §12.5.3]).
//!
//! [RFC 9110 §12.5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3

use super::{
    coding::Coding,
    fields::{quality, request_members},
};
use http::{HeaderMap, header::ACCEPT_ENCODING};

/// The coding of `offered` that the client weighs most, the first of those that it weighs the same; `None` for identity.
///
/// A client that says nothing gets identity, and so does one that weighs identity more than every coding. One that accepts
/// nothing at all gets identity too: [RFC 9110 §12.5.3] asks for that, unless it refuses identity as well, and then an answer
/// that it may be able to read is of more use than none. Allocates nothing: every hit asks.
///
/// [RFC 9110 §12.5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
pub fn preferred(request: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let weights = Weights::of(request)?;
    // Of several maxima the last one counts.
    let best = offered
        .iter()
        .rev()
        .max_by_key(|c| weights.of_coding(**c))?;
    weights.prefers(*best).then_some(*best)
}

/// What `Accept-Encoding` says, in thousandths; `None` of what it does not name.
#[derive(Default)]
struct Weights {
    codings: [Option<u16>; Coding::COUNT],
    identity: Option<u16>,
    any: Option<u16>,
}

impl Weights {
    /// `None` where the field is missing.
    fn of(request: &HeaderMap) -> Option<Self> {
        if !request.contains_key(ACCEPT_ENCODING) {
            return None;
        }
        let mut weights = Self::default();
        for member in request_members(request, &ACCEPT_ENCODING) {
            let name = member.split(|b| *b == b';').next().unwrap_or_default();
            let named = match name.trim_ascii() {
                b"*" => &mut weights.any,
                name if name.eq_ignore_ascii_case(b"identity") => &mut weights.identity,
                name => match Coding::named(name) {
                    Some(coding) => &mut weights.codings[coding.index()],
                    None => continue,
                },
            };
            // Named more than once, it may be refused: the least counts.
            let weight = quality(member);
            *named = Some(named.map_or(weight, |other| other.min(weight)));
        }
        Some(weights)
    }

    /// `*` stands for the codings that are not named.
    fn of_coding(&self, coding: Coding) -> u16 {
        self.codings[coding.index()].or(self.any).unwrap_or(0)
    }

    /// Whether the client accepts `coding` and likes it as much as identity, of which it need not say anything.
    fn prefers(&self, coding: Coding) -> bool {
        let weight = self.of_coding(coding);
        weight > 0 && weight >= self.identity.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn request(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        lines.iter().map(line).collect()
    }

    fn chosen(line: &str, offered: &[Coding]) -> Option<Coding> {
        preferred(&request(&[line]), offered)
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_accept_it() {
        for yes in [
            "gzip",
            "GZIP",
            "br, gzip;q=0.5",
            "*",
            "deflate, *;q=0.1",
            "gzip, identity",
            "x-gzip",
            "identity;q=0, gzip;q=0.001",
            "gzip;q=0.5, *;q=0",
        ] {
            assert_eq!(chosen(yes, &[Coding::Gzip]), Some(Coding::Gzip), "{yes}");
        }
        for no in [
            "",
            "br",
            "gzip;q=0",
            "*;q=0",
            "identity",
            "gzip;q=0.5, identity",
            "gzip;q=0, *",
            "gzip;q=x",
            "identity;q=0",
            "gzip, x-gzip;q=0",
        ] {
            assert_eq!(chosen(no, &[Coding::Gzip]), None, "{no}");
        }
        assert_eq!(preferred(&HeaderMap::new(), &Coding::ALL), None);
    }

    #[test]
    fn the_highest_weight_wins_and_the_operators_order_where_they_are_equal() {
        use Coding::{Br, Gzip, Zstd};
        for (line, expected) in [
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Br)),
            ("gzip, deflate", Some(Gzip)),
            ("zstd;q=0.5, br;q=0.9, gzip;q=0.8", Some(Br)),
            ("zstd;q=0.001, gzip", Some(Gzip)),
            ("zstd;q=0, *", Some(Br)),
            ("*;q=0.5, gzip", Some(Gzip)),
            ("*;q=0, gzip;q=0.1", Some(Gzip)),
            ("*, identity;q=0", Some(Zstd)),
            ("br;q=0.5, gzip;q=0.6, identity;q=0.7", None),
            ("zstd;q=0, br;q=0, gzip;q=0", None),
        ] {
            assert_eq!(chosen(line, &Coding::ALL), expected, "{line}");
        }
        let line = "zstd, br, gzip";
        assert_eq!(chosen(line, &[Gzip, Zstd]), Some(Gzip));
        assert_eq!(chosen(line, &[Br]), Some(Br));
        assert_eq!(chosen(line, &[]), None);
    }

    #[test]
    fn nothing_is_coded_for_a_list_that_is_too_long() {
        let long = format!("gzip{}", ",br".repeat(1400));
        assert_eq!(chosen(&long, &Coding::ALL), None);
        assert!(chosen(&long[..4000], &Coding::ALL).is_some());
    }

    #[test]
    fn several_lines_are_one_list() {
        let request = request(&["gzip;q=0.5", "br"]);
        assert_eq!(preferred(&request, &Coding::ALL), Some(Coding::Br));
    }

    /// A member with its weight in thousandths.
    fn member() -> impl Strategy<Value = (&'static str, u16)> {
        const NAMES: [&str; 7] = ["zstd", "br", "gzip", "identity", "*", "deflate", "dcz"];
        (0..NAMES.len(), 0..=1000_u16).prop_map(|(name, weight)| (NAMES[name], weight))
    }

    fn written(members: &[(&str, u16)]) -> String {
        let member = |(name, weight): &(&str, u16)| {
            let (whole, fraction) = (weight / 1000, weight % 1000);
            format!("{name};q={whole}.{fraction:03}")
        };
        members.iter().map(member).collect::<Vec<_>>().join(", ")
    }

    /// Any of our codings, some of them, in any order.
    fn offers() -> impl Strategy<Value = Vec<Coding>> {
        let all = proptest::sample::subsequence(Coding::ALL.to_vec(), 0..=Coding::COUNT);
        all.prop_shuffle()
    }

    proptest! {
        #[test]
        fn a_coding_that_is_refused_is_never_chosen(
            members in prop::collection::vec(member(), 0..8), offered in offers(),
        ) {
            let Some(coding) = chosen(&written(&members), &offered) else { return Ok(()) };
            prop_assert!(offered.contains(&coding));
            let least = |name| members.iter().filter(|(n, _)| *n == name).map(|(_, w)| *w).min();
            let accepted = least(coding.name()).or(least("*"));
            prop_assert!(accepted > Some(0), "refused, or neither named nor meant by a star");
        }

        #[test]
        fn nothing_that_the_client_weighs_more_is_passed_over(
            weights in [0..=1000_u16, 0..=1000, 0..=1000, 0..=1000], offered in offers(),
        ) {
            let names = ["zstd", "br", "gzip", "identity"];
            let members: Vec<_> = names.into_iter().zip(weights).collect();
            let chosen = chosen(&written(&members), &offered);
            let weight = |coding: Option<Coding>| weights[coding.map_or(3, Coding::index)];
            for other in &offered {
                prop_assert!(weight(Some(*other)) <= weight(chosen) || weight(Some(*other)) == 0);
            }
            if chosen.is_some() {
                prop_assert!(weight(None) <= weight(chosen));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(line) = HeaderValue::from_bytes(&bytes) {
                let request = [(ACCEPT_ENCODING, line)].into_iter().collect();
                prop_assert!(preferred(&request, &[]).is_none());
                preferred(&request, &Coding::ALL);
            }
        }
    }
}
