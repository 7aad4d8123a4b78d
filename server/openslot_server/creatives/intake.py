"""From untrusted bytes to an approved creative: gate, then library. What the gate found sound is what is served."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from openslot_gltf import TIERS
from openslot_server.creatives.kinds import VIDEO_TIERS, is_video
from openslot_server.creatives.library import Library
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Finding, Stats, Tier, Verdict
from openslot_spec.creatives import Poster, Video
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import MediaType

__all__ = ["Approved", "Intake", "RefusedCreativeError", "limit_bytes"]


Admit = Callable[[str, int], None]
"""Told the sha-256 and the size of what would be kept; raises what is against it."""
UPLOADS = 32
"""Uploads on their way at once, each at most as large as its tier: what they hold in memory together."""
UPLOADS_OF_ONE = 4
"""Of one account, so that none takes the place of all."""


def limit_bytes(tier: Tier, *, video: bool = False) -> int:
    """Return the size of the largest file that `tier` takes."""
    return VIDEO_TIERS[tier].file_bytes if video else TIERS[tier].file_bytes


@dataclass(frozen=True, slots=True)
class Approved:
    """A creative that may be shown, durable in the library."""

    sha256: str
    size_bytes: int
    media_type: MediaType
    stats: Stats
    findings: tuple[Finding, ...]
    """What was repaired, and what is worth knowing."""
    video: Video | None = None


def anything(_: str, __: int) -> None:
    """Admit whatever it is."""


class Intake:
    """The way of every upload; `likeness` is the sandbox that says what its pictures look like."""

    def __init__(self, sandbox: Sandbox, library: Library, likeness: Sandbox | None = None) -> None:
        self._sandbox = sandbox
        self._likeness = likeness
        self._library = library
        self._coming: Counter[str] = Counter()

    @contextmanager
    def place(self, account: str) -> Iterator[None]:
        """Hold a place for one upload of `account`; raises `RATE_LIMITED` when too many are on their way."""
        if self._coming[account] >= UPLOADS_OF_ONE or self._coming.total() >= UPLOADS:
            raise OpenSlotError(Code.RATE_LIMITED, "too many uploads at once", retry_after_ms=1000)
        self._coming[account] += 1
        try:
            yield
        finally:
            self._coming -= Counter({account: 1})

    async def take(self, data: bytes, tier: Tier, admit: Admit = anything) -> Approved:
        """Return the creative in `data` once it is approved and durable; `admit` may refuse it before it is kept.

        Raises:
            OpenSlotError: `CREATIVE_TOO_LARGE`, `RefusedCreativeError`, `RATE_LIMITED`, or `STORAGE_FAILED`; in each
                case nothing is kept.
        """
        most = limit_bytes(tier, video=is_video(data))
        if len(data) > most:
            raise OpenSlotError(Code.CREATIVE_TOO_LARGE, f"{len(data)} bytes, tier {tier}: {most}")
        verdict = await self._sandbox.check(data, tier)
        if verdict.stats is None:
            raise RefusedCreativeError(verdict)
        served = verdict.repaired or data
        admit(hashlib.sha256(served).hexdigest(), len(served))
        packs = verdict.media_type == "model/gltf-binary"  # images and videos are packed by themselves
        video = await self._with_poster(verdict)  # kept first: what names it comes after it
        sha256 = await asyncio.to_thread(partial(self._library.put, served, packs=packs))
        look = await self._look(served if video is None else verdict.poster, tier)
        stats = verdict.stats.model_copy(update={"likeness": look})
        return Approved(sha256, len(served), verdict.media_type, stats, verdict.findings, video)

    async def _with_poster(self, verdict: Verdict) -> Video | None:
        if verdict.video is None:
            return None
        sha256 = await asyncio.to_thread(partial(self._library.put, verdict.poster))
        poster = Poster(sha256=sha256, size_bytes=len(verdict.poster), url=f"/assets/{sha256}")
        return Video(**verdict.video.model_dump(), poster=poster)

    async def _look(self, served: bytes, tier: Tier) -> tuple[str, ...]:
        """Return what its pictures look like; nothing where that cannot be seen within the sandbox's limits."""
        if self._likeness is None:
            return ()
        seen = await self._likeness.check(served, tier)
        return (seen.stats.likeness or ()) if seen.stats else ()


class RefusedCreativeError(OpenSlotError):
    """`CREATIVE_REFUSED` with all that the gate found, so that an advertiser can mend it at once."""

    def __init__(self, verdict: Verdict) -> None:
        first = verdict.first_error()
        super().__init__(Code.CREATIVE_REFUSED, f"{first.code}: {first.message}", where=first.pointer)
        self.findings = verdict.findings
