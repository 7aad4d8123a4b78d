-- One table per row class of storage/store.py; columns in the order of its fields.
CREATE TABLE keys (
  sha256 TEXT PRIMARY KEY, role TEXT NOT NULL, account TEXT NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE ticket_keys (
  key_id BLOB PRIMARY KEY, secret BLOB NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, world TEXT NOT NULL, opened_ms INTEGER NOT NULL);
CREATE TABLE slots (
  world TEXT NOT NULL, id TEXT NOT NULL, revision TEXT NOT NULL, record TEXT NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (world, id));
CREATE TABLE creatives (
  sha256 TEXT PRIMARY KEY, advertiser TEXT NOT NULL, record TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE campaigns (
  id TEXT PRIMARY KEY, advertiser TEXT NOT NULL, record TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE line_items (
  id TEXT PRIMARY KEY, advertiser TEXT NOT NULL, record TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE decisions (
  id BLOB NOT NULL, world TEXT NOT NULL, session TEXT NOT NULL, at_ms INTEGER NOT NULL, outcomes BLOB NOT NULL);
-- Not unique: an id may come back after the time for which events are taken, and then nothing of it counts.
CREATE TABLE batches (
  id BLOB NOT NULL, world TEXT NOT NULL, at_ms INTEGER NOT NULL, digest BLOB NOT NULL,
  tickets BLOB NOT NULL, columns BLOB NOT NULL, verdicts BLOB NOT NULL);
CREATE TABLE conflicts (
  id BLOB NOT NULL, world TEXT NOT NULL, at_ms INTEGER NOT NULL, digest BLOB NOT NULL,
  tickets BLOB NOT NULL, columns BLOB NOT NULL);
CREATE TABLE ledger (
  seq INTEGER PRIMARY KEY, record TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE ledger_head (
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, sha256 TEXT NOT NULL);
