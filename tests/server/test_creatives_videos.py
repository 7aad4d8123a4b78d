import hashlib
import io
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from openslot_server.creatives import videos
from openslot_server.creatives.collect import Collector
from openslot_server.creatives.containers import scrubbed
from openslot_server.creatives.gate import examine
from openslot_server.creatives.library import Library
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Verdict
from tests.server.clips import clip
from tests.server.serving import serving

MEDIA = {"mp4": "video/mp4", "webm": "video/webm"}


def judged(data: bytes, tier: str = "M") -> Verdict:
    return Verdict.model_validate_json(examine(data, tier))


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


@pytest.mark.parametrize(
    ("kind", "codec", "sound"),
    [("mp4", "libx264", True), ("webm", "libvpx", True), ("webm", "libvpx-vp9", False), ("webm", "libsvtav1", False)],
)
def test_a_video_is_read_and_one_of_its_frames_is_its_poster(kind: str, codec: str, sound: bool) -> None:
    verdict = judged(clip(kind, codec, sound=sound))
    assert verdict.accepted, verdict.findings
    assert verdict.media_type == MEDIA[kind]
    video = verdict.video
    assert video is not None
    assert (video.width_px, video.height_px, video.sound) == (160, 90, sound)
    assert video.duration_ms == pytest.approx(2000, abs=90)
    assert video.frames_per_second == pytest.approx(12, rel=0.05)
    assert verdict.stats is not None
    assert (verdict.stats.tier, verdict.stats.animated, verdict.stats.size[1:]) == ("S", True, (1.0, 0.0))
    with Image.open(io.BytesIO(verdict.poster)) as poster:
        assert (poster.format, poster.size) == ("JPEG", (160, 90))
        assert np.abs(np.asarray(poster).astype(int) - (230, 60, 6)).max() < 12


@pytest.mark.parametrize("kind", MEDIA)
def test_what_stands_beside_the_pictures_is_overwritten(kind: str) -> None:
    data = clip(kind, title="SECRET PLACE")
    verdict = judged(data)
    assert b"SECRET" in data
    assert codes(verdict) == ["video.stripped"]
    assert b"SECRET" not in verdict.repaired
    assert len(verdict.repaired) == len(data)
    again = judged(verdict.repaired)
    assert (again.accepted, again.repaired, again.findings) == (True, b"", ())
    assert (again.video, again.poster) == (verdict.video, verdict.poster)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (clip(codec="mpeg4"), "video.codec"),
        (clip(pixels="yuv444p"), "video.codec"),
        (clip("matroska", "libx264"), "video.codec"),
        (clip(size=(1284, 16), seconds=0.3), "video.side"),
        (clip(seconds=31, rate=4, size=(32, 32)), "video.length"),
        (clip(seconds=0.3, rate=90, size=(32, 32)), "video.rate"),
        (clip()[:200], "video.damaged"),
        (b"\0\0\0\x18ftypmp42" + b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", "video.damaged"),
        (b"\x1a\x45\xdf\xa3" + bytes(60), "video.codec"),
        (clip() + bytes(4_000_001), "file.size"),
    ],
    ids=["mpeg4", "444", "matroska", "wide", "long", "fast", "cut", "sdp", "ebml", "heavy"],
)  # fmt: skip
def test_what_not_every_world_can_show_is_refused(data: bytes, code: str) -> None:
    verdict = judged(data)
    assert not verdict.accepted
    assert verdict.first_error().code == code, verdict.findings


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "av", None)
    verdict = judged(clip())
    assert codes(verdict) == ["video.unreadable"]
    assert "openslot[video]" in verdict.first_error().message


@pytest.mark.parametrize("kind", MEDIA)
def test_any_cut_or_flipped_byte_is_judged_and_never_raises(kind: str) -> None:
    data = clip(kind, seconds=0.5)
    for at in range(12, len(data), len(data) // 25):
        judged(data[:at])
        judged(data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :])


def test_a_container_that_is_cut_is_not_scrubbed() -> None:
    for data, kind in ((struct.pack(">I4s", 900, b"moov"), "video/mp4"), (b"\x1a\x45\xdf\xa3\x90", "video/webm")):
        with pytest.raises(ValueError, match="byte 0"):
            scrubbed(data, kind)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


async def test_the_sandbox_says_the_same_of_videos(sandbox: Sandbox) -> None:
    for data in (clip(title="here"), clip("webm"), clip("webm", "libsvtav1"), clip(sound=True), clip()[:300]):
        assert await sandbox.check(data, "M") == judged(data)


async def test_an_upload_is_served_with_its_poster_until_it_is_revoked(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        data = clip(title="here")
        params, headers = {"label": "Ad · Aurora"}, {"Content-Type": "video/mp4"}
        answer = await served.ask("aurora", "POST", "/v1/creatives", params=params, content=data, headers=headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["creative"]
        poster = made["video"]["poster"]
        assert (made["media_type"], made["video"]["duration_ms"], made["animated"]) == ("video/mp4", 2000, True)
        for file, media_type in ((made | {"url": answer.json()["url"]}, "video/mp4"), (poster, "image/jpeg")):
            asset = await served.ask("", "GET", file["url"])
            assert (asset.status_code, asset.headers["content-type"]) == (200, media_type)
            assert hashlib.sha256(asset.content).hexdigest() == file["sha256"]
            assert len(asset.content) == file["size_bytes"]
        part = await served.ask("", "GET", answer.json()["url"], headers={"Range": "bytes=0-9"})
        assert (part.status_code, len(part.content)) == (206, 10)
        with served.server.store.read() as reader:
            assert Collector(Library(served.server.settings.library)).collect(reader, 10**15) == []
        await served.ask("aurora", "DELETE", f"/v1/creatives/{made['sha256']}")
        assert (await served.ask("", "GET", poster["url"])).status_code == 404
