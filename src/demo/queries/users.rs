//! Users and their profiles.

use serde::Serialize;
use sqlx::{FromRow, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};

use crate::demo::{
    page::{Cursor, List, Page, Window},
    problem::Problem,
    receive::UserBody,
    schema::Pools,
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
    let rows: Vec<User> = query_as(
        "SELECT id, name, email, created_at FROM users
         WHERE id > coalesce(?1, 0) ORDER BY id LIMIT ?2",
    )
    .bind(window.after_id())
    .bind(window.rows())
    .fetch_all(&pools.readers)
    .await?;
    Ok(Page::new(rows, window, List::Users, |user| {
        Cursor::id(user.id)
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<UserWithProfile, Problem> {
    query_as(
        "SELECT users.id, name, email, created_at, bio, city
         FROM users JOIN profiles ON profiles.user_id = users.id WHERE users.id = ?1",
    )
    .bind(id)
    .fetch_optional(&pools.readers)
    .await?
    .ok_or(Problem::Missing { what: "user", id })
}

/// Returns the id of the new user.
pub(crate) async fn create(pools: &Pools, body: &UserBody) -> Result<i64, Problem> {
    let mut transaction = pools.writer.begin().await?;
    let id: Option<i64> = query_scalar(
        "INSERT INTO users (name, email, created_at)
         VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
         ON CONFLICT (email) DO NOTHING RETURNING id",
    )
    .bind(&body.name)
    .bind(&body.email)
    .fetch_optional(&mut *transaction)
    .await?;
    let id = id.ok_or(EMAIL_TAKEN)?;
    query("INSERT INTO profiles (user_id, bio, city) VALUES (?1, ?2, ?3)")
        .bind(id)
        .bind(&body.profile.bio)
        .bind(&body.profile.city)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn update(pools: &Pools, id: i64, body: &UserBody) -> Result<(), Problem> {
    let mut transaction = pools.writer.begin().await?;
    let updated = query("UPDATE OR IGNORE users SET name = ?2, email = ?3 WHERE id = ?1")
        .bind(id)
        .bind(&body.name)
        .bind(&body.email)
        .execute(&mut *transaction)
        .await?;
    if updated.rows_affected() == 0 {
        return Err(refused(&mut transaction, id, EMAIL_TAKEN).await?);
    }
    query("UPDATE profiles SET bio = ?2, city = ?3 WHERE user_id = ?1")
        .bind(id)
        .bind(&body.profile.bio)
        .bind(&body.profile.city)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn delete(pools: &Pools, id: i64) -> Result<(), Problem> {
    let mut transaction = pools.writer.begin().await?;
    let deleted = query(
        "DELETE FROM users WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM conversations WHERE owner_id = ?1)
         AND NOT EXISTS (SELECT 1 FROM messages WHERE author_id = ?1)",
    )
    .bind(id)
    .execute(&mut *transaction)
    .await?;
    if deleted.rows_affected() == 0 {
        let in_use = Problem::Conflict("the user still has conversations or messages");
        return Err(refused(&mut transaction, id, in_use).await?);
    }
    Ok(transaction.commit().await?)
}

/// Why a statement changed nothing: there is no such user, or else `conflict`.
async fn refused(
    connection: &mut SqliteConnection,
    id: i64,
    conflict: Problem,
) -> Result<Problem, sqlx::Error> {
    let exists: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)")
        .bind(id)
        .fetch_one(connection)
        .await?;
    Ok(if exists {
        conflict
    } else {
        Problem::Missing { what: "user", id }
    })
}

impl FromRow<'_, SqliteRow> for User {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for UserWithProfile {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user: User::from_row(row)?,
            profile: Profile::from_row(row)?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Profile {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            bio: row.try_get("bio")?,
            city: row.try_get("city")?,
        })
    }
}
