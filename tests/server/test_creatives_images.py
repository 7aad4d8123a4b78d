import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageCms, ImageDraw

from openslot_server.creatives.gate import examine
from openslot_server.creatives.metadata import bare
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Verdict
from tests.server.serving import serving

MEDIA = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def drawn(size: tuple[int, int] = (64, 32), mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", size, (230, 60, 30))
    ImageDraw.Draw(image).ellipse((4, 4, size[0] // 2, size[1] - 4), fill=(20, 90, 220))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def judged(data: bytes, tier: str = "M") -> Verdict:
    return Verdict.model_validate_json(examine(data, tier))


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def wide_gamut() -> bytes:
    """Return a profile whose red and green are swapped: what it does is seen."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(profile[131])}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.mark.parametrize("kind", MEDIA)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "LA", "1"])
def test_a_plain_picture_is_served_with_the_pixels_it_came_with(kind: str, mode: str) -> None:
    if kind == "JPEG" and mode not in ("RGB", "L"):
        mode = "RGB"
    data = saved(drawn(mode=mode), kind)
    verdict = judged(data)
    assert verdict.accepted
    assert verdict.media_type == MEDIA[kind]
    assert verdict.stats is not None
    assert (verdict.stats.tier, verdict.stats.triangles, verdict.stats.size) == ("S", 2, (2.0, 1.0, 0.0))
    assert (pixels(verdict.repaired or data) == pixels(data)).all()


@pytest.mark.parametrize("kind", MEDIA)
def test_what_stands_beside_the_picture_is_not_served(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    data = saved(drawn(), kind, exif=exif, comment=b"SECRET") + b"SECRET"
    verdict = judged(data)
    assert codes(verdict) == ["image.stripped"]
    assert b"SECRET" not in verdict.repaired
    assert (pixels(verdict.repaired) == pixels(data)).all()
    again = judged(verdict.repaired)
    assert (again.accepted, again.repaired, again.findings) == (True, b"", ())


@pytest.mark.parametrize("kind", MEDIA)
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_picture_is_turned_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(drawn(), kind, exif=exif, quality=100)
    verdict = judged(data)
    assert codes(verdict) == ["image.converted"]
    method = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270}[orientation]
    upright = np.asarray(Image.open(io.BytesIO(data)).transpose(method).convert("RGBA")).astype(int)
    assert np.abs(pixels(verdict.repaired) - upright).mean() < 2
    assert verdict.stats is not None
    assert verdict.stats.size[0] == (2.0 if orientation == 3 else 0.5)
    assert judged(verdict.repaired).repaired == b""


@pytest.mark.parametrize("kind", MEDIA)
def test_a_profile_is_applied_and_one_of_srgb_changes_nothing(kind: str) -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = judged(saved(drawn(), kind, icc_profile=own))
    assert codes(same) == ["image.stripped"]
    swapped = judged(saved(Image.new("RGB", (8, 8), (200, 30, 30)), kind, icc_profile=wide_gamut()))
    assert codes(swapped) == ["image.converted"]
    red, green, *_ = pixels(swapped.repaired)[4, 4]
    assert green > 150 > red


def test_alpha_stays_where_a_profile_is_applied() -> None:
    verdict = judged(saved(Image.new("RGBA", (8, 8), (200, 30, 30, 77)), "PNG", icc_profile=wide_gamut()))
    assert pixels(verdict.repaired)[4, 4, 3] == 77


def test_a_broken_profile_is_left_out_and_said() -> None:
    verdict = judged(saved(drawn(), "PNG", icc_profile=b"nothing" * 40))
    assert codes(verdict) == ["image.profile", "image.stripped"]
    assert verdict.accepted


def test_inks_and_deep_greys_become_srgb() -> None:
    inks = judged(saved(drawn(mode="CMYK"), "JPEG", quality=100))
    assert codes(inks) == ["image.converted"]
    assert np.abs(pixels(inks.repaired)[16, 60, :3] - (230, 60, 30)).max() < 6
    deep = Image.fromarray(np.full((8, 8), 0x8040, np.uint16))
    grey = judged(saved(deep, "PNG"))
    assert codes(grey) == ["image.converted"]
    assert (pixels(grey.repaired)[..., 0] == 0x80).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_moving_picture_is_refused(kind: str) -> None:
    moving = saved(drawn(), kind, save_all=True, append_images=[drawn(mode="L").convert("RGB")], duration=100)
    assert codes(judged(moving)) == ["image.animated"]


@pytest.mark.parametrize("kind", MEDIA)
def test_a_picture_too_large_for_its_tier_is_refused_before_it_is_decoded(kind: str) -> None:
    data = saved(drawn((1025, 8)), kind)
    assert codes(judged(data, "M")) == ["image.side"]
    stats = judged(data, "L").stats
    assert stats is not None
    assert stats.tier == "L"


def test_a_bomb_is_refused_by_its_header() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    assert codes(judged(bomb, "L")) == ["image.side"]


@pytest.mark.parametrize("kind", MEDIA)
def test_any_cut_or_flipped_byte_is_judged_and_never_raises(kind: str) -> None:
    data = saved(drawn(), kind)
    for at in range(12, len(data), max(len(data) // 60, 1)):
        for harmed in (data[:at], data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]):
            verdict = judged(harmed)
            assert not verdict.accepted or Image.open(io.BytesIO(verdict.repaired or harmed)).load()


@pytest.mark.parametrize("kind", MEDIA)
def test_a_bare_picture_stays_what_it_is(kind: str) -> None:
    once = bare(saved(drawn(), kind), MEDIA[kind])
    assert bare(once, MEDIA[kind]) == once


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


async def test_the_sandbox_says_the_same_of_pictures(sandbox: Sandbox) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in MEDIA:
        for data in (
            saved(drawn(), kind),
            saved(drawn(), kind, exif=exif),
            saved(drawn(), kind, icc_profile=wide_gamut()),
            saved(drawn(), kind)[:60],
        ):
            assert await sandbox.check(data, "M") == judged(data)


async def test_an_upload_is_served_as_the_image_it_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    async with serving(tmp_path) as served:
        for kind in MEDIA:
            data = saved(drawn(), kind, exif=exif)
            headers = {"Content-Type": MEDIA[kind]}
            params = {"label": "Ad · Aurora"}
            answer = await served.ask("aurora", "POST", "/v1/creatives", params=params, content=data, headers=headers)
            made = answer.json()
            assert (answer.status_code, made["creative"]["media_type"]) == (201, MEDIA[kind])
            asset = await served.ask("", "GET", made["url"])
            assert asset.headers["content-type"] == MEDIA[kind]
            assert asset.headers["x-content-type-options"] == "nosniff"
            assert asset.content == judged(data).repaired
        other = await served.ask(
            "aurora", "POST", "/v1/creatives", params=params, content=data, headers={"Content-Type": "text/html"}
        )
        assert (other.status_code, other.json()["error"]["code"]) == (415, "http.media_unknown")
