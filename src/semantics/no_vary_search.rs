//! Which parts of a query do not make another answer: `No-Vary-Search` (draft-ietf-httpbis-no-vary-search).
//!
//! What the field means is learned from a response and applied to the requests after it; a field that is not valid means
//! that everything counts.

use super::{
    fields::is_too_long,
    key::decoded,
    query::is_of_many,
    structured::{Item, dictionary},
};
use http::{HeaderMap, HeaderName};

/// The field.
pub const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// More names in one rule are not kept: then everything counts.
const MAX_NAMES: usize = 64;

/// Neither are longer ones, all together, in bytes.
const MAX_NAMES_LENGTH: usize = 1024;

/// What of a query does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    ignore_order: bool,
    ignored: Ignored,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Ignored {
    #[default]
    None,
    These(Vec<String>),
    AllBut(Vec<String>),
}

impl Rule {
    /// What `response` says; `None` where everything counts.
    pub fn of(response: &HeaderMap) -> Option<Self> {
        if is_too_long(response, &NO_VARY_SEARCH) {
            return None;
        }
        let lines: Vec<&[u8]> = response
            .get_all(NO_VARY_SEARCH)
            .iter()
            .map(|line| line.as_bytes())
            .collect();
        let mut rule = Self::default();
        let mut except = None;
        for (name, item) in dictionary(&lines.join(&b", "[..]))? {
            match (name.as_str(), item) {
                ("key-order", Item::Boolean(ignore)) => rule.ignore_order = ignore,
                ("params", Item::Boolean(true)) => rule.ignored = Ignored::AllBut(Vec::new()),
                ("params", Item::Boolean(false)) => rule.ignored = Ignored::None,
                ("params", Item::Strings(names)) => rule.ignored = Ignored::These(read(&names)),
                ("except", Item::Strings(names)) => except = Some(read(&names)),
                ("key-order" | "params" | "except", _) => return None,
                _ => {}
            }
        }
        match (except, &mut rule.ignored) {
            (None, _) => {}
            (Some(names), Ignored::AllBut(kept)) => *kept = names,
            (Some(_), Ignored::None | Ignored::These(_)) => return None, // `except` is of `params` alone
        }
        let few = match &rule.ignored {
            Ignored::None => true,
            Ignored::These(names) | Ignored::AllBut(names) => {
                let length: usize = names.iter().map(String::len).sum();
                names.len() <= MAX_NAMES && length <= MAX_NAMES_LENGTH
            }
        };
        (few && rule != Self::default()).then_some(rule)
    }

    /// `query` without what does not count; what is left stays as received. A query with `;` counts as a whole, because
    /// some origins split there too, and so does one that [is of many](is_of_many) parameters.
    pub fn apply(&self, query: &str) -> String {
        if is_of_many(query) || query.contains(';') {
            return query.to_owned();
        }
        let counts = |name: &String| match &self.ignored {
            Ignored::None => true,
            Ignored::These(names) => !names.contains(name),
            Ignored::AllBut(names) => names.contains(name),
        };
        let mut pairs: Vec<(String, &str)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| (decoded(pair.split('=').next().unwrap_or_default()), pair))
            .filter(|(name, _)| counts(name))
            .collect();
        if self.ignore_order {
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        pairs
            .into_iter()
            .map(|(_, pair)| pair)
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// Names as a query spells them, read as one of a query is.
fn read(names: &[String]) -> Vec<String> {
    names.iter().map(|name| decoded(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn rule(value: &'static str) -> Option<Rule> {
        Rule::of(
            &[(NO_VARY_SEARCH, HeaderValue::from_static(value))]
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn each_form_ignores_what_it_says() {
        for (value, query, expected) in [
            ("params", "a=1&b=2", ""),
            ("params, except=(\"a\")", "b=2&a=1&c", "a=1"),
            (
                "params=(\"utm_source\" \"b\")",
                "b=2&a=1&utm%5Fsource=x",
                "a=1",
            ),
            ("key-order", "b=2&a=1&b=1", "a=1&b=2&b=1"),
            (
                "params, except=(\"user%5Bid%5D\")",
                "user%5Bid%5D=1&b",
                "user%5Bid%5D=1",
            ),
            ("params=(\"a\")", "a=1;b=2", "a=1;b=2"),
            ("key-order, params=(\"c\")", "c=3&b=2&a=1", "a=1&b=2"),
        ] {
            assert_eq!(rule(value).unwrap().apply(query), expected, "{value}");
        }
    }

    #[test]
    fn a_query_of_many_parameters_counts_as_a_whole() {
        let rule = rule("params").unwrap();
        for (many, counts) in [
            ("a&".repeat(255), false),
            ("a&".repeat(256), true),
            ("a".repeat(8193), true),
        ] {
            assert_eq!(rule.apply(&many) == many, counts, "{}", many.len());
        }
    }

    #[test]
    fn what_is_not_valid_ignores_nothing() {
        for value in [
            "",
            "params=?0",
            "key-order=?0",
            "params=1",
            "params=(a)",
            "except=(\"a\")",
            "params=(\"a\"), except=(\"b\")",
            "params,",
        ] {
            assert_eq!(rule(value), None, "{value}");
        }
    }
}
