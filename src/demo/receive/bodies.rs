//! What the bodies of requests have to be.

use serde::Deserialize;

use crate::demo::problem::Problem;

/// How many messages one request can bring.
const BULK: usize = 1000;

/// The rules for a body's fields that its types do not express.
pub(crate) trait Check {
    fn check(&self) -> Result<(), Problem>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) profile: ProfileBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileBody {
    pub(crate) bio: String,
    pub(crate) city: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversation {
    pub(crate) title: String,
    pub(crate) owner_id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationBody {
    pub(crate) title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    pub(crate) author_id: i64,
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageBody {
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    pub(crate) messages: Vec<NewMessage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDocument {
    pub(crate) owner_id: i64,
    pub(crate) title: String,
    pub(crate) content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentBody {
    pub(crate) title: String,
    pub(crate) content: String,
}

/// Whether `text` is more than blanks and at most `most` characters long.
pub(super) fn holds(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && fits(text, most)
}

/// Whether `text` has at most `most` characters, all of which every database can hold: PostgreSQL has no NUL.
fn fits(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.contains('\0')
}

fn field(good: bool, name: &'static str, allowed: &'static str) -> Result<(), Problem> {
    if good {
        Ok(())
    } else {
        let name = name.into();
        Err(Problem::Field { name, allowed })
    }
}

fn title(text: &str) -> Result<(), Problem> {
    field(
        holds(text, 120),
        "title",
        "a text of 1 to 120 characters, none of them NUL",
    )
}

const MESSAGE: &str = "a text of 1 to 2000 characters, none of them NUL";

fn is_message(text: &str) -> bool {
    holds(text, 2000)
}

fn message(text: &str) -> Result<(), Problem> {
    field(is_message(text), "text", MESSAGE)
}

fn content(text: &str) -> Result<(), Problem> {
    let good = fits(text, 10_000);
    field(
        good,
        "content",
        "a text of at most 10,000 characters, none of them NUL",
    )
}

impl Check for UserBody {
    fn check(&self) -> Result<(), Problem> {
        let Self {
            name,
            email,
            profile: ProfileBody { bio, city },
        } = self;
        let address = email.contains('@') && !email.contains(char::is_whitespace);
        field(
            holds(name, 80),
            "name",
            "a text of 1 to 80 characters, none of them NUL",
        )?;
        field(
            address && holds(email, 254),
            "email",
            "an address of at most 254 characters, none of them NUL",
        )?;
        field(
            fits(bio, 500),
            "profile.bio",
            "a text of at most 500 characters, none of them NUL",
        )?;
        field(
            fits(city, 80),
            "profile.city",
            "a text of at most 80 characters, none of them NUL",
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

impl Check for Bulk {
    fn check(&self) -> Result<(), Problem> {
        let length = self.messages.len();
        field(
            (1..=BULK).contains(&length),
            "messages",
            "a list of 1 to 1000 messages",
        )?;
        let bad = |message: &NewMessage| !is_message(&message.text);
        match self.messages.iter().position(bad) {
            None => Ok(()),
            Some(place) => Err(Problem::Field {
                name: format!("messages[{place}].text").into(),
                allowed: MESSAGE,
            }),
        }
    }
}

impl Check for NewDocument {
    fn check(&self) -> Result<(), Problem> {
        title(&self.title)?;
        content(&self.content)
    }
}

impl Check for DocumentBody {
    fn check(&self) -> Result<(), Problem> {
        title(&self.title)?;
        content(&self.content)
    }
}
