-- What was deleted comes back: there is no other place to keep it.

DROP TABLE conversation_documents;
DROP TABLE documents;
DROP TABLE participants;

ALTER TABLE messages DROP COLUMN deleted_at, DROP COLUMN changed_at, DROP COLUMN version;
ALTER TABLE conversations DROP COLUMN deleted_at, DROP COLUMN changed_at, DROP COLUMN version;
ALTER TABLE users DROP COLUMN deleted_at, DROP COLUMN changed_at, DROP COLUMN version;
