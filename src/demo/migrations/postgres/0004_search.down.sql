DROP INDEX message_words;
ALTER TABLE messages DROP COLUMN words;
