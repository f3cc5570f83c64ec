//! What requests bring: identifiers, parameters, bodies. Handlers see only what was checked.

mod bodies;

use std::ops::RangeInclusive;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use self::bodies::holds;
pub(super) use self::bodies::{
    Bulk, Check, ConversationBody, DocumentBody, MessageBody, NewConversation, NewDocument,
    NewMessage, ProfileBody, UserBody,
};
use super::{
    page::{Cursor, List, Place, Window},
    problem::Problem,
};

/// The `{id}` in the path.
pub(super) struct Id(pub(super) i64);

/// The `{id}` in the path and the `{member}` after it.
pub(super) struct Ids(pub(super) i64, pub(super) i64);

/// The parameters of the query, in order. Unknown ones are ignored.
pub(super) struct Parameters(Vec<(String, String)>);

/// A JSON body that passed its own check.
pub(super) struct Body<T>(pub(super) T);

// === impl Id ===

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let text = text.ok().map(|Path(text)| text);
        id("id", text.as_deref()).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let texts = texts.ok().map(|Path(texts)| texts);
        let (one, other) = texts
            .as_ref()
            .map(|(one, other)| (&**one, &**other))
            .unzip();
        Ok(Self(id("id", one)?, id("member", other)?))
    }
}

fn id(name: &'static str, text: Option<&str>) -> Result<i64, Problem> {
    let id = text.and_then(|text| text.parse().ok());
    id.filter(|id| *id > 0)
        .ok_or_else(|| parameter(name, "a positive integer"))
}

// === impl Parameters ===

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(parameter("query", "pairs of name=value")),
        }
    }
}

fn parameter(name: &'static str, allowed: impl Into<String>) -> Problem {
    Problem::Parameter {
        name,
        allowed: allowed.into(),
    }
}

impl Parameters {
    /// `limit` (1 to 100, or 20 if absent) and `after` (a cursor of this list).
    pub(super) fn window(&self, list: List) -> Result<Window, Problem> {
        let limit = self.number("limit", 1..=100, 20)?;
        let after = self.one("after")?.map(|text| {
            let allowed = "the `next` of an earlier page of this list";
            Cursor::decode(list, text).ok_or_else(|| parameter("after", allowed))
        });
        Ok(Window {
            limit,
            after: after.transpose()?,
        })
    }

    /// `limit` as in [`window`](Self::window), and `page`: as many as lie within the first `rows` items.
    pub(super) fn place(&self, rows: u32) -> Result<Place, Problem> {
        let limit = self.number("limit", 1..=100, 20)?;
        let pages = rows / limit;
        let page = self.number("page", 1..=pages, 1)?;
        Ok(Place { limit, page, pages })
    }

    fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u32>,
        absent: u32,
    ) -> Result<u32, Problem> {
        let Some(text) = self.one(name)? else {
            return Ok(absent);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| parameter(name, format!("a whole number from {least} to {most}")))
    }

    /// A text that may be there, of at most `most` characters.
    pub(super) fn maybe_text(
        &self,
        name: &'static str,
        most: usize,
    ) -> Result<Option<&str>, Problem> {
        match self.one(name)? {
            None => Ok(None),
            Some(_) => self.text(name, most).map(Some),
        }
    }

    /// A text that must be there, of at most `most` characters.
    pub(super) fn text(&self, name: &'static str, most: usize) -> Result<&str, Problem> {
        let text = self.one(name)?.filter(|text| holds(text, most));
        text.ok_or_else(|| {
            parameter(
                name,
                format!("a text of 1 to {most} characters, none of them NUL"),
            )
        })
    }

    fn one(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let mut values = self
            .0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(String::as_str)),
            (_, Some(_)) => Err(parameter(name, "given only once")),
        }
    }
}

// === impl Body ===

impl<S: Send + Sync, T: DeserializeOwned + Check> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => body.check().map(|()| Self(body)),
            Err(bad) => Err(Problem::Refused {
                status: bad.status(),
                detail: bad.body_text(),
            }),
        }
    }
}
