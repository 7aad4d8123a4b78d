"""What stands in a world: the scenes it loaded, and things by name that come, move and go.

Every scene and every thing keeps the tree over its own triangles for as long as it is there; what changes when one of
them moves is only where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.capsules import capsule
from openslot_view.instances import Instances, Shapes
from openslot_view.occluders import Occluders
from openslot_view.triangles import TriangleSet, triangle_set

__all__ = ["Stage"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Thing:
    """Something with a name: its triangles, where it stands, and the number by which it is blamed."""

    mesh: TriangleSet
    world_from_mesh: Floats
    owner: int


class Stage:
    """The occluders of one world. Owners are numbered as they come; a number is given once."""

    def __init__(self) -> None:
        self._scenes: list[Occluders] = []
        self._things: dict[str, _Thing] = {}
        self._people: dict[tuple[float, float], TriangleSet] = {}
        self._next_owner = 0
        self._shapes = Shapes(())
        self._now: Occluders | None = None

    def add_scene(self, scene: Occluders, owners: Iterable[int]) -> tuple[int, ...]:
        """Take a scene's occluders; return the `owners` of its slots' own meshes as they are numbered here."""
        first, slots = self._next_owner, tuple(owners)
        known = [*slots, *scene.names, *(int(each.owner.max(initial=-1)) for each in (scene.static, scene.instances))]
        self._next_owner = first + 1 + max(known, default=-1)
        self._scenes.append(_numbered(scene, first))
        self._now = None
        return tuple(-1 if owner < 0 else owner + first for owner in slots)

    def put(self, name: str, mesh: TriangleSet, place: ArrayLike) -> None:
        """Let a mesh stand at `place`, instead of what has this name; as `move`."""
        self._things[name] = _Thing(mesh, _matrix(place, name), self._next_owner)
        self._next_owner += 1
        self._now = None

    def put_person(self, name: str, position: ArrayLike, height: float, radius: float) -> None:
        """Let a capsule stand at `position`; all of one size are one mesh.

        It hides from outside alone: who looks out of it is not in their own way.
        """
        if (height, radius) not in self._people:
            self._people[height, radius] = triangle_set(*capsule(height, radius), one_sided=True)
        self.put(name, self._people[height, radius], position)

    def move(self, name: str, place: ArrayLike) -> None:
        """Let a thing stand at `place`, a 4×4 `world_from_mesh` or a position.

        Raises `GEOMETRY_INVALID` for a thing that is not here and a place that cannot be.
        """
        if name not in self._things:
            raise OpenSlotError(Code.GEOMETRY_INVALID, "it does not stand here", where=f"things/{name:.80}")
        self._things[name] = replace(self._things[name], world_from_mesh=_matrix(place, name))
        self._now = None

    def remove(self, name: str) -> None:
        """Take a thing away, if it is here."""
        if self._things.pop(name, None) is not None:
            self._now = None

    @property
    def occluders(self) -> Occluders:
        """Return what stands there now; the same until something changes."""
        if self._now is None:
            self._now = self._composed()
        return self._now

    def fixed(self) -> TriangleSet:
        """Return all triangles of the scenes, which never move; things by name are not among them."""
        return TriangleSet.join([part for each in self._scenes for part in (each.static, *each.instances.sets)])

    def _composed(self) -> Occluders:
        first, *others = self._scenes or [Occluders.none()]
        if not others and not self._things:
            return first
        parts = [scene.instances for scene in (first, *others)]
        parts += [_alone(scene.static, np.eye(4), -1) for scene in others]
        parts += [_alone(thing.mesh, thing.world_from_mesh, thing.owner) for thing in self._things.values()]
        names = {owner: name for scene in self._scenes for owner, name in scene.names.items()}
        names |= {thing.owner: name for name, thing in self._things.items()}
        return Occluders.of(first.static, self._joined(parts), names)

    def _joined(self, parts: list[Instances]) -> Instances:
        """Return all placements; the shapes are the same object as long as the same meshes stand anywhere."""
        meshes = [*dict.fromkeys(mesh for part in parts for mesh in part.shapes.meshes)]
        if meshes != [*self._shapes.meshes]:
            self._shapes = Shapes(tuple(meshes))
        number = {mesh: index for index, mesh in enumerate(meshes)}
        which = [np.array([number[mesh] for mesh in part.shapes.meshes], np.int64)[part.shape] for part in parts]
        return Instances.of(
            self._shapes,
            np.concatenate(which),
            np.concatenate([part.world_from_shape for part in parts]),
            np.concatenate([part.owner for part in parts]),
        )


def _alone(mesh: TriangleSet, world_from_mesh: Floats, owner: int) -> Instances:
    return Instances(Shapes((mesh,)), np.zeros(1, np.int64), world_from_mesh[None], np.array([owner]))


def _numbered(scene: Occluders, first: int) -> Occluders:
    """Return the scene with its owners counted from `first`; one that begins at 0 stays what it is."""
    if first == 0:
        return scene
    static = replace(scene.static, owner=_from(scene.static.owner, first))
    instances = replace(scene.instances, owner=_from(scene.instances.owner, first))
    return Occluders.of(static, instances, {owner + first: name for owner, name in scene.names.items()})


def _from(owner: Ints, first: int) -> Ints:
    return np.where(owner < 0, -1, owner + first)


def _matrix(place: ArrayLike, name: str) -> Floats:
    try:
        given = np.asarray(place, np.float64)
    except (TypeError, ValueError):
        given = np.zeros(0)
    matrix = given
    if given.shape == (3,):
        matrix = np.eye(4)
        matrix[:3, 3] = given
    try:
        Instances.of(Shapes((_ANY,)), [0], matrix[None])
    except OpenSlotError as error:
        raise OpenSlotError(error.code, error.detail, where=f"things/{name:.80}") from None
    return matrix


_ANY = triangle_set(np.eye(3), [(0, 1, 2)])
