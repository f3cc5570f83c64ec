DROP TABLE messages;
DROP TABLE conversations;
DROP TABLE profiles;
DROP TABLE users;
