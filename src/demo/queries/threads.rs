//! The nested list: conversations with their owner, all who take part and the last messages, each person with a profile. In four
//! forms that answer the same: naive, naive over a query cache, with batched statements, with loaders.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::{try_join, try_join_all};
use serde::Serialize;

use super::messages::LATEST;
use crate::demo::{
    loader::Loader,
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    sql::{Record, Row, sql},
};

#[derive(Serialize)]
pub(crate) struct Thread {
    id: i64,
    title: String,
    updated_at: String,
    owner: Option<Member>,
    participants: Vec<Member>,
    latest_messages: Vec<Line>,
}

/// A person with what the profile says.
#[derive(Clone, Serialize)]
struct Member {
    id: i64,
    name: String,
    city: String,
}

#[derive(Serialize)]
struct Line {
    id: i64,
    text: String,
    created_at: String,
    author: Option<Member>,
}

/// A conversation without what it refers to.
struct Bare {
    id: i64,
    title: String,
    updated_at: String,
    owner: i64,
}

/// A message without what it refers to.
#[derive(Clone)]
struct BareLine {
    conversation: i64,
    id: i64,
    text: String,
    created_at: String,
    author: i64,
}

/// What a conversation refers to, by ids.
struct Parts {
    participants: Vec<i64>,
    lines: Vec<BareLine>,
}

/// As many programs make it: for each conversation its owner, those who take part, each of them, its messages, and the author of
/// each. Over pools with a query cache nobody is read twice.
pub(crate) async fn naive(pools: &Pools, window: &Window) -> Result<Page<Thread>, Problem> {
    let page = page(pools, window).await?;
    let mut threads = Vec::new();
    for bare in page.items() {
        let owner = member(pools, bare.owner).await?;
        let mut people = HashMap::new();
        people.extend(owner.map(|owner| (owner.id, owner)));
        let participants = participants(pools, bare.id).await?;
        for id in &participants {
            let member = member(pools, *id).await?;
            people.extend(member.map(|member| (member.id, member)));
        }
        let lines = lines(pools, bare.id).await?;
        for line in &lines {
            let member = member(pools, line.author).await?;
            people.extend(member.map(|member| (member.id, member)));
        }
        threads.push(bare.whole(
            Parts {
                participants,
                lines,
            },
            &people,
        ));
    }
    Ok(whole(page, threads))
}

/// With four statements: the page, all who take part, all messages, all people.
pub(crate) async fn batched(pools: &Pools, window: &Window) -> Result<Page<Thread>, Problem> {
    let page = page(pools, window).await?;
    let ids: Vec<i64> = page.items().iter().map(|bare| bare.id).collect();
    let mut participants = participants_of_each(pools, &ids).await?;
    let mut lines = lines_of_each(pools, &ids).await?;
    let parts: Vec<Parts> = ids
        .iter()
        .map(|id| Parts {
            participants: participants.remove(id).unwrap_or_default(),
            lines: lines.remove(id).unwrap_or_default(),
        })
        .collect();
    let people: BTreeSet<i64> = (page.items().iter().zip(&parts))
        .flat_map(|(bare, parts)| bare.people(parts))
        .collect();
    let people: Vec<i64> = people.into_iter().collect();
    let people = members(pools, &people).await?;
    let whole_of = |(bare, parts): (&Bare, Parts)| bare.whole(parts, &people);
    let threads = page.items().iter().zip(parts).map(whole_of).collect();
    Ok(whole(page, threads))
}

/// With the same four statements, though each conversation asks for what it needs by itself: three loaders collect.
pub(crate) async fn loaded(pools: &Pools, window: &Window) -> Result<Page<Thread>, Problem> {
    let page = page(pools, window).await?;
    let loaders = Loaders {
        participants: Loader::new(
            move |ids| async move { participants_of_each(pools, &ids).await },
        ),
        lines: Loader::new(move |ids| async move { lines_of_each(pools, &ids).await }),
        people: Loader::new(move |ids| async move { members(pools, &ids).await }),
    };
    let threads = page.items().iter().map(|bare| loaders.whole(bare));
    let threads = try_join_all(threads).await?;
    Ok(whole(page, threads))
}

struct Loaders<'a> {
    participants: Loader<'a, Vec<i64>>,
    lines: Loader<'a, Vec<BareLine>>,
    people: Loader<'a, Member>,
}

impl Loaders<'_> {
    async fn whole(&self, bare: &Bare) -> Result<Thread, Problem> {
        let participants = self.participants.load(bare.id);
        let (participants, lines) = try_join(participants, self.lines.load(bare.id)).await?;
        let parts = Parts {
            participants: participants.unwrap_or_default(),
            lines: lines.unwrap_or_default(),
        };
        let wanted: Vec<i64> = bare.people(&parts).collect();
        let found = self.people.load_all(&wanted).await?;
        let found = wanted.into_iter().zip(found);
        let found = found.filter_map(|(id, member)| Some((id, member?)));
        Ok(bare.whole(parts, &found.collect()))
    }
}

fn whole(page: Page<Bare>, threads: Vec<Thread>) -> Page<Thread> {
    let mut threads = threads.into_iter();
    page.map(|_| threads.next().expect("each conversation has been made one"))
}

impl Bare {
    /// All whom it shows.
    fn people(&self, parts: &Parts) -> impl Iterator<Item = i64> {
        let authors = parts.lines.iter().map(|line| line.author);
        let participants = parts.participants.iter().copied();
        [self.owner].into_iter().chain(participants).chain(authors)
    }

    fn whole(&self, parts: Parts, people: &HashMap<i64, Member>) -> Thread {
        let participants = parts.participants.iter();
        let lines = parts.lines.into_iter().map(|line| Line {
            id: line.id,
            text: line.text,
            created_at: line.created_at,
            author: people.get(&line.author).cloned(),
        });
        Thread {
            id: self.id,
            title: self.title.clone(),
            updated_at: self.updated_at.clone(),
            owner: people.get(&self.owner).cloned(),
            participants: participants
                .filter_map(|id| people.get(id).cloned())
                .collect(),
            latest_messages: lines.collect(),
        }
    }
}

/// The most recently updated first.
async fn page(pools: &Pools, window: &Window) -> Result<Page<Bare>, Problem> {
    let sql = sql!(
        "SELECT id, title, updated_at, owner_id FROM conversations
         WHERE deleted_at IS NULL AND (updated_at, id) < ($1, $2)
         ORDER BY updated_at DESC, id DESC LIMIT $3"
    );
    let (time, id) = window.after_time();
    let values = [time.into(), id.into(), window.rows().into()];
    let rows: Vec<Bare> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Threads, |row| Cursor {
        key: row.updated_at.clone(),
        id: row.id,
    }))
}

async fn member(pools: &Pools, id: i64) -> Result<Option<Member>, sqlx::Error> {
    let sql = sql!(
        "SELECT id, name, city FROM users JOIN profiles ON user_id = id
         WHERE id = $1 AND deleted_at IS NULL"
    );
    pools.first(sql, &[id.into()]).await
}

async fn members(pools: &Pools, ids: &[i64]) -> Result<HashMap<i64, Member>, sqlx::Error> {
    let sql = sql!(
        "SELECT id, name, city FROM users JOIN profiles ON user_id = id
         WHERE id " IN_IDS " AND deleted_at IS NULL"
    );
    let rows: Vec<Member> = pools.all(sql, &[ids.into()]).await?;
    Ok(rows.into_iter().map(|member| (member.id, member)).collect())
}

async fn participants(pools: &Pools, conversation: i64) -> Result<Vec<i64>, sqlx::Error> {
    let sql = sql!(
        "SELECT user_id AS value FROM participants WHERE conversation_id = $1 ORDER BY user_id"
    );
    pools.all(sql, &[conversation.into()]).await
}

async fn participants_of_each(
    pools: &Pools,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<i64>>, sqlx::Error> {
    let sql = sql!(
        "SELECT conversation_id, user_id FROM participants WHERE conversation_id " IN_IDS "
         ORDER BY conversation_id, user_id"
    );
    let rows: Vec<Participation> = pools.all(sql, &[ids.into()]).await?;
    let mut all = HashMap::<i64, Vec<i64>>::new();
    for Participation(conversation, user) in rows {
        all.entry(conversation).or_default().push(user);
    }
    Ok(all)
}

async fn lines(pools: &Pools, conversation: i64) -> Result<Vec<BareLine>, sqlx::Error> {
    let sql = sql!(
        "SELECT id, conversation_id, author_id, text, created_at FROM messages
         WHERE conversation_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT $2"
    );
    pools.all(sql, &[conversation.into(), LATEST.into()]).await
}

async fn lines_of_each(
    pools: &Pools,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<BareLine>>, sqlx::Error> {
    let sql = sql!(
        "SELECT id, conversation_id, author_id, text, created_at FROM (
             SELECT id, conversation_id, author_id, text, created_at,
                    row_number() OVER (PARTITION BY conversation_id ORDER BY id DESC) AS place
             FROM messages WHERE conversation_id " IN_IDS " AND deleted_at IS NULL
         ) AS m WHERE place <= $2 ORDER BY conversation_id, id DESC"
    );
    let rows: Vec<BareLine> = pools.all(sql, &[ids.into(), LATEST.into()]).await?;
    let mut all = HashMap::<i64, Vec<BareLine>>::new();
    for line in rows {
        all.entry(line.conversation).or_default().push(line);
    }
    Ok(all)
}

/// A conversation and one who takes part in it.
struct Participation(i64, i64);

impl Record for Bare {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            title: row.text("title")?,
            updated_at: row.text("updated_at")?,
            owner: row.int("owner_id")?,
        })
    }
}

impl Record for Member {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            name: row.text("name")?,
            city: row.text("city")?,
        })
    }
}

impl Record for BareLine {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            conversation: row.int("conversation_id")?,
            author: row.int("author_id")?,
            text: row.text("text")?,
            created_at: row.text("created_at")?,
        })
    }
}

impl Record for Participation {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self(row.int("conversation_id")?, row.int("user_id")?))
    }
}
