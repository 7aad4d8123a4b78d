"""How hostile files are cut from honest ones, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openslot_gltf import Rule
from tests.gltf.build import Maker, glb

HOSTILE: dict[str, Hostile] = {}


@dataclass(frozen=True)
class Hostile:
    """The bytes, and the rule that must be the first to refuse them."""

    data: Callable[[], bytes]
    rule: Rule


def refused_by(rule: Rule) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def note(make: Callable[[], bytes]) -> Callable[[], bytes]:
        HOSTILE[make.__name__] = Hostile(make, rule)
        return make

    return note


def changed(maker: Maker, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the file after `change` was done to its JSON."""
    body = maker.finished()
    change(body)
    return glb(body, bytes(maker.binary))


def edited(name: str, rule: Rule, make: Callable[[], Maker], change: Callable[[dict[str, Any]], object]) -> None:
    """Note a file whose JSON was edited."""
    HOSTILE[name] = Hostile(lambda: changed(make(), change), rule)


def poisoned(name: str, rule: Rule, make: Callable[[], Maker], accessor: int, values: bytes, at: int = 0) -> None:
    """Note a file whose accessor's bytes were overwritten."""

    def data() -> bytes:
        maker = make()
        start = maker.json["bufferViews"][maker.json["accessors"][accessor]["bufferView"]]["byteOffset"] + at
        maker.binary[start : start + len(values)] = values
        return maker.glb()

    HOSTILE[name] = Hostile(data, rule)
