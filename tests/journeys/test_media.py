"""An image and a video go the whole way: uploaded over REST, placed, fetched by a world, hung as panels in it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

import openslot_sdk as openslot
from openslot_gltf import read_document
from openslot_gltf.images import image_header
from openslot_gltf.panels import panel
from tests.faults.programs import OPERATOR_KEY, Town
from tests.sdk.scenes import board_scene
from tests.server.clips import clip

DAY_MS = 86_400_000
SLOT = {"id": "east", "size": [3.0, 2.0], "pose": {"position": [0, 1.6, 0], "rotation": [0, 0, 0, 1]}}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    town = Town(folder, folder)
    town.server.start()
    yield town
    town.close()


def booked(town: Town, data: bytes, media_type: str) -> dict[str, Any]:
    """Upload a creative as an advertiser would, book it, and return its record."""
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{town.port}", headers=headers) as web:

        def made(path: str, **request: Any) -> dict[str, Any]:
            answer = web.post(path, **request)
            assert answer.status_code == 201, answer.text
            record: dict[str, Any] = answer.json()
            return record

        said = {"label": "Ad · Aurora", "advertiser": "aurora"}
        creative = made("/v1/creatives", params=said, content=data, headers={"Content-Type": media_type})["creative"]
        campaign = made("/v1/campaigns", json={"name": "Media", "advertiser": "aurora"})
        now_ms = time.time_ns() // 1_000_000
        draft = {"campaign": campaign["id"], "name": media_type, "creatives": [creative["sha256"]]}
        money = {"cpm": {"micros": 2_000_000}, "budget": {"micros": 10_000_000}}
        made("/v1/line-items", json=draft | money | {"from_ms": now_ms - 1000, "to_ms": now_ms + DAY_MS})
        return dict(creative)


async def hung(town: Town, media_type: str) -> tuple[openslot.Ad, Any]:
    """Return the ad a world gets for a board that takes this alone, and the scene with it."""
    _, address, key, spool, cache = town.world.words
    settings = openslot.Settings(backend="numpy", cache=Path(cache))
    async with openslot.World(address, key=key, name="plaza", spool=spool, settings=settings) as world:
        await world.load(board_scene("east", accepts={"media": [media_type]}))
        end_s = time.monotonic() + 20
        while world.ad("east") is None:
            assert time.monotonic() < end_s, world.stats
            world.tick({})
            await asyncio.sleep(0.05)
        ad = world.ad("east")
        assert ad is not None
        return ad, read_document(await world.embed("east"))


async def test_a_png_hangs_as_a_panel(town: Town) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((40, 80, 3), (10, 120, 200), np.uint8)).save(out, "PNG")
    creative = booked(town, out.getvalue(), "image/png")
    ad, scene = await hung(town, "image/png")
    assert (ad.sha256, ad.media_type, ad.label) == (creative["sha256"], "image/png", "Ad · Aurora")
    alone = panel(ad.path.read_bytes(), openslot.Slot.parse(SLOT))
    assert scene.array("materials") == alone.array("materials")
    assert out.getvalue()[-200:-12] in scene.binary


async def test_a_video_hangs_as_its_poster_and_says_what_plays(town: Town) -> None:
    creative = booked(town, clip(sound=True), "video/mp4")
    ad, scene = await hung(town, "video/mp4")
    assert (ad.sha256, ad.media_type) == (creative["sha256"], "video/mp4")
    assert ad.path.read_bytes()[4:8] == b"ftyp"
    assert ad.poster is not None
    header = image_header(ad.poster.read_bytes())
    assert header is not None
    assert (header.width_px, header.height_px) == (160, 90)
    (said,) = (node["extras"]["openslot"] for node in scene.array("nodes") if node.get("name") == "openslot:east")
    assert said["creative"] == creative["sha256"]
    assert (said["video"]["muted"], said["video"]["unmute"], said["video"]["sound"]) == (True, "click", True)
