-- AUTOINCREMENT: an id is never used twice, so an old URL cannot come to mean something else.
-- Times are text in UTC with whole seconds (2026-01-05T08:00:00Z), which sorts as it reads.

CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    email      TEXT NOT NULL COLLATE NOCASE UNIQUE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE profiles (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    bio     TEXT NOT NULL,
    city    TEXT NOT NULL
) STRICT;

CREATE TABLE conversations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    title      TEXT NOT NULL,
    owner_id   INTEGER NOT NULL REFERENCES users (id),
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE messages (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    author_id       INTEGER NOT NULL REFERENCES users (id),
    text            TEXT NOT NULL,
    created_at      TEXT NOT NULL
) STRICT;

CREATE INDEX conversations_by_update ON conversations (updated_at, id);
CREATE INDEX conversations_by_owner ON conversations (owner_id);
CREATE INDEX messages_by_conversation ON messages (conversation_id, id);
CREATE INDEX messages_by_author ON messages (author_id);
