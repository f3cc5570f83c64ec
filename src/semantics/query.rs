//! Which parameters of a query make another answer, as far as a route says so.
//!
//! Origins disagree about what a parameter is called: PHP reads `q[]`, `+q` and `q%00` as `q`, ASP.NET reads `Q` as `q`. What a
//! key leaves out must be left out by every origin, so a query with a name that some of them read as a listed one counts as a
//! whole, as received. So does one with `;`, at which some of them split, and one that [is of many](is_of_many) parameters.

mod credential;
mod pattern;
mod reading;

pub use self::credential::redacted;
pub use self::pattern::{ParameterPattern, TRACKING};

use self::{credential::is_credential, reading::Reading};
use super::key::decoded;
use std::borrow::Cow;

/// More make a query count as a whole: each is read, compared and sorted on every request.
pub const MOST_PARAMETERS: usize = 256;

/// A longer query counts as a whole too, in bytes.
pub const LONGEST_QUERY: usize = 8 << 10;

/// Whether `query` has more parameters, or is longer, than is looked at one by one.
pub fn is_of_many(query: &str) -> bool {
    let separators = query.bytes().filter(|byte| *byte == b'&');
    query.len() > LONGEST_QUERY || separators.count() >= MOST_PARAMETERS
}

/// Which parameters count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// All of them.
    All,
    /// These and no others.
    Only(Vec<ParameterPattern>),
    /// All but these.
    Except(Vec<ParameterPattern>),
}

/// What of a query is in the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CountedQuery {
    listed: Listed,
    sort: bool,
}

/// A parameter: what is read as its name, and all of it as received.
struct Parameter<'a> {
    name: Cow<'a, str>,
    pair: &'a str,
}

/// The query has to count as a whole.
struct Whole;

impl CountedQuery {
    /// What counts of `listed`; the order of the parameters does not where they are sorted. Those of a list are.
    pub fn new(listed: Listed, sort: bool) -> Self {
        let sort = sort || matches!(listed, Listed::Only(_));
        Self { listed, sort }
    }

    /// Only the parameters with these names.
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(ParameterPattern::exactly).collect();
        Self::new(Listed::Only(names), true)
    }

    /// Whether it lists what counts, and not what does not.
    pub fn is_of_listed(&self) -> bool {
        matches!(self.listed, Listed::Only(_))
    }

    /// Whether it lists nothing, so that all queries are one.
    pub fn is_empty(&self) -> bool {
        matches!(&self.listed, Listed::Only(names) if names.is_empty())
    }

    /// Whether the parameter `name` counts, in whatever query.
    pub fn counts(&self, name: &str) -> bool {
        let listed = |names: &[ParameterPattern]| names.iter().any(|listed| listed.matches(name));
        is_credential(name)
            || match &self.listed {
                Listed::All => true,
                Listed::Only(names) => listed(names),
                Listed::Except(names) => !listed(names),
            }
    }

    /// What counts of `query`, as received but for what is left out and the order; `None` where nothing does.
    pub fn of<'a>(&self, query: Option<&'a str>) -> Option<Cow<'a, str>> {
        let query = query?;
        match self.parameters(query) {
            Err(Whole) => Some(query.into()),
            Ok(parameters) if parameters.is_empty() => None,
            Ok(parameters) => {
                let pairs: Vec<&str> = parameters.iter().map(|one| one.pair).collect();
                Some(pairs.join("&").into())
            }
        }
    }

    fn parameters<'a>(&self, query: &'a str) -> Result<Vec<Parameter<'a>>, Whole> {
        if is_of_many(query) || query.contains(';') {
            return Err(Whole);
        }
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let parameter = Parameter::of(pair);
            if self.keeps(&parameter)? {
                parameters.push(parameter);
            }
        }
        if self.sort {
            sort(&mut parameters)?;
        }
        Ok(parameters)
    }

    /// Whether a parameter counts.
    fn keeps(&self, parameter: &Parameter<'_>) -> Result<bool, Whole> {
        let (Listed::Only(names) | Listed::Except(names)) = &self.listed else {
            return Ok(true);
        };
        let is_only = matches!(self.listed, Listed::Only(_));
        let name = &*parameter.name;
        let mut matching = names.iter().filter(|listed| listed.matches(name));
        if let Some(listed) = matching.next() {
            // What is left out has to be the listed one for those too who decode less.
            let plain = is_only || parameter.is_spelt_plainly(listed);
            return if plain {
                Ok(is_only || is_credential(name))
            } else {
                Err(Whole)
            };
        }
        let reading = Reading::of(name);
        if names.iter().any(|listed| listed.may_be_read_in(&reading)) {
            return Err(Whole);
        }
        Ok(!is_only || is_credential(name))
    }
}

impl<'a> Parameter<'a> {
    fn of(pair: &'a str) -> Self {
        let name = pair.split('=').next().unwrap_or_default();
        let name = if name.contains(['%', '+']) {
            decoded(name).into()
        } else {
            name.into()
        };
        Self { name, pair }
    }

    /// Whether its name is written so that nobody reads another one: in letters, digits, `_` and `-`, or exactly as listed.
    fn is_spelt_plainly(&self, listed: &ParameterPattern) -> bool {
        let written = self.pair.split('=').next().unwrap_or_default();
        reading::is_plain(written) || listed.is(written)
    }
}

/// Sorts by name. Parameters that some origin takes for one keep their order, because there it means something.
fn sort(parameters: &mut Vec<Parameter<'_>>) -> Result<(), Whole> {
    let mut read: Vec<(Reading, Parameter<'_>)> = parameters
        .drain(..)
        .map(|one| (Reading::of(&one.name), one))
        .collect();
    read.sort_by(|(one, _), (other, _)| one.sorted_by().cmp(other.sorted_by()));
    let is_another = |reading: &Reading| {
        reading.others().any(|name| {
            let found = read.binary_search_by(|(one, _)| one.sorted_by().cmp(name));
            name != reading.sorted_by() && found.is_ok()
        })
    };
    let is_unclear = |(reading, _): &(Reading, _)| reading.begins_oddly || is_another(reading);
    if read.iter().any(is_unclear) {
        return Err(Whole);
    }
    parameters.extend(read.into_iter().map(|(_, one)| one));
    Ok(())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
