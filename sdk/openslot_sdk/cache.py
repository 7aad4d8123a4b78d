"""Creatives on disk, by sha-256: fetched once, checked as they come, never shown unless they are what was announced."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from openslot_sdk.outside import Outside
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["CACHE_LIMIT_BYTES", "Cache", "default_folder", "poster_of"]

CACHE_LIMIT_BYTES = 256 * 1024 * 1024
FETCH_DEADLINE_S = 60.0
PART = ".part"
SUFFIXES = {
    "model/gltf-binary": ".glb",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}


def default_folder() -> Path:
    """Return this user's cache folder; worlds of one machine may share it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "openslot" / "creatives"


def poster_of(creative: CreativeRef) -> CreativeRef | None:
    """Return the still picture of a video as something to fetch; None for what is no video."""
    if creative.video is None:
        return None
    poster = creative.video.poster
    return CreativeRef(
        sha256=poster.sha256,
        media_type=poster.media_type,
        size_bytes=poster.size_bytes,
        url=poster.url,
        advertiser=creative.advertiser,
        label=creative.label,
    )


class Cache:
    """A folder of creatives within a size; what was used last is kept longest.

    Args:
        folder: made when the first creative comes.
        root: the HTTP root that paths in `CreativeRef.url` start from.
        outside: gives HTTP and a place for blocking work.
        in_use: the sha-256s that must not be thrown out now.
    """

    def __init__(
        self, folder: Path, root: str, outside: Outside, in_use: Callable[[], set[str]], limit: int = CACHE_LIMIT_BYTES
    ) -> None:
        self._folder = folder
        self._root = root
        self._outside = outside
        self._in_use = in_use
        self._limit_bytes = limit
        self._coming: dict[str, asyncio.Task[Path]] = {}

    async def get(self, creative: CreativeRef) -> Path:
        """Return the file that holds exactly the announced bytes.

        Raises:
            OpenSlotError: `CREATIVE_HASH_MISMATCH`, `CREATIVE_UNKNOWN`, `SERVER_AWAY`, or `STORAGE_FAILED`.
        """
        coming = self._coming.get(creative.sha256)
        if coming is None:
            coming = asyncio.create_task(self._bring(creative))
            self._coming[creative.sha256] = coming
            coming.add_done_callback(partial(self._came, creative.sha256))
        return await asyncio.shield(coming)  # others may wait for the same

    async def close(self) -> None:
        """Stop what is being fetched."""
        for task in self._coming.values():
            task.cancel()
        await asyncio.gather(*self._coming.values(), return_exceptions=True)

    def _came(self, sha256: str, task: asyncio.Task[Path]) -> None:
        del self._coming[sha256]
        if not task.cancelled():
            task.exception()  # those who waited have it; nobody waiting is no fault

    async def _bring(self, creative: CreativeRef) -> Path:
        path = self._folder / (creative.sha256 + SUFFIXES[creative.media_type])
        if not await self._outside.aside(partial(_holds, path, creative.sha256)):
            data = await self._fetch(creative)
            try:
                await self._outside.aside(partial(_write, path, data))
                keep = self._in_use() | {creative.sha256}
                await self._outside.aside(partial(_trim, self._folder, self._limit_bytes, keep))
            except OSError as error:
                raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=str(path)) from error
        return path

    async def _fetch(self, creative: CreativeRef) -> bytes:
        url = urljoin(self._root + "/", creative.url)
        if urlsplit(url).scheme not in ("http", "https"):
            raise OpenSlotError(Code.CREATIVE_UNKNOWN, "neither http nor https", where=url)
        data = bytearray()
        try:
            async with asyncio.timeout(FETCH_DEADLINE_S), aclosing(self._outside.fetch(url)) as pieces:
                async for piece in pieces:
                    data += piece
                    if len(data) > creative.size_bytes:
                        detail = f"more than the announced {creative.size_bytes} bytes"
                        raise OpenSlotError(Code.CREATIVE_HASH_MISMATCH, detail, where=url)
        except TimeoutError:
            raise OpenSlotError(Code.SERVER_AWAY, f"not done in {FETCH_DEADLINE_S:.0f} s", where=url) from None
        found = hashlib.sha256(data).hexdigest()
        if found != creative.sha256:
            raise OpenSlotError(Code.CREATIVE_HASH_MISMATCH, f"{len(data)} bytes of {found[:16]}…", where=url)
        return bytes(data)


def _holds(path: Path, sha256: str) -> bool:
    """Return whether the file is whole; also notes that it was used."""
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return False
        os.utime(path)
    except OSError:
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=PART, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)  # not synced: what a power cut leaves is checked before it is used
    finally:
        Path(name).unlink(missing_ok=True)


def _trim(folder: Path, limit_bytes: int, keep: set[str]) -> None:
    files = sorted(((path, path.stat()) for path in folder.iterdir()), key=lambda item: item[1].st_mtime_ns)
    total = sum(stat.st_size for _, stat in files)
    for path, stat in files:
        if total <= limit_bytes:
            return
        if path.stem not in keep and path.suffix != PART:
            with suppress(OSError):  # another world may read it just now; the next trim tries again
                path.unlink()
                total -= stat.st_size
