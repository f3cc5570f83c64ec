DROP INDEX live_conversations_by_update;
DROP INDEX live_conversations_by_owner;
DROP INDEX live_messages_by_conversation;
DROP INDEX live_messages_by_author;
DROP INDEX live_documents_by_owner;
DROP INDEX live_documents_by_change;
DROP INDEX participants_by_user;
DROP INDEX attachments_by_document;
DROP INDEX profiles_by_city;

CREATE INDEX conversations_by_update ON conversations (updated_at, id);
CREATE INDEX conversations_by_owner ON conversations (owner_id);
CREATE INDEX messages_by_conversation ON messages (conversation_id, id);
CREATE INDEX messages_by_author ON messages (author_id);
