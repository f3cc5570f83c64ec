//! GraphQL in the query of a URL, or in a form, which has the same syntax.

use crate::semantics::key::decoded;

/// What is decoded once more at most: nobody decodes more often.
const MOST_ROUNDS: usize = 3;

/// More parameters are not read: one of them may say anything.
const MOST: usize = 1000;

/// Parameters whose value is an operation, or holds one.
const TEXTS: [&str; 6] = [
    "query",
    "mutation",
    "subscription",
    "document",
    "operations",
    "extensions",
];

/// Parameters that name an operation which the server has.
const NAMES: [&str; 10] = [
    "documentid",
    "document_id",
    "docid",
    "doc_id",
    "queryid",
    "query_id",
    "queryhash",
    "operationid",
    "persistedquery",
    "sha256hash",
];

/// By which forms ask for another method than that of the request: Rails, Laravel and others carry it out.
pub(super) const OTHER_METHOD: &str = "_method";

/// Whether `parameters` may say which operation is carried out, whatever else does.
pub(super) fn name_an_operation(parameters: &str) -> bool {
    any(parameters, |name, _| {
        name == "id" || TEXTS.contains(&name) || is_a_name(name)
    })
}

/// Whether some server may find an operation in `parameters`.
pub(super) fn may_hold_an_operation(parameters: &str) -> bool {
    any(parameters, |name, value| {
        is_a_name(name) || (TEXTS.contains(&name) && may_have_a_brace(value))
    })
}

fn is_a_name(name: &str) -> bool {
    name == OTHER_METHOD || NAMES.contains(&name)
}

/// No operation that may change something is without one.
fn may_have_a_brace(value: &str) -> bool {
    decoded(value).contains(['{', '%', '\\'])
}

fn any(parameters: &str, says: impl Fn(&str, &str) -> bool) -> bool {
    parameters.split(['&', ';']).enumerate().any(|(at, pair)| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        at >= MOST || says(&plain(name), value)
    })
}

/// A name as the most generous of servers reads it: `query` of `+Query[a].b`.
fn plain(name: &str) -> String {
    let mut name = decoded(name);
    for _ in 1..MOST_ROUNDS {
        name = decoded(&name);
    }
    let is_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = name.trim_start_matches(|c| !is_of_a_name(c));
    let end = name.find(|c| !is_of_a_name(c)).unwrap_or(name.len());
    folded(&name[..end])
}

/// `name` as servers compare it that do not tell upper from lower case: `ſ` and the sign of Kelvin are letters too.
pub(super) fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}
