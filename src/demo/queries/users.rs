//! Users and their profiles.

use serde::Serialize;

use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::{ProfileBody, UserBody},
    sql::{Record, Row, Value, sql},
    transaction::Transaction,
};

#[derive(Serialize)]
pub(crate) struct User {
    id: i64,
    name: String,
    email: String,
    created_at: String,
}

#[derive(Serialize)]
pub(crate) struct UserWithProfile {
    #[serde(flatten)]
    user: User,
    profile: Profile,
}

#[derive(Serialize)]
struct Profile {
    bio: String,
    city: String,
}

const EMAIL_TAKEN: Problem = Problem::Conflict("another user has this email");

pub(crate) async fn list(pools: &Pools, window: &Window) -> Result<Page<User>, Problem> {
    let sql = sql!(
        "SELECT id, name, email, created_at FROM users
         WHERE id > $1 ORDER BY id LIMIT $2"
    );
    let values = [window.after_id().into(), window.rows().into()];
    let rows: Vec<User> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Users, |user| {
        Cursor::id(user.id)
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<UserWithProfile, Problem> {
    let sql = sql!(
        "SELECT users.id, name, email, created_at, bio, city
         FROM users JOIN profiles ON profiles.user_id = users.id WHERE users.id = $1"
    );
    let user = pools.first(sql, &[id.into()]).await?;
    user.ok_or(Problem::Missing { what: "user", id })
}

/// Returns the id of the new user.
pub(crate) async fn create(pools: &Pools, body: &UserBody) -> Result<i64, Problem> {
    let insert = sql!(
        "INSERT INTO users (name, email, created_at) VALUES ($1, $2, " NOW ")
         ON CONFLICT DO NOTHING RETURNING id AS value"
    );
    let profile = sql!("INSERT INTO profiles (user_id, bio, city) VALUES ($1, $2, $3)");
    let mut transaction = pools.begin().await?;
    let values = [body.name.as_str().into(), body.email.as_str().into()];
    let id: Option<i64> = transaction.first(insert, &values).await?;
    let id = id.ok_or(EMAIL_TAKEN)?;
    transaction
        .execute(profile, &profile_of(id, &body.profile))
        .await?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn update(pools: &Pools, id: i64, body: &UserBody) -> Result<(), Problem> {
    let user = sql!(
        "UPDATE users SET name = $2, email = $3 WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM users WHERE lower(email) = lower($3) AND id <> $1)"
    );
    let profile = sql!("UPDATE profiles SET bio = $2, city = $3 WHERE user_id = $1");
    let mut transaction = pools.begin().await?;
    let values = [
        id.into(),
        body.name.as_str().into(),
        body.email.as_str().into(),
    ];
    if transaction.execute(user, &values).await? == 0 {
        return Err(refused(&mut transaction, id, EMAIL_TAKEN).await?);
    }
    transaction
        .execute(profile, &profile_of(id, &body.profile))
        .await?;
    Ok(transaction.commit().await?)
}

fn profile_of(id: i64, profile: &ProfileBody) -> [Value; 3] {
    [
        id.into(),
        profile.bio.as_str().into(),
        profile.city.as_str().into(),
    ]
}

pub(crate) async fn delete(pools: &Pools, id: i64) -> Result<(), Problem> {
    let sql = sql!(
        "DELETE FROM users WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM conversations WHERE owner_id = $1)
         AND NOT EXISTS (SELECT 1 FROM messages WHERE author_id = $1)"
    );
    let mut transaction = pools.begin().await?;
    if transaction.execute(sql, &[id.into()]).await? == 0 {
        let in_use = Problem::Conflict("the user still has conversations or messages");
        return Err(refused(&mut transaction, id, in_use).await?);
    }
    Ok(transaction.commit().await?)
}

/// Why a statement changed nothing: there is no such user, or else `conflict`.
async fn refused(
    transaction: &mut Transaction,
    id: i64,
    conflict: Problem,
) -> Result<Problem, sqlx::Error> {
    let sql = sql!("SELECT id AS value FROM users WHERE id = $1");
    let found: Option<i64> = transaction.first(sql, &[id.into()]).await?;
    Ok(if found.is_some() {
        conflict
    } else {
        Problem::Missing { what: "user", id }
    })
}

impl Record for User {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            name: row.text("name")?,
            email: row.text("email")?,
            created_at: row.text("created_at")?,
        })
    }
}

impl Record for UserWithProfile {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user: User::read(row)?,
            profile: Profile::read(row)?,
        })
    }
}

impl Record for Profile {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            bio: row.text("bio")?,
            city: row.text("city")?,
        })
    }
}
