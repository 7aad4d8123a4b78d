"""Previews: what a creative looks like in its slot, drawn without a screen and put together on one sheet."""
