"""The audit: which impressions are asked for, what their evidence proves, and what becomes of those it does not."""
