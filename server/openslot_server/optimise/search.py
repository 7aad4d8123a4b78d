"""The mildest change that fits: steps from none to much, and what each file costs before and after."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from PIL import Image

from openslot_gltf import TIERS, Document, Limits, check, panel, read_document, write_glb
from openslot_gltf.budget import Stats
from openslot_gltf.images import image_header
from openslot_gltf.read import examined
from openslot_server.creatives.images import encoded
from openslot_server.optimise.gltfpack import repacked
from openslot_server.optimise.meshes import slimmed
from openslot_server.optimise.opening import WIDE
from openslot_server.optimise.textures import recoded, texture_bytes, with_textures
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import MediaType, SlotTerms

__all__ = ["Cost", "cost_of", "forms", "smaller_image", "smaller_model"]

Sound = Callable[[bytes], bool]
PLAIN = replace(WIDE, decodes=False)
STEPS = (
    (1.0, None, 1.0),
    (1.0, 90, 1.0),
    (1.0, 85, 0.7),
    (0.5, 85, 0.5),
    (0.5, 80, 0.3),
    (0.25, 75, 0.15),
    (0.125, 70, 0.08),
)
"""Of the tier's side, the quality of JPEG, of the triangles that the tier allows or the file has."""
IMAGE_STEPS = ((1.0, 92), (1.0, 85), (1.0, 75), (0.7, 80), (0.5, 80), (0.35, 75), (0.25, 70))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a creative costs to send, to draw and to keep in a graphics card."""

    bytes: int
    triangles: int
    draws: int
    texture_bytes: int


def cost_of(data: bytes, media_type: MediaType) -> Cost:
    """Return what an accepted file costs."""
    if media_type == "model/gltf-binary":
        checked = examined(data, PLAIN)
        assert checked.document is not None  # noqa: S101  it was accepted
        stats: Stats | None = checked.stats
        assert stats is not None  # noqa: S101  as above
        return Cost(len(data), stats.triangles, stats.draws, texture_bytes(checked.document))
    document = panel(data, SlotTerms(id="any", size=(1.0, 1.0)))
    return Cost(len(data), 2, 1, texture_bytes(document))


def smaller_model(data: bytes, tier: str, is_sound: Sound) -> bytes:
    """Return the mildest smaller form of a plain GLB that fits `tier`; itself where it fits and nothing is gained.

    `is_sound` has the last word on what is returned. Raises CREATIVE_REFUSED with what still does not fit after the
    strongest step.
    """
    document = read_document(data, PLAIN)
    triangles = max(cost_of(data, "model/gltf-binary").triangles, 1)
    limits, reason = TIERS[tier], ""
    made: list[bytes]
    for side, quality, share in STEPS:
        lean = with_textures(document, round(limits.side_px * side), quality)
        lean = slimmed(lean, min(1.0, share, share * limits.triangles / triangles))
        made = sorted(forms(lean), key=len)
        if quality is None:  # nothing but size may be lost by the first step, so the file itself is as good
            made = [*(form for form in made if len(form) < len(data)), data]
        for form in made:
            refusal = check(form, tier).refusal()
            if refusal is None and (form is data or is_sound(form)):
                return form
            reason = reason if refusal is None else refusal.message
    raise OpenSlotError(Code.CREATIVE_REFUSED, f"even at its smallest: {reason}", where=f"tier {tier}")


def smaller_image(data: bytes, media_type: MediaType, wanted: MediaType, tier: str) -> bytes:
    """Return a clean image in the `wanted` type so that it fits `tier`; itself where that is smallest.

    Raises CREATIVE_REFUSED where no step makes it fit.
    """
    limits = TIERS[tier]
    exact, found = recoded(data, limits.side_px, None)
    candidates = [made for made, kind in ((data, media_type), (exact, found)) if kind == wanted]
    for made in chain(sorted(candidates, key=len), _image_forms(data, wanted, limits)):
        if _fits(made, limits) and (wanted != media_type or len(made) <= len(data)):
            return made
    raise OpenSlotError(Code.CREATIVE_REFUSED, f"no {wanted} of it has {limits.file_bytes} bytes", where=f"tier {tier}")


def forms(lean: Document) -> Iterator[bytes]:
    """Yield a lean document as it is and, where gltfpack is, as that writes it."""
    yield write_glb(lean)
    packed = repacked(lean)
    if packed is not None:
        yield write_glb(packed)


def _image_forms(data: bytes, wanted: MediaType, limits: Limits) -> Iterator[bytes]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        whole = image.convert("RGBA" if image.has_transparency_data else "RGB")
    for side, quality in IMAGE_STEPS:
        scale = min(1.0, side * limits.side_px / max(whole.size), side if side < 1.0 else 1.0)
        size = (max(round(whole.width * scale), 1), max(round(whole.height * scale), 1))
        small = whole if size == whole.size else whole.resize(size, Image.Resampling.LANCZOS)
        yield encoded(small, wanted, quality)


def _fits(data: bytes, limits: Limits) -> bool:
    header = image_header(data)
    assert header is not None  # noqa: S101  made here, or read by a gate
    return len(data) <= limits.file_bytes and max(header.width_px, header.height_px) <= limits.side_px
