"""What stands in for a creative far away: half of it, and a card with its picture."""

from __future__ import annotations

import io

from PIL import Image

from openslot_gltf import Document, panel, write_glb
from openslot_gltf.images import image_header
from openslot_server.optimise.meshes import slimmed
from openslot_server.optimise.search import forms
from openslot_server.optimise.textures import coded, with_textures
from openslot_server.previews.preview import facing
from openslot_server.previews.renderer import Renderer
from openslot_spec.slots import SlotTerms

__all__ = ["card", "half"]

CARD_PX = 256
QUALITY = 85


def half(document: Document) -> bytes:
    """Return a creative with half the triangles and textures half as wide."""
    headers = [image_header(coded(document, image)) for image in document.array("images")]
    side = max((max(each.width_px, each.height_px) for each in headers if each), default=2)
    return min(forms(slimmed(with_textures(document, max(side // 2, 1), QUALITY), 0.5)), key=len)


def card(renderer: Renderer, document: Document) -> bytes:
    """Return a flat creative of the same width and height that shows this one's front: two triangles, one draw."""
    picture, size = facing(renderer, document, CARD_PX)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", optimize=True)
    return write_glb(panel(out.getvalue(), SlotTerms(id="card", size=size, fit="stretch")))
