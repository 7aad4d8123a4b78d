"""Writes spec/vectors/{evidence,geometry,proof}: layouts and their bounds, and claims that can or cannot be.

The board is 4 × 2 m at z = −5 and faces +Z; evidence is of an eye that stands still before it unless a case says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
SALT = bytes(range(16))
BOARD = {"corners": [[-2, 1, -5], [2, 1, -5], [2, 3, -5], [-2, 3, -5]]}
WALL = {"vertices": [[-4, 0, -3], [4, 0, -3], [4, 5, -3], [-4, 5, -3]], "triangles": [[0, 1, 2], [0, 2, 3]]}
INVALID, LIMIT, BAD_GEOMETRY = "evidence.invalid", "geometry.limit", "geometry.invalid"


def evidence(
    position: Any = (0, 20, 0), turn: Any = (0, 0, 0), before_ms: Any = (1000, 800, 600, 400, 200, 0), **more: Any
) -> list[Any]:
    """Return the array of evidence before it is packed; values that are given replace good ones."""
    count = len(before_ms)
    parts: dict[str, Any] = {
        "placement": bytes(16),
        "viewer": 7,
        "at_ms": 1_790_000_000_000,
        "geometry": b"g" * 32,
        "frustums": np.array([[-33, 33, -18, 18, 1]], "<i2").tobytes(),
        "before_ms": np.array(before_ms, "<u2").tobytes(),
        "frustum": bytes(count),
        "position": np.tile(np.array(position, "<i4"), (count, 1)).tobytes(),
        "turn": np.tile(np.array(turn, "<i1"), (count, 1)).tobytes(),
    }
    return [*(parts | more).values()]


def of_evidence() -> list[dict[str, Any]]:
    def good(name: str, parts: list[Any], before_ms: list[int]) -> dict[str, Any]:
        packed = msgpack.packb(parts)
        found = {
            "commitment": hashlib.sha256(SALT + packed).hexdigest(),
            "placement": parts[0].hex(),
            "viewer": parts[1],
            "at_ms": parts[2],
            "before_ms": before_ms,
        }
        return case(name, {"hex": packed.hex(), "salt": SALT.hex()}, ok=found)

    def bad(name: str, *given: Any, **changes: Any) -> dict[str, Any]:
        return case(name, {"hex": msgpack.packb(evidence(*given, **changes)).hex(), "salt": SALT.hex()}, code=INVALID)

    def frustum(*edges: int) -> bytes:
        return np.array([edges], "<i2").tobytes()

    return [
        good("a second at 5 Hz", evidence(), [1000, 800, 600, 400, 200, 0]),
        good("two eyes at each instant", evidence(before_ms=(200, 200, 0, 0)), [200, 200, 0, 0]),
        good("one sample", evidence(before_ms=(0,)), [0]),
        good("ten seconds ago", evidence(before_ms=(10_000, 0)), [10_000, 0]),
        bad("more than 5 Hz", before_ms=(199, 0)),
        bad("longer ago than ten seconds", before_ms=(10_001, 0)),
        bad("time running backwards", before_ms=(0, 200)),
        bad("five cameras at one instant", before_ms=(0, 0, 0, 0, 0)),
        bad("no sample", before_ms=()),
        bad("columns of different lengths", frustum=bytes(5)),
        bad("a frustum that is not there", frustum=b"\x01" * 6),
        bad("a frustum without width", frustums=frustum(5, 5, -18, 18, 1)),
        bad("a near plane beyond a metre", frustums=frustum(-33, 33, -18, 18, 11)),
        bad("a pitch beyond straight up", turn=(0, 19, 0)),
        bad("a placement's id cut short", placement=bytes(15)),
        bad("a viewer that is no number", viewer=True),
        bad("a time before 1970", at_ms=-1),
        case("a salt cut short", {"hex": msgpack.packb(evidence()).hex(), "salt": "00"}, code=INVALID),
        case("not msgpack", {"hex": "c1", "salt": SALT.hex()}, code=INVALID),
    ]


def of_geometry() -> list[dict[str, Any]]:
    def packed(**changes: Any) -> bytes:
        parts: dict[str, Any] = {
            "origin": np.array([10, 0, 0], "<f8").tobytes(),
            "vertices": np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes(),
            "triangles": np.array([[0, 1, 2]], "<u4").tobytes(),
            "one_sided": b"\x01",
            "owner": np.array([3], "<i4").tobytes(),
            "owners": {"north": 3},
        }
        return bytes(msgpack.packb([*(parts | changes).values()]))

    def good(name: str, data: bytes, vertices: Any, triangles: Any, owners: Any) -> dict[str, Any]:
        found = {"sha256": hashlib.sha256(data).hexdigest(), "vertices": vertices, "triangles": triangles}
        return case(name, {"hex": data.hex()}, ok=found | {"owners": owners})

    def bad(name: str, code: str = BAD_GEOMETRY, **changes: Any) -> dict[str, Any]:
        return case(name, {"hex": packed(**changes).hex()}, code=code)

    nothing = packed(vertices=b"", triangles=b"", one_sided=b"", owner=b"", owners={})
    corners = [[10.0, 0.0, 0.0], [11.0, 0.0, 0.0], [10.0, 1.0, 0.0]]
    return [
        good("one triangle, its origin far away", packed(), corners, [[0, 1, 2]], {"north": 3}),
        good("an open field", nothing, [], [], {}),
        bad("an index out of range", triangles=np.array([[0, 1, 3]], "<u4").tobytes()),
        bad("columns of different lengths", one_sided=b"\x01\x00"),
        bad("a vertex that is no number", vertices=np.full((3, 3), np.nan, "<f4").tobytes()),
        bad("an origin at infinity", origin=np.array([np.inf, 0, 0], "<f8").tobytes()),
        bad("half a vertex", vertices=bytes(10)),
        bad("a slot owned by a name", owners={"north": "wall"}),
        case("not msgpack", {"hex": "c1"}, code=BAD_GEOMETRY),
    ]


def of_proof() -> list[dict[str, Any]]:
    claim = {
        "profile": "iig-2.0-display",
        "continuous_ms": 1000,
        "cumulative_ms": 1000,
        "visible_fraction": 1.0,
        "coverage": 0.1,
        "angle_deg": 0.0,
    }

    def asked(parts: list[Any], more: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return {"slot": BOARD, "evidence": msgpack.packb(parts).hex(), "claim": claim | changes, **more}

    def can(name: str, *given: Any, more: Any = None, **changes: Any) -> dict[str, Any]:
        return case(name, asked(evidence(*given), more or {}, **changes), ok={"proven": True})

    def cannot(name: str, *given: Any, more: Any = None, **changes: Any) -> dict[str, Any]:
        return case(name, asked(evidence(*given), more or {}, **changes), code="audit.inflated")

    behind = {"occluders": {**WALL, "vertices": [[x, y, -6] for x, y, _ in WALL["vertices"]]}}
    aside = [(400, 0, -300), (18, 0, 0)]  # 40 m to the side, looking along −X
    return [
        can("a second straight before the board"),
        can("less than can be seen: something moved before it", visible_fraction=0.6, coverage=0.05),
        can("a wall behind the board", more=behind),
        can("the sample that is 450 ms away", (0, 20, 0), (0, 0, 0), (1000, 550, 100)),
        can("half a cell off and half a step turned", (1, 20, 0), (1, 0, 0)),
        cannot("through a wall", more={"occluders": WALL}),
        cannot("looking the other way", (0, 20, 0), (36, 0, 0)),
        cannot("from behind", (0, 20, -100), (36, 0, 0)),
        cannot("from so far aside that the angle cannot be", *aside),
        cannot("from 60 m", (0, 20, 550), coverage=0.02),
        cannot("longer than the evidence spans", continuous_ms=1500, cumulative_ms=1500),
        cannot("a hole of 451 ms", (0, 20, 0), (0, 0, 0), (1000, 549, 98)),
        cannot("means above what the samples leave open", (0, 20, 100), coverage=0.9),
    ]


def case(name: str, given: Any, **expect: Any) -> dict[str, Any]:
    return {"name": name, "input": given, "expect": expect}


FILES: dict[str, tuple[str, Callable[[], list[dict[str, Any]]]]] = {
    "evidence": ("audit.md#evidence", of_evidence),
    "geometry": ("audit.md#geometry", of_geometry),
    "proof": ("audit.md#what-can-be", of_proof),
}


if __name__ == "__main__":
    for area, (section, cases) in FILES.items():
        document = {"area": area, "section": section, "cases": cases()}
        path = VECTORS / area / f"{'claims' if area == 'proof' else 'layout'}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
