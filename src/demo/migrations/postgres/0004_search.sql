-- The words of messages that are not deleted. What is neither letter nor digit parts words, as in SQLite; PostgreSQL itself would
-- keep addresses and decimal numbers together.
ALTER TABLE messages ADD COLUMN words tsvector
    GENERATED ALWAYS AS (to_tsvector('simple', regexp_replace(text, '[^[:alnum:]]+', ' ', 'g'))) STORED;

CREATE INDEX message_words ON messages USING gin (words) WHERE deleted_at IS NULL;
