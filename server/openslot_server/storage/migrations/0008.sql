CREATE INDEX answers_at ON answers (at_ms);
