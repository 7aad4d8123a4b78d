CREATE TABLE server_keys (
  public BLOB NOT NULL, secret BLOB NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE descriptions (
  origin TEXT PRIMARY KEY, sealed TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE peers (
  origin TEXT PRIMARY KEY, state TEXT NOT NULL, url TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE shares (
  audience TEXT PRIMARY KEY, record TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE feed_records (
  origin TEXT NOT NULL, audience TEXT NOT NULL, payload BLOB NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL);
CREATE TABLE feed_ends (
  origin TEXT NOT NULL, audience TEXT NOT NULL, through INTEGER NOT NULL, path TEXT NOT NULL,
  payload BLOB NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (origin, audience));
CREATE TABLE feed_proofs (
  origin TEXT PRIMARY KEY, first TEXT NOT NULL, second TEXT NOT NULL, at_ms INTEGER NOT NULL);
