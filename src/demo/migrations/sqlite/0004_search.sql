-- The words of messages that are not deleted. Letters with accents are letters of their own, as in PostgreSQL.
CREATE VIRTUAL TABLE message_words USING fts5 (
    text, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
);

INSERT INTO message_words (rowid, text) SELECT id, text FROM messages WHERE deleted_at IS NULL;

CREATE TRIGGER message_words_insert AFTER INSERT ON messages WHEN new.deleted_at IS NULL BEGIN
    INSERT INTO message_words (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER message_words_delete AFTER DELETE ON messages WHEN old.deleted_at IS NULL BEGIN
    INSERT INTO message_words (message_words, rowid, text) VALUES ('delete', old.id, old.text);
END;

-- In one trigger, because the order of several is nobody's promise: the old words go, if they were in it, before the new ones come.
CREATE TRIGGER message_words_update AFTER UPDATE OF text, deleted_at ON messages BEGIN
    INSERT INTO message_words (message_words, rowid, text)
    SELECT 'delete', old.id, old.text WHERE old.deleted_at IS NULL;
    INSERT INTO message_words (rowid, text) SELECT new.id, new.text WHERE new.deleted_at IS NULL;
END;
