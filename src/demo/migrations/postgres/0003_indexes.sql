-- One for each way in which rows are looked for. Where a statement asks only for what is not deleted, neither does the index
-- have what is: it stays small, however much is deleted.

DROP INDEX conversations_by_update;
DROP INDEX conversations_by_owner;
DROP INDEX messages_by_conversation;
DROP INDEX messages_by_author;

CREATE INDEX live_conversations_by_update ON conversations (updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX live_conversations_by_owner ON conversations (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX live_messages_by_conversation ON messages (conversation_id, id) WHERE deleted_at IS NULL;
CREATE INDEX live_messages_by_author ON messages (author_id, id) WHERE deleted_at IS NULL;
CREATE INDEX live_documents_by_owner ON documents (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX live_documents_by_change ON documents (changed_at, id) WHERE deleted_at IS NULL;
CREATE INDEX participants_by_user ON participants (user_id, conversation_id);
CREATE INDEX attachments_by_document ON conversation_documents (document_id, conversation_id);
CREATE INDEX profiles_by_city ON profiles (city, user_id);
