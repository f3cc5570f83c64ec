//! Whatever a key leaves out or moves, no origin reads another parameter in what is left than in what was sent.

use super::*;
use proptest::prelude::*;

/// How one kind of server reads a query: names with values, in order.
type Server = fn(&str) -> Vec<(String, String)>;

fn split(query: &str, separators: &[char], read: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let pairs = query.split(separators).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, rest)| (read(name), format!("{name}={rest}")))
        .collect()
}

fn literally(query: &str) -> Vec<(String, String)> {
    split(query, &['&'], str::to_owned)
}

fn decoding(query: &str) -> Vec<(String, String)> {
    split(query, &['&'], decoded)
}

fn decoding_twice(query: &str) -> Vec<(String, String)> {
    split(query, &['&'], |name| decoded(&decoded(name)))
}

fn trimming(query: &str) -> Vec<(String, String)> {
    let read = |name: &str| decoded(name).trim().trim_matches('\0').to_owned();
    split(query, &['&'], read)
}

fn asp(query: &str) -> Vec<(String, String)> {
    split(query, &['&'], |name| decoded(name).to_lowercase())
}

fn semicolons(query: &str) -> Vec<(String, String)> {
    split(query, &['&', ';'], decoded)
}

/// Brackets and dots begin a key inside a parameter.
fn nesting(query: &str) -> Vec<(String, String)> {
    let read = |name: &str| {
        let name = decoded(name);
        let name = name.trim_start_matches(['[', ']']);
        name.split(['[', ']', '.'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    split(query, &['&'], read)
}

fn php(query: &str) -> Vec<(String, String)> {
    let read = |name: &str| {
        let name = decoded(name);
        let name = name.trim_start_matches(' ');
        let name = name.split('\0').next().unwrap_or_default();
        let end = match name.find('[') {
            Some(at) if name[at..].contains(']') => at,
            _ => name.len(),
        };
        name[..end].replace(['.', ' ', '['], "_")
    };
    split(query, &['&'], read)
}

const SERVERS: [(&str, Server); 8] = [
    ("literally", literally),
    ("decoding", decoding),
    ("decoding twice", decoding_twice),
    ("trimming", trimming),
    ("asp", asp),
    ("semicolons", semicolons),
    ("nesting", nesting),
    ("php", php),
];

/// What a server reads as each of the parameters `names`.
fn read<'a>(
    server: Server,
    query: &str,
    names: impl Fn(&str) -> bool + 'a,
) -> Vec<(String, String)> {
    let mut read = server(query);
    read.retain(|(name, _)| !name.is_empty() && names(name)); // nobody can ask for what has no name
    read.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable: what has one name keeps its order
    read
}

fn query() -> impl Strategy<Value = String> {
    let name = "(q|q|q|a_b|a_b|a|b|Q|z|\\[\\]|\\[|\\]|\\[x\\]|\\.|\\+|%20|%00|%71|%2571|%5B|%5D|_b|;|%3B|%|%26|%3D|ö){1,3}";
    let pair = (name, "(=|=1|=2|)").prop_map(|(name, value)| name + &value);
    prop::collection::vec(pair, 0..6).prop_map(|pairs| pairs.join("&"))
}

proptest! {
    #[test]
    fn a_listed_parameter_is_read_the_same_in_what_counts(query in query()) {
        let spec = CountedQuery::only(["q", "a_b"]);
        let counted = spec.of(Some(&query)).unwrap_or_default();
        for (server, reads) in SERVERS {
            for name in ["q", "a_b"] {
                let of = |query: &str| read(reads, query, |read| read == name);
                prop_assert_eq!(of(&counted), of(&query), "{} of {:?}", server, query);
            }
        }
    }

    #[test]
    fn what_is_not_listed_is_read_the_same_in_what_is_left(query in query(), sort in any::<bool>()) {
        let names = ["q", "a_*"].iter().filter_map(|name| ParameterPattern::parse(name)).collect();
        let spec = CountedQuery::new(Listed::Except(names), sort);
        let counted = spec.of(Some(&query)).unwrap_or_default();
        for (server, reads) in SERVERS {
            let of = |query: &str| read(reads, query, |name| {
                !name.eq_ignore_ascii_case("q") && !name.to_ascii_lowercase().starts_with("a_")
            });
            prop_assert_eq!(of(&counted), of(&query), "{} of {:?}", server, query);
        }
    }

    #[test]
    fn every_parameter_is_read_the_same_when_it_is_sorted(query in query()) {
        let counted = CountedQuery::new(Listed::All, true).of(Some(&query)).unwrap_or_default();
        for (server, reads) in SERVERS {
            let of = |query: &str| read(reads, query, |_| true);
            prop_assert_eq!(of(&counted), of(&query), "{} of {:?}", server, query);
        }
    }

    #[test]
    fn any_text_counts_and_counts_the_same_again(query in "\\PC{0,40}") {
        let names = ["q", "a*b"].iter().filter_map(|name| ParameterPattern::parse(name)).collect();
        for spec in [CountedQuery::only(["q"]), CountedQuery::new(Listed::Except(names), true)] {
            let once = spec.of(Some(&query)).map(Cow::into_owned);
            prop_assert_eq!(spec.of(once.as_deref()).map(Cow::into_owned), once);
        }
    }
}
