//! What requests bring: identifiers, parameters, bodies. Handlers see only what was checked.

use std::ops::RangeInclusive;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    page::{Cursor, List, Window},
    problem::Problem,
};

/// The `{id}` in the path.
pub(super) struct Id(pub(super) i64);

/// The parameters of the query, in order. Unknown ones are ignored.
pub(super) struct Parameters(Vec<(String, String)>);

/// A JSON body that passed its own check.
pub(super) struct Body<T>(pub(super) T);

/// The rules for a body's fields that its types do not express.
pub(super) trait Check {
    fn check(&self) -> Result<(), Problem>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserBody {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) profile: ProfileBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileBody {
    pub(super) bio: String,
    pub(super) city: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConversation {
    pub(super) title: String,
    pub(super) owner_id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConversationBody {
    pub(super) title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    pub(super) author_id: i64,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageBody {
    pub(super) text: String,
}

// === impl Id ===

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        match text.ok().and_then(|Path(text)| text.parse().ok()) {
            Some(id) if id > 0 => Ok(Self(id)),
            _ => Err(Problem::Parameter {
                name: "id",
                allowed: "a positive integer".to_owned(),
            }),
        }
    }
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

    pub(super) fn number(
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

    /// A text that must be there, of at most `most` characters.
    pub(super) fn text(&self, name: &'static str, most: usize) -> Result<&str, Problem> {
        let text = self.one(name)?.filter(|text| holds(text, most));
        text.ok_or_else(|| parameter(name, format!("a text of 1 to {most} characters")))
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

/// Whether `text` is more than blanks and at most `most` characters long.
fn holds(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

fn field(good: bool, name: &'static str, allowed: &'static str) -> Result<(), Problem> {
    if good {
        Ok(())
    } else {
        Err(Problem::Field { name, allowed })
    }
}

fn title(text: &str) -> Result<(), Problem> {
    field(holds(text, 120), "title", "a text of 1 to 120 characters")
}

fn message(text: &str) -> Result<(), Problem> {
    field(holds(text, 2000), "text", "a text of 1 to 2000 characters")
}

impl Check for UserBody {
    fn check(&self) -> Result<(), Problem> {
        let Self {
            name,
            email,
            profile: ProfileBody { bio, city },
        } = self;
        let address = email.contains('@') && !email.contains(char::is_whitespace);
        field(holds(name, 80), "name", "a text of 1 to 80 characters")?;
        field(
            address && holds(email, 254),
            "email",
            "an address of at most 254 characters",
        )?;
        field(
            bio.chars().count() <= 500,
            "profile.bio",
            "a text of at most 500 characters",
        )?;
        field(
            city.chars().count() <= 80,
            "profile.city",
            "a text of at most 80 characters",
        )
    }
}

impl Check for NewConversation {
    fn check(&self) -> Result<(), Problem> {
        title(&self.title)
    }
}

impl Check for ConversationBody {
    fn check(&self) -> Result<(), Problem> {
        title(&self.title)
    }
}

impl Check for NewMessage {
    fn check(&self) -> Result<(), Problem> {
        message(&self.text)
    }
}

impl Check for MessageBody {
    fn check(&self) -> Result<(), Problem> {
        message(&self.text)
    }
}
