"""Textures made smaller: no two alike, no larger than asked, coded as tightly as their kind allows."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from openslot_gltf import Document
from openslot_gltf.document import Json
from openslot_gltf.images import image_header
from openslot_gltf.packing import Packer
from openslot_server.creatives.images import QUALITY, jpeg

__all__ = ["recoded", "texture_bytes", "with_textures"]

MIPMAPS = 4 / 3
"""What a chain of halves adds to a texture in memory."""
PIXEL_BYTES = 4


def with_textures(document: Document, side_px: int, quality: int | None) -> Document:
    """Return the creative with images of at most `side_px`, equal ones once.

    Without `quality` nothing is lost but size; with it, what is opaque may become a JPEG where that is smaller.
    """
    packer = Packer(document)
    images: list[Json] = []
    same: list[int] = []
    known: dict[str, int] = {}
    for image in document.array("images"):
        data = coded(document, image)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in known:
            known[digest] = len(images)
            made, media_type = recoded(data, side_px, quality)
            images.append({**image, "bufferView": packer.view(made), "mimeType": media_type})
        same.append(known[digest])
    textures = [_texture(texture, same) for texture in document.array("textures")]
    arrays: Json = {"images": images, "textures": textures}
    return packer.packed({**document.json, **{name: items for name, items in arrays.items() if items}})


def coded(document: Document, image: Json) -> bytes:
    """Return the bytes of an image as they lie in the file."""
    view = document.array("bufferViews")[image["bufferView"]]
    start = view.get("byteOffset", 0)
    return document.binary[start : start + view["byteLength"]]


def texture_bytes(document: Document) -> int:
    """Return what the images take in a graphics card's memory, mipmaps included."""
    headers = [image_header(coded(document, image)) for image in document.array("images")]
    return round(sum(each.width_px * each.height_px for each in headers if each) * PIXEL_BYTES * MIPMAPS)


def recoded(data: bytes, side_px: int, quality: int | None) -> tuple[bytes, str]:
    """Return a picture of at most `side_px`, and its media type; what came is kept where nothing is gained."""
    header = image_header(data)
    assert header is not None  # noqa: S101  a gate has read it
    with Image.open(io.BytesIO(data)) as opened:
        image: Image.Image = opened
        image.load()
    small = max(image.size) <= side_px
    if not small:
        scale = side_px / max(image.size)
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        image = _plain(image).resize(size, Image.Resampling.LANCZOS)
    tries: list[tuple[bytes, str]] = [(data, header.media_type)] if small else []
    opaque = not image.has_transparency_data
    if header.media_type == "image/png" or not opaque:
        tries.append((_saved(image, "PNG", optimize=True), "image/png"))
    elif not small:
        tries.append((jpeg(image, quality or QUALITY), "image/jpeg"))
    if opened.mode == "P" and opaque and not small:
        tries.append(
            (_saved(image.convert("RGB").quantize(256, dither=Image.Dither.NONE), "PNG", optimize=True), "image/png")
        )
    if quality is not None and opaque:
        tries.append((jpeg(_plain(image), quality), "image/jpeg"))
    return min(tries, key=lambda made: len(made[0]))


def _texture(texture: Json, same: list[int]) -> Json:
    return {**texture, "source": same[texture["source"]]} if "source" in texture else texture


def _plain(image: Image.Image) -> Image.Image:
    return (
        image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA" if image.has_transparency_data else "RGB")
    )


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
