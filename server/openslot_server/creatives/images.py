"""The gate of images: PNG, JPEG and WebP become upright sRGB pictures with nothing beside them.

Format and size are read from the header before anything decodes. A picture that is right as it came keeps its coded
bytes; one that is turned by EXIF, has another colour space or more than 8 bits is coded anew.
"""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import (
    Image,
    ImageCms,
    ImageOps,
    ImagePalette,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from openslot_gltf import Limits
from openslot_gltf.images import ImageHeader, image_header
from openslot_gltf.rules import Report, Rule
from openslot_server.creatives.metadata import bare

__all__ = ["Picture", "encoded", "jpeg", "read_picture"]

# What Pillow would load when it is first used: a worker of the sandbox can open no file by then.
LOADED = (ImagePalette, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
Image.preinit()

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
PLAIN_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
QUALITY = 92
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
"""Made once: what every picture is served in."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that may be served: its bytes, upright and in sRGB."""

    header: ImageHeader
    data: bytes


def read_picture(data: bytes, limits: Limits, report: Report) -> Picture | None:
    """Return what to serve of an image, or None with the reason in `report`."""
    header = image_header(data)
    if header is None:
        report.add(Rule.IMAGE_FORMAT)
        return None
    _check_size(data, header, limits, report)
    if report.refused:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what decoders warn of is judged here
            return _served(data, header, limits, report)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes make them raise
        report.add(Rule.IMAGE_DAMAGED, "", type(error).__name__)
        return None


def encoded(image: Image.Image, media_type: str, quality: int = QUALITY) -> bytes:
    """Return an upright sRGB picture as bytes of this type, nothing beside it; WebP of quality 100 loses nothing."""
    out = io.BytesIO()
    if media_type == "image/png":
        image.save(out, "PNG", compress_level=6)
    elif media_type == "image/jpeg":
        return jpeg(image, quality)
    elif quality == 100:
        image.save(out, "WEBP", lossless=True, method=2)
    else:
        image.save(out, "WEBP", quality=quality, method=4, use_sharp_yuv=True)
    return out.getvalue()


def jpeg(image: Image.Image, quality: int) -> bytes:
    """Return a JPEG whose colours have full resolution, for the sake of letters."""
    colours = image if image.mode in ("L", "RGB") else image.convert("RGB")
    for is_tight in (True, False):
        out = io.BytesIO()
        with suppress(OSError):  # a noisy picture can be too large for the buffer of the tight encoder
            colours.save(out, "JPEG", quality=quality, subsampling=0, progressive=is_tight, optimize=is_tight)
            return out.getvalue()
    raise OSError("no JPEG of it can be made")


def _check_size(data: bytes, header: ImageHeader, limits: Limits, report: Report) -> None:
    if len(data) > limits.file_bytes:
        report.add(Rule.FILE_SIZE, "", f"{len(data)} bytes, {limits.file_bytes} are allowed")
    if max(header.width_px, header.height_px) > limits.side_px:
        size = f"{header.width_px}×{header.height_px} px, {limits.side_px} are allowed"
        report.add(Rule.IMAGE_SIDE, "", size)


def _served(data: bytes, header: ImageHeader, limits: Limits, report: Report) -> Picture | None:
    image = Image.open(io.BytesIO(data), formats=[FORMATS[header.media_type]])
    if header.media_type != "image/jpeg" and getattr(image, "is_animated", False):
        report.add(Rule.IMAGE_ANIMATED, "", f"{getattr(image, 'n_frames', 0)} frames")
        return None
    image.load()
    upright = _in_srgb(ImageOps.exif_transpose(image), report)
    if upright.size == image.size and upright.mode == image.mode and _is_close(upright, image):
        served = bare(data, header.media_type)
        if served != data:
            report.add(Rule.IMAGE_STRIPPED, "", f"{len(data) - len(served)} bytes")
    else:
        served = _coded_anew(upright, header.media_type, limits)
        report.add(Rule.IMAGE_CONVERTED, "", f"{image.mode} {image.width}×{image.height} px")
    if len(served) > limits.file_bytes:
        report.add(Rule.FILE_SIZE, "", f"{len(served)} bytes once converted, {limits.file_bytes} are allowed")
        return None
    return Picture(ImageHeader(header.media_type, *upright.size), served)


def _coded_anew(image: Image.Image, media_type: str, limits: Limits) -> bytes:
    """Return the picture without loss if that is small enough; a JPEG at high quality."""
    exact = encoded(image, media_type, 100 if media_type == "image/webp" else QUALITY)
    return exact if len(exact) <= limits.file_bytes else encoded(image, media_type)


def _in_srgb(image: Image.Image, report: Report) -> Image.Image:
    """Return the picture in a plain mode and in sRGB; alpha stays what it is."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            return _from_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            report.add(Rule.IMAGE_PROFILE)
    if image.mode in PLAIN_MODES:
        return image
    if image.mode.startswith("I"):  # 16 bits of grey; Pillow would clip them
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in sRGB by its own profile, relative to white."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    colours = image if image.mode in ("L", "CMYK") else image.convert("L" if image.mode in ("LA", "1") else "RGB")
    converted = ImageCms.profileToProfile(
        colours, source, SRGB, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB", flags=ImageCms.Flags.BLACKPOINTCOMPENSATION
    )
    assert converted is not None  # noqa: S101  only in place is there none
    if _is_close(converted, colours.convert("RGB")):
        return image if image.mode in PLAIN_MODES else image.convert("RGB")
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info = {}
    return converted


def _is_close(one: Image.Image, other: Image.Image) -> bool:
    """Return whether no value differs by more than rounding."""
    if one is other:
        return True
    first, second = (np.asarray(image).astype(np.int16) for image in (one, other))
    return first.shape == second.shape and bool((np.abs(first - second) <= 1).all())
