-- The audit.
CREATE TABLE geometries (
  world TEXT NOT NULL, sha256 BLOB NOT NULL, at_ms INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (world, sha256));
CREATE TABLE audits (
  world TEXT NOT NULL, batch BLOB NOT NULL, event INTEGER NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL,
  evidence BLOB NOT NULL,
  PRIMARY KEY (world, batch, event));
CREATE TABLE verdicts (
  world TEXT NOT NULL, batch BLOB NOT NULL, event INTEGER NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL,
  why TEXT NOT NULL, record TEXT NOT NULL);
