//! A GraphQL request as JSON, a batch of them, or JSON that is none.

use super::{
    document,
    parameters::{OTHER_METHOD, folded},
    verdict::Reading,
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeSet, fmt};

/// The member that holds the document.
const TEXT: &str = "query";

/// What stands beside it in a request of which everybody reads the same.
const BESIDE_TEXT: [&str; 3] = ["operationName", "variables", "extensions"];

/// Members by which a request asks for an operation that the server has, or holds one elsewhere; in lower case.
const WITHOUT_TEXT: [&str; 22] = [
    "doc_id",
    "docid",
    "document",
    "document_id",
    "documentid",
    "extensions",
    "hash",
    "id",
    "mutation",
    OTHER_METHOD,
    "operation_name",
    "operationid",
    "operationname",
    "operations",
    "persisted_query",
    "persistedquery",
    "query_id",
    "queryhash",
    "queryid",
    "sha256hash",
    "subscription",
    "variables",
];

/// What `content` asks; `None` where it is no JSON.
pub(super) fn reading(content: &[u8]) -> Option<Reading> {
    let values = serde_json::Deserializer::from_slice(content).into_iter();
    let values: Vec<Json> = values.collect::<Result<_, _>>().ok()?;
    Some(match (of_all(&values), &values[..]) {
        // Of lines of JSON some servers read the first alone.
        (Reading::Queries, [_, _, ..]) => Reading::Doubtful,
        (reading, _) => reading,
    })
}

/// JSON, as far as it matters.
#[derive(Debug)]
enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Text(String),
    Null,
    /// A number or a boolean.
    Scalar,
}

fn of_value(value: &Json) -> Reading {
    match value {
        Json::Object(members) => of_members(members),
        Json::Array(values) => of_all(values),
        Json::Null | Json::Scalar => Reading::Other,
        Json::Text(_) => Reading::Doubtful,
    }
}

/// What each of them asks, if that is the same. Each is looked at once, however deep they are nested.
fn of_all(values: &[Json]) -> Reading {
    let mut readings = values.iter().map(of_value);
    let first = readings.next().unwrap_or(Reading::Other);
    if readings.all(|reading| reading == first) {
        first
    } else {
        Reading::Doubtful
    }
}

fn of_members(members: &[(String, Json)]) -> Reading {
    if !are_told_apart(members) {
        return Reading::Doubtful;
    }
    let text = members.iter().find(|(name, _)| name == TEXT);
    let is_read = match text {
        None => return without_text(members),
        Some((_, Json::Object(_))) => return without_text(members), // Elasticsearch, MongoDB
        Some((_, Json::Text(text))) => document::has_only_queries(text),
        Some((_, Json::Array(_) | Json::Null | Json::Scalar)) => false,
    };
    let is_usual = |(name, value): &(String, Json)| match (name.as_str(), value) {
        ("extensions", Json::Object(members)) => are_of_no_operation(members),
        ("extensions", value) => matches!(value, Json::Null),
        (name, _) => name == TEXT || BESIDE_TEXT.contains(&name),
    };
    if is_read && members.iter().all(is_usual) {
        Reading::Queries
    } else {
        Reading::Doubtful
    }
}

/// Whether everybody finds the same members by their names: there are no two of one name, whatever the case of its letters (Go, .NET)
/// and none that some read up to a control character.
fn are_told_apart(members: &[(String, Json)]) -> bool {
    let mut names = BTreeSet::new();
    members.iter().all(|(name, _)| {
        let folded = folded(name.trim());
        let is_exact = folded != TEXT || name == TEXT;
        is_exact && !name.contains(char::is_control) && names.insert(folded)
    })
}

fn without_text(members: &[(String, Json)]) -> Reading {
    let asks = |(name, _): &(String, Json)| WITHOUT_TEXT.contains(&&*folded(name.trim()));
    if members.iter().any(asks) {
        Reading::Doubtful
    } else {
        Reading::Other
    }
}

/// Whether the `extensions` of a request name no operation that the server has.
fn are_of_no_operation(extensions: &[(String, Json)]) -> bool {
    let names = |name: &str| name.contains("persist") || name.contains("hash");
    are_told_apart(extensions)
        && without_text(extensions) == Reading::Other
        && extensions
            .iter()
            .all(|(name, _)| name != TEXT && !names(&folded(name)))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfAny)
    }
}

struct OfAny;

impl<'de> Visitor<'de> for OfAny {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Scalar)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = values.next_element()? {
            array.push(value);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}
