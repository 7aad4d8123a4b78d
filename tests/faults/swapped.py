"""Other objects in the place of the product's, for as long as a `with` lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def swapped(others: Mapping[str, object]) -> Iterator[None]:
    """Put `others` in the place of what their names say: `package.module.name`, or `package.module.Class.name`."""
    before = []
    try:
        for path, other in others.items():
            owner, name = _find(path)
            before.append((owner, name, getattr(owner, name)))
            setattr(owner, name, other)
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def _find(path: str) -> tuple[object, str]:
    where, name = path.rsplit(".", 1)
    module, _, cls = where.rpartition(".") if where.rsplit(".", 1)[1][0].isupper() else (where, "", "")
    owner: object = import_module(module)
    return (getattr(owner, cls) if cls else owner), name
