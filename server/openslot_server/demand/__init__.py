"""Who gets a slot, at what price, within what budget."""
