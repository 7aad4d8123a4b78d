"""Broken relatives of valid files: one or two small changes to the JSON or to the bytes, the same for the same seed."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.gltf.build import HONEST, Maker, glb, instanced_boxes

NUMBERS = (-1, 0, 1, 2, 3, 7, 255, 65535, 2**31, 2**53 + 1, -0.5, 0.5, 1.5, 1e-30, 1e30, 1e39, 5120, 5123, 5126)
OTHERS: tuple[Any, ...] = (None, True, "", "x", "VEC2", "MASK", "data:,", "https://example.org/a", [], {}, [0])


SOURCES = HONEST | {"instanced": instanced_boxes}


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of `count` mutants of the honest files."""
    makers = [(name, make()) for name, make in SOURCES.items()]
    for number in range(count):
        chance = random.Random(f"{seed}.{number}")  # noqa: S311 - mutants, not secrets
        name, maker = chance.choice(makers)
        yield f"{name} {seed}.{number}", mutant(maker, chance)


def mutants_of(files: Iterable[tuple[str, Callable[[], bytes]]], seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of `count` mutants of GLB files."""
    sources = list(files)
    for number in range(count):
        chance = random.Random(f"{seed}.{number}")  # noqa: S311 - mutants, not secrets
        name, read = chance.choice(sources)
        body, binary = _parts(read())
        yield f"{name} {seed}.{number}", _changed(body, binary, chance)


def _parts(data: bytes) -> tuple[dict[str, Any], bytearray]:
    """Return the JSON and the binary chunk of a GLB."""
    length = struct.unpack_from("<I", data, 12)[0]
    body: dict[str, Any] = json.loads(data[20 : 20 + length])
    return body, bytearray(data[28 + length :])


def mutant(maker: Maker, chance: random.Random) -> bytes:
    """Return one mutant."""
    return _changed(maker.finished(), bytearray(maker.binary), chance)


def _changed(body: dict[str, Any], binary: bytearray, chance: random.Random) -> bytes:
    if chance.random() < 0.25 and binary:
        for _ in range(chance.choice((1, 1, 4))):
            binary[chance.randrange(len(binary))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        return glb(body, bytes(binary))
    for _ in range(chance.choice((1, 1, 2))):
        _change(body, chance)
    return glb(body, bytes(binary))


def _change(body: Any, chance: random.Random) -> None:
    places = list(_places(body))
    parent, key = chance.choice(places)
    value = parent[key]
    action = chance.random()
    if action < 0.2:
        del parent[key]
    elif action < 0.6 and type(value) in (int, float):
        parent[key] = chance.choice((value + 1, value - 1, chance.choice(NUMBERS)))
    elif action < 0.75:
        other, at = chance.choice(places)
        parent[key] = json.loads(json.dumps(other[at]))
    elif action < 0.85 and isinstance(value, list):
        value.append(value[0] if value else 0)
    else:
        parent[key] = chance.choice(NUMBERS + OTHERS)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a JSON value."""
    inside = [value]
    while inside:
        parent = inside.pop()
        for key, child in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            yield parent, key
            if isinstance(child, dict | list):
                inside.append(child)
