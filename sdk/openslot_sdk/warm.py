"""Compiling ahead of time: the fast backend takes seconds at its first use, and no tick may wait for that."""

from __future__ import annotations

from openslot_view import backends

__all__ = ["warm_up"]


def warm_up(backend: str) -> backends.Backend:
    """Return the backend of this name, after it has measured once; `auto` is the fastest there is."""
    return backends.warm_up() if backend == "auto" else backends.exercised(backends.choose(backend))
