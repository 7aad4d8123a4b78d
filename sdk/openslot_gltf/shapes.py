"""The kinds of value a glTF file is made of, each able to check itself and to move its indices.

`core` and `extensions` are tables of these kinds. One table serves two walks: `check` reports what breaks the shape
and `moved` returns a copy whose indices are shifted, for merging; an index the gate knows is one the merge moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from openslot_gltf.rules import Report, Rule

__all__ = [
    "Check",
    "Choice",
    "Flag",
    "Integer",
    "Kind",
    "ListOf",
    "MapOf",
    "Move",
    "Number",
    "Pointer",
    "Ref",
    "Shape",
    "Text",
    "Vector",
]

FLOAT32_MAX = 3.4028234e38
INTEGER_MAX = 2**53


class Check:
    """One walk that checks: how long each referable array is, which extension shapes are known, where findings go."""

    def __init__(
        self, counts: Mapping[str, int], extensions: Mapping[str, Mapping[str, Shape]], report: Report
    ) -> None:
        self.counts = counts
        self.extensions = extensions
        self.report = report
        self.met: dict[str, set[int]] = {name: set() for name in counts}
        """The indices that something refers to, by array."""
        self.found: list[tuple[str, str, str]] = []
        """(extension, place, pointer) of every extension object met."""

    def extension(self, name: str, place: str, value: object, where: str) -> None:
        """Check one extension object where its shape is known, and note that it was met."""
        self.found.append((name, place, where))
        places = self.extensions.get(name)
        if places is None:
            return
        if place in places:
            places[place].check(value, where, self)
        else:
            self.report.add(Rule.EXTENSION_PLACE, where, f"{name} on {place}")


@dataclass(frozen=True, slots=True)
class Move:
    """One walk that copies: by how much each array's indices shift, and which extensions come along."""

    offsets: Mapping[str, int]
    extensions: Mapping[str, Mapping[str, Shape]]

    def index(self, array: str, value: int) -> int:
        """Return where the item goes; raises `KeyError` for an array that does not come along."""
        return value + self.offsets[array]


class Kind(Protocol):
    """A kind of value."""

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report what breaks the shape of `value` at the JSON pointer `where`."""

    def moved(self, value: Any, move: Move) -> Any:
        """Return `value` with its indices shifted; raises `KeyError` for an index that does not come along."""


class _Plain:
    """A kind without indices."""

    def moved(self, value: Any, move: Move) -> Any:  # noqa: ARG002 - the protocol's signature
        return value


@dataclass(frozen=True, slots=True)
class Ref:
    """An index into a referable array."""

    array: str

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report an index beyond the array."""
        if type(value) is not int or not 0 <= value < walk.counts.get(self.array, 0):
            walk.report.add(Rule.SHAPE_INDEX, where, f"{value!r:.40} of {walk.counts.get(self.array, 0)} {self.array}")
        else:
            walk.met[self.array].add(value)

    def moved(self, value: Any, move: Move) -> Any:
        """Return the index in the merged array."""
        return move.index(self.array, value)


@dataclass(frozen=True)
class Integer(_Plain):
    """A whole number."""

    low: int = 0
    high: int = INTEGER_MAX

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but an integer within `low`..`high`."""
        if type(value) is not int:
            walk.report.add(Rule.SHAPE_TYPE, where, "an integer is expected")
        elif not self.low <= value <= self.high:
            walk.report.add(Rule.SHAPE_RANGE, where, f"{value!r:.40} is not within {self.low}..{self.high}")


@dataclass(frozen=True)
class Number(_Plain):
    """A number."""

    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    above: float = -float("inf")

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but a number within `low`..`high` and greater than `above`."""
        if type(value) is not float and type(value) is not int:
            walk.report.add(Rule.SHAPE_TYPE, where, "a number is expected")
        elif not self.low <= value <= self.high or value <= self.above:
            walk.report.add(Rule.SHAPE_RANGE, where, f"{value!r:.40} is out of range")


@dataclass(frozen=True)
class Vector(_Plain):
    """A list of numbers of one of the given lengths; none given: any length from 1."""

    lengths: tuple[int, ...] = ()
    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but that many numbers within `low`..`high`."""
        if type(value) is not list:
            walk.report.add(Rule.SHAPE_TYPE, where, "a list of numbers is expected")
        elif not value or (self.lengths and len(value) not in self.lengths):
            walk.report.add(Rule.SHAPE_LENGTH, where, f"{len(value)} numbers")
        elif not all(type(item) in (float, int) for item in value):
            walk.report.add(Rule.SHAPE_TYPE, where, "a list of numbers is expected")
        elif not all(self.low <= item <= self.high for item in value):
            walk.report.add(Rule.SHAPE_RANGE, where, f"a number is not within {self.low:g}..{self.high:g}")


@dataclass(frozen=True)
class Text(_Plain):
    """A string."""

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but a string."""
        if type(value) is not str:
            walk.report.add(Rule.SHAPE_TYPE, where, "a string is expected")


@dataclass(frozen=True)
class Flag(_Plain):
    """True or false."""

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but true or false."""
        if type(value) is not bool:
            walk.report.add(Rule.SHAPE_TYPE, where, "true or false is expected")


@dataclass(frozen=True)
class Choice(_Plain):
    """One of a few values."""

    values: tuple[str | int, ...]

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but one of the values."""
        if type(value) is not type(self.values[0]):
            walk.report.add(Rule.SHAPE_TYPE, where, f"one of {self.values} is expected")
        elif value not in self.values:
            walk.report.add(Rule.SHAPE_CHOICE, where, f"{value!r:.40} is not one of {self.values}")


@dataclass(frozen=True)
class ListOf:
    """A list of one kind; `distinct` forbids doubles of hashable items."""

    item: Kind
    distinct: bool = False

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but a filled list of the item's kind."""
        if type(value) is not list:
            walk.report.add(Rule.SHAPE_TYPE, where, "a list is expected")
            return
        if not value:
            walk.report.add(Rule.SHAPE_LENGTH, where, "the list is empty; leave it out")
        for index, item in enumerate(value):
            self.item.check(item, f"{where}/{index}", walk)
        if self.distinct and not walk.report.refused and len(set(value)) != len(value):
            walk.report.add(Rule.SHAPE_DUPLICATE, where)

    def moved(self, value: Any, move: Move) -> Any:
        """Return the list with every item moved."""
        item = self.item
        if isinstance(item, _Plain):
            return value
        return [item.moved(each, move) for each in value]


@dataclass(frozen=True)
class MapOf:
    """An object whose keys are free and whose values are of one kind."""

    item: Kind

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report anything but a filled object of the item's kind."""
        if type(value) is not dict:
            walk.report.add(Rule.SHAPE_TYPE, where, "an object is expected")
            return
        if not value:
            walk.report.add(Rule.SHAPE_LENGTH, where, "the object is empty")
        for key, item in value.items():
            self.item.check(item, f"{where}/{escaped(key)}", walk)

    def moved(self, value: Any, move: Move) -> Any:
        """Return the object with every value moved."""
        return {key: self.item.moved(item, move) for key, item in value.items()}


@dataclass(frozen=True)
class Pointer:
    """The text of KHR_animation_pointer: a JSON pointer whose second part may be an index."""

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report a pointer to an item that is not there."""
        if type(value) is not str:
            walk.report.add(Rule.SHAPE_TYPE, where, "a JSON pointer is expected")
            return
        array, index, _ = split_pointer(value)
        if array not in walk.counts or not 0 <= index < walk.counts[array]:
            walk.report.add(Rule.SHAPE_INDEX, where, f"{value!r:.60} points to nothing")
        else:
            walk.met[array].add(index)

    def moved(self, value: Any, move: Move) -> Any:
        """Return the pointer with its index shifted."""
        array, index, rest = split_pointer(value)
        prefix = value[: len(value) - len(rest)].rpartition("/")[0]
        return f"{prefix}/{move.index(array, index)}{rest}"


def split_pointer(pointer: str) -> tuple[str, int, str]:
    """Return (array, index, rest) of `/nodes/3/scale` or `/extensions/EXT_name/lights/0/color`; index -1 if none."""
    parts = pointer.split("/")
    at = 4 if parts[1:2] == ["extensions"] else 2
    if parts[0] or len(parts) <= at + 1 or not (parts[at].isascii() and parts[at].isdecimal()) or len(parts[at]) > 9:
        return "", -1, ""
    return parts[at - 1], int(parts[at]), "".join(f"/{part}" for part in parts[at + 1 :])


@dataclass(frozen=True)
class Shape:
    """An object with known fields, `extensions` and `extras`; `place` is the name extensions know it by."""

    place: str
    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    each: Callable[[dict[str, Any], str, Check], None] | None = field(default=None, compare=False)
    """A rule between fields of one object, run when their shapes hold."""

    def check(self, value: Any, where: str, walk: Check) -> None:
        """Report what breaks the object's shape, its fields first."""
        if type(value) is not dict:
            walk.report.add(Rule.SHAPE_TYPE, where, "an object is expected")
            return
        for name in self.required:
            if name not in value:
                walk.report.add(Rule.SHAPE_MISSING, f"{where}/{name}", name)
        if self.one_of and sum(name in value for name in self.one_of) != 1:
            walk.report.add(Rule.SHAPE_MISSING, where, f"exactly one of {self.one_of} is needed")
        for name, item in value.items():
            kind = self.fields.get(name)
            if kind is not None:
                kind.check(item, f"{where}/{name}", walk)
            elif name != "extras":
                self._check_other(name, item, where, walk)
        if self.each is not None and not walk.report.refused:
            self.each(value, where, walk)

    def _check_other(self, name: str, item: Any, where: str, walk: Check) -> None:
        if name != "extensions":
            walk.report.add(Rule.SHAPE_UNKNOWN, f"{where}/{escaped(name)}", f"{name:.40}")
        elif type(item) is not dict:
            walk.report.add(Rule.SHAPE_TYPE, f"{where}/extensions", "an object is expected")
        else:
            for extension, body in item.items():
                spot = f"{where}/extensions/{escaped(extension)}"
                if type(body) is dict:
                    walk.extension(extension, self.place, body, spot)
                else:
                    walk.report.add(Rule.SHAPE_TYPE, spot, "an object is expected")

    @cached_property
    def _moving(self) -> tuple[tuple[str, Kind], ...]:
        return tuple((name, kind) for name, kind in self.fields.items() if not isinstance(kind, _Plain))

    def moved(self, value: Any, move: Move) -> Any:
        """Return a copy whose indices are shifted and whose unknown extensions are gone."""
        copy = dict(value)
        for name, kind in self._moving:
            if name in copy:
                copy[name] = kind.moved(copy[name], move)
        if "extensions" in copy:
            kept = self._moved_extensions(copy.pop("extensions"), move)
            if kept:
                copy["extensions"] = kept
        return copy

    def _moved_extensions(self, bodies: dict[str, Any], move: Move) -> dict[str, Any]:
        known = ((name, body, move.extensions.get(name, {}).get(self.place)) for name, body in bodies.items())
        return {name: shape.moved(body, move) for name, body, shape in known if shape is not None}


def escaped(key: str) -> str:
    """Return an object key as one part of a JSON pointer (RFC 6901), cut to 80 characters."""
    return key[:80].replace("~", "~0").replace("/", "~1")
