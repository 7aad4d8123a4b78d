CREATE TABLE answers (
  session TEXT NOT NULL, request BLOB NOT NULL, at_ms INTEGER NOT NULL, asked BLOB NOT NULL, answer BLOB NOT NULL,
  PRIMARY KEY (session, request));
