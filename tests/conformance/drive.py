"""Drives any implementation through the vectors and prints a score card: `python drive.py PROGRAM [ARGUMENT …]`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
AREAS = (
    *("codec", "columns", "session", "slot", "slot_terms", "ticket", "visibility", "exposure"),
    *("creative", "evidence", "geometry", "proof", "traffic", "server", "feed"),
)


class Vector(NamedTuple):
    """One case: what goes in and what must come out."""

    area: str
    section: str
    name: str
    given: Any
    expect: dict[str, Any]
    tolerance: float
    """How far a number may be from the expected one."""

    def meets(self, found: Any) -> bool:
        """Return whether an answer is the expected one."""
        return close(found, self.expect, self.tolerance)


def close(found: Any, expected: Any, tolerance: float) -> bool:
    """Return whether two JSON values are the same but for numbers that differ by no more than `tolerance`."""
    match expected:
        case dict():
            same = isinstance(found, dict) and found.keys() == expected.keys()
            return same and all(close(found[name], value, tolerance) for name, value in expected.items())
        case list():
            same = isinstance(found, list) and len(found) == len(expected)
            return same and all(close(one, other, tolerance) for one, other in zip(found, expected, strict=True))
        case bool() | str() | None:
            return bool(found == expected)
        case _:
            return isinstance(found, int | float) and abs(found - expected) <= tolerance


def vectors(areas: Sequence[str] = AREAS) -> Iterator[Vector]:
    """Yield every vector of the areas, in the files' order."""
    for area in areas:
        for path in sorted((VECTORS / area).glob("*.json")):
            document = json.loads(path.read_text("utf-8"))
            for case in document["cases"]:
                tolerance = document.get("tolerance", 0)
                yield Vector(area, document["section"], case["name"], case["input"], case["expect"], tolerance)


def drive(program: Sequence[str]) -> list[tuple[Vector, Any]]:
    """Return each vector with the program's answer; an answer of None means that it gave none."""
    asked = list(vectors())
    lines = "".join(json.dumps({"area": vector.area, "input": vector.given}) + "\n" for vector in asked)
    done = subprocess.run(program, input=lines, capture_output=True, text=True, timeout=120, check=False)
    answers: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    answers += [None] * (len(asked) - len(answers))
    return list(zip(asked, answers, strict=True))


def main() -> None:
    """Print the score card; exit 1 unless every vector is answered as expected."""
    results = drive(sys.argv[1:])
    for vector, given in results:
        if not vector.meets(given):
            sys.stdout.write(
                f"✗ {vector.area}: {vector.name} ({vector.section})\n  want {vector.expect}\n  got  {given}\n"
            )
    for area in AREAS:
        mine = [vector.meets(given) for vector, given in results if vector.area == area]
        sys.stdout.write(f"{area:12} {sum(mine):3} of {len(mine)}\n")
    sys.exit(not all(vector.meets(given) for vector, given in results))


if __name__ == "__main__":
    main()
