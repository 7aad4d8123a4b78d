from __future__ import annotations

import asyncio
import hashlib
import http.server
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openslot_sdk.cache import Cache, default_folder
from openslot_sdk.outside import Outside, fetch_http
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code, OpenSlotError
from tests.sdk.simulated import at_once, outcome, simulate

ROOT = "http://ads.test"


def ref(data: bytes, **fields: object) -> CreativeRef:
    sha256 = hashlib.sha256(data).hexdigest()
    plain = {"sha256": sha256, "media_type": "image/png", "size_bytes": len(data), "url": f"/assets/{sha256}"}
    return CreativeRef.model_validate({**plain, "advertiser": "acme", "label": "Ad by Acme", **fields})


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@dataclass
class Shelf:
    """What HTTP would give, in pieces, and how often it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    piece_s: float = 0.0

    def put(self, data: bytes) -> CreativeRef:
        creative = ref(data)
        self.files[ROOT + creative.url] = data
        return creative

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None]:
        self.asked.append(url)
        data = self.files[url]
        for start in range(0, len(data), 10):
            await asyncio.sleep(self.piece_s)
            yield data[start : start + 10]

    def cache(self, folder: Path, limit: int = 10_000, in_use: set[str] | None = None) -> Cache:
        outside = Outside(fetch=self.fetch, aside=at_once)
        return Cache(folder, ROOT, outside, lambda: in_use or set(), limit)


def test_a_creative_is_fetched_once_and_kept_over_restarts(tmp_path: Path) -> None:
    async def story() -> None:
        shelf = Shelf(piece_s=0.1)
        creative = shelf.put(b"a picture" * 9)
        cache = shelf.cache(tmp_path / "new")
        first, second = await asyncio.gather(cache.get(creative), cache.get(creative))
        assert first == second == await shelf.cache(tmp_path / "new").get(creative)
        assert first.read_bytes() == b"a picture" * 9
        assert first.suffix == ".png"
        assert len(shelf.asked) == 1

    simulate(story())


@pytest.mark.parametrize("sent", [b"another picture", b"a pictur", b"a picture and more, and more, and more", b""])
def test_bytes_that_are_not_the_announced_ones_are_never_kept(tmp_path: Path, sent: bytes) -> None:
    async def story() -> None:
        shelf = Shelf()
        creative = shelf.put(b"a picture")
        shelf.files[ROOT + creative.url] = sent
        refused = await outcome(shelf.cache(tmp_path).get(creative))
        assert isinstance(refused, OpenSlotError)
        assert refused.code is Code.CREATIVE_HASH_MISMATCH
        assert names(tmp_path) == []
        shelf.files[ROOT + creative.url] = b"a picture"
        assert (await shelf.cache(tmp_path).get(creative)).read_bytes() == b"a picture"

    simulate(story())


def test_a_file_that_went_bad_on_disk_is_fetched_again(tmp_path: Path) -> None:
    async def story() -> None:
        shelf = Shelf()
        creative = shelf.put(b"a picture")
        path = await shelf.cache(tmp_path).get(creative)
        path.write_bytes(b"a pikture")
        assert (await shelf.cache(tmp_path).get(creative)).read_bytes() == b"a picture"

    simulate(story())


def test_a_server_that_trickles_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        shelf = Shelf(piece_s=30.0)
        refused = await outcome(shelf.cache(tmp_path).get(shelf.put(bytes(1000))))
        assert isinstance(refused, OpenSlotError)
        assert refused.code is Code.SERVER_AWAY

    simulate(story())


def test_what_was_used_last_is_kept_and_what_is_in_use_always(tmp_path: Path) -> None:
    async def story() -> None:
        shelf = Shelf()
        creatives = [shelf.put(bytes([number]) * 40) for number in range(4)]
        cache = shelf.cache(tmp_path, limit=100, in_use={creatives[0].sha256})
        for age, creative in enumerate(creatives):
            path = await cache.get(creative)
            os.utime(path, (age, age))
        kept = {creatives[number].sha256 + ".png" for number in (0, 3)}
        assert set(names(tmp_path)) == kept

    simulate(story())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://ads.test/a.png"])
def test_only_http_is_fetched(tmp_path: Path, url: str) -> None:
    refused = simulate(outcome(Shelf().cache(tmp_path).get(ref(b"a", url=url))))
    assert isinstance(refused, OpenSlotError)
    assert refused.code is Code.CREATIVE_UNKNOWN


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    shelf, occupied = Shelf(), tmp_path / "file"
    occupied.write_bytes(b"")
    refused = simulate(outcome(shelf.cache(occupied).get(shelf.put(b"a picture"))))
    assert isinstance(refused, OpenSlotError)
    assert refused.code is Code.STORAGE_FAILED


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "openslot" / "creatives"


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()
        self.wfile.write(b"x" * 100_000 if self.path == "/there" else b"")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def fetched(url: str) -> bytes:
    return b"".join([piece async for piece in fetch_http(url)])


async def test_real_http_brings_the_bytes(site: str) -> None:
    assert await fetched(site + "/there") == b"x" * 100_000


async def test_real_http_says_what_is_missing_and_who_is_away(site: str) -> None:
    for url, code in [(site + "/gone", Code.CREATIVE_UNKNOWN), ("http://127.0.0.1:1/", Code.SERVER_AWAY)]:
        refused = await outcome(fetched(url))
        assert isinstance(refused, OpenSlotError)
        assert refused.code is code
