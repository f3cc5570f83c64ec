-- What is deleted stays, with its time: it can be restored, and nothing that refers to it breaks.
-- A version counts the changes of a row and changed_at is the time of the last one: what its answers say in ETag and Last-Modified.

ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN changed_at TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN deleted_at TEXT;
UPDATE users SET changed_at = created_at;

ALTER TABLE conversations ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversations ADD COLUMN changed_at TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN deleted_at TEXT;
UPDATE conversations SET changed_at = updated_at;

ALTER TABLE messages ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE messages ADD COLUMN changed_at TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN deleted_at TEXT;
UPDATE messages SET changed_at = created_at;

-- Many to many: who takes part in which conversation.
CREATE TABLE participants (
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    joined_at       TEXT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

INSERT INTO participants (conversation_id, user_id, joined_at)
SELECT conversation_id, author_id, min(created_at) FROM messages GROUP BY conversation_id, author_id;

INSERT INTO participants (conversation_id, user_id, joined_at)
SELECT id, owner_id, updated_at FROM conversations WHERE true ON CONFLICT DO NOTHING;

CREATE TABLE documents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id   INTEGER NOT NULL REFERENCES users (id),
    title      TEXT NOT NULL,
    content    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1,
    changed_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;

-- Many to many: which document lies in which conversation.
CREATE TABLE conversation_documents (
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    document_id     INTEGER NOT NULL REFERENCES documents (id),
    attached_at     TEXT NOT NULL,
    PRIMARY KEY (conversation_id, document_id)
) STRICT, WITHOUT ROWID;
