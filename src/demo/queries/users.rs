//! Users and their profiles.

use serde::Serialize;

use super::missing;
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::{ProfileBody, UserBody},
    revision::{Revised, Revision},
    sql::{Record, Row, Sql, Value, sql},
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

const EMAIL_TAKEN: Problem = Problem::Conflict("another user has this email, or had it");

pub(crate) async fn list(pools: &Pools, window: &Window) -> Result<Page<User>, Problem> {
    let sql = sql!(
        "SELECT id, name, email, created_at FROM users
         WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2"
    );
    let values = [window.after_id().into(), window.rows().into()];
    let rows: Vec<User> = pools.all(sql, &values).await?;
    Ok(page(rows, window))
}

pub(crate) const OF_CITY: Sql = sql!(
    "SELECT u.id, name, email, created_at FROM profiles p JOIN users u ON u.id = p.user_id
     WHERE p.city = $1 AND p.user_id > $2 AND u.deleted_at IS NULL
     ORDER BY p.user_id LIMIT $3"
);

/// Those who live in a city.
pub(crate) async fn of_city(
    pools: &Pools,
    city: &str,
    window: &Window,
) -> Result<Page<User>, Problem> {
    let values = [city.into(), window.after_id().into(), window.rows().into()];
    let rows: Vec<User> = pools.all(OF_CITY, &values).await?;
    Ok(page(rows, window))
}

fn page(rows: Vec<User>, window: &Window) -> Page<User> {
    Page::new(rows, window, List::Users, |user| Cursor::id(user.id))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Revised<UserWithProfile>, Problem> {
    let sql = sql!(
        "SELECT users.id, name, email, created_at, bio, city, version, changed_at
         FROM users JOIN profiles ON profiles.user_id = users.id
         WHERE users.id = $1 AND deleted_at IS NULL"
    );
    let user = pools.first(sql, &[id.into()]).await?;
    user.ok_or(missing("user", id))
}

/// # Errors
/// [`Problem::Missing`] if there is no such user.
pub(crate) async fn must_exist(pools: &Pools, id: i64) -> Result<(), Problem> {
    let sql =
        sql!("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND deleted_at IS NULL) AS value");
    if pools.one::<bool>(sql, &[id.into()]).await? {
        Ok(())
    } else {
        Err(missing("user", id))
    }
}

/// Returns the id of the new user.
pub(crate) async fn create(pools: &Pools, body: &UserBody) -> Result<i64, Problem> {
    let insert = sql!(
        "INSERT INTO users (name, email, created_at, changed_at) VALUES ($1, $2, " NOW ", " NOW ")
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
        "UPDATE users SET name = $2, email = $3, " TOUCHED " WHERE id = $1 AND deleted_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM users o WHERE lower(o.email) = lower($3) AND o.id <> $1)"
    );
    let profile = sql!("UPDATE profiles SET bio = $2, city = $3 WHERE user_id = $1");
    let mut transaction = pools.begin().await?;
    let values = [
        id.into(),
        body.name.as_str().into(),
        body.email.as_str().into(),
    ];
    let updated = match transaction.execute(user, &values).await {
        // PostgreSQL writes several at a time: another one has taken it since this one has looked.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            return Err(EMAIL_TAKEN);
        }
        updated => updated?,
    };
    if updated == 0 {
        return Err(refused(&mut transaction, id).await?);
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

/// Why nobody was changed: there is no such user, or else another one has the address.
async fn refused(transaction: &mut Transaction, id: i64) -> Result<Problem, sqlx::Error> {
    let sql = sql!("SELECT id AS value FROM users WHERE id = $1 AND deleted_at IS NULL");
    let found: Option<i64> = transaction.first(sql, &[id.into()]).await?;
    Ok(if found.is_some() {
        EMAIL_TAKEN
    } else {
        missing("user", id)
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

impl Record for Revised<UserWithProfile> {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let user = UserWithProfile {
            user: User::read(row)?,
            profile: Profile {
                bio: row.text("bio")?,
                city: row.text("city")?,
            },
        };
        Ok(Self {
            value: user,
            revision: Revision::read(row)?,
        })
    }
}
