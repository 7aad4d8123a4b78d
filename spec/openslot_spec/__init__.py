"""The OpenSlot standard as code: records, messages, codec and session."""
