"""glTF scenes as a world needs them: slots, occluders, and the scene with its ads in it. Blocking; run aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_sdk.ads import Ad
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Slot
from openslot_view.instances import Instances
from openslot_view.occluders import Occluders
from openslot_view.scenery import occluders_of
from openslot_view.triangles import TriangleSet, triangle_set

if TYPE_CHECKING:
    import trimesh

    from openslot_gltf import Document, Mode

__all__ = ["Scene", "Triangles", "with_ads"]

PANEL_BYTES = 4096
"""What a panel adds to its image."""
POSTER_PX, POSTER_BYTES = 1920, 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """What stands in a scene: as `openslot_view.Occluders.build` takes it."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    one_sided: NDArray[np.bool_]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, vertices: ArrayLike, triangles: ArrayLike) -> Triangles:
        """Return triangles (m, 3) over vertices (n, 3) that hide from both sides."""
        indices = np.asarray(triangles, np.int64).reshape(-1, 3)
        points = np.asarray(vertices, np.float64).reshape(-1, 3)
        return cls(points, indices, np.zeros(len(indices), np.bool_), np.full(len(indices), -1, np.int64))

    @classmethod
    def of_trimesh(cls, scene: trimesh.Trimesh | trimesh.Scene) -> Triangles:
        """Return what a trimesh mesh or scene holds, in world metres; it hides from both sides."""
        mesh = scene.to_mesh() if hasattr(scene, "to_mesh") else scene
        return cls.of(mesh.vertices, mesh.faces)

    def mesh(self) -> TriangleSet:
        """Return them as one set of the core's; raises `GEOMETRY_INVALID`."""
        return triangle_set(self.vertices, self.triangles, one_sided=self.one_sided, owner=self.owner)

    def occluders(self) -> Occluders:
        """Return what they hide; raises `GEOMETRY_INVALID`."""
        return Occluders.of(self.mesh(), Instances.none())


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A scene that was read. `owners` are its slots' own meshes among the occluders."""

    document: Document | None
    slots: tuple[Slot, ...]
    owners: tuple[int, ...]
    occluders: Occluders

    @classmethod
    def of(cls, slots: Sequence[Slot], triangles: Triangles | None) -> Scene:
        """Return a scene that an engine describes; raises `GEOMETRY_INVALID`."""
        return cls(None, tuple(slots), (-1,) * len(slots), triangles.occluders() if triangles else Occluders.none())

    @classmethod
    def read(cls, source: str | Path | bytes, modes: Mapping[str, Mode] | None = None) -> Scene:
        """Return the scene in a file, or in the bytes of one; `modes` as `openslot_gltf.scene_parts`.

        Raises:
            OpenSlotError: `FILE_NOT_FOUND`, `GLTF_NOT_READ`, `GLTF_REFUSED`, `SCENE_WITHOUT_SLOTS`, `GEOMETRY_INVALID`,
                or what is wrong with the first slot that is not one.
        """
        from openslot_gltf import read_document, scene_parts, scene_slots

        document = read_document(source if isinstance(source, bytes) else _bytes(source))
        found = scene_slots(document).require()
        names = [str(node.get("name", "")) for node in document.array("nodes")]
        occluders = occluders_of(scene_parts(document, modes), names)
        return cls(document, tuple(each.slot for each in found), tuple(each.node for each in found), occluders)


def with_ads(scene: Scene, ads: Sequence[Ad]) -> bytes:
    """Return the scene as GLB with each ad merged into its slot.

    Raises:
        OpenSlotError: `CREATIVE_REFUSED` for an ad that its slot does not take or that does not fit.
    """
    from openslot_gltf import embed, write_glb

    slots = {slot.id: slot for slot in scene.slots}
    document = scene.document
    if document is None:
        raise OpenSlotError(Code.GLTF_NOT_READ, "these slots came without a scene")
    for ad in ads:
        creative = _creative(ad, slots[ad.slot])
        document = embed(document, ad.slot, creative, ad.sha256, _video(ad))
    return write_glb(document)


def _creative(ad: Ad, slot: Slot) -> Document:
    """Return what hangs in the slot: the model, or a panel with the image or the video's poster."""
    from openslot_gltf import TIERS, panel, read_document, write_glb

    if ad.media_type not in slot.accepts.media:
        raise OpenSlotError(Code.CREATIVE_REFUSED, f"the slot takes no {ad.media_type}", where=ad.slot)
    data, limits = (ad.poster or ad.path).read_bytes(), TIERS[slot.accepts.tier]
    if ad.media_type == "model/gltf-binary":
        return read_document(data, limits)
    # read as strictly as a model: a panel's image is held against the same limits, a frame against those of videos
    if ad.video is not None:
        limits = replace(limits, side_px=POSTER_PX, pixels=POSTER_PX**2, file_bytes=POSTER_BYTES)
    return read_document(write_glb(panel(data, slot)), replace(limits, file_bytes=limits.file_bytes + PANEL_BYTES))


def _video(ad: Ad) -> dict[str, Any] | None:
    """Return what a world that plays videos finds on the panel: which one, and that it is muted until a click."""
    if ad.video is None:
        return None
    said = {"sha256": ad.sha256, "media_type": ad.media_type, "muted": True, "loop": True, "unmute": "click"}
    return said | ad.video.model_dump(mode="json", exclude={"poster"})


def _bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or str(error), where=str(path)) from error
