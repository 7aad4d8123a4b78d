"""Creatives: the sandboxed gate, the library of approved bytes, and the intake between them."""
