"""What a world does so that its claims can be audited: it registers its ground, commits to evidence, and reveals it.

consent ──▶ ground registered ──▶ drafts ──(proven here first)──▶ commitments in batches, secrets in `proofs`
server asks ──▶ revealed, at once and on every connection until it is there
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from openslot_sdk.outside import Outside
from openslot_sdk.proofs import Proofs, Secret
from openslot_sdk.traces import Draft
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import SALT_BYTES, commitment, commitments_column
from openslot_spec.exposures import EVIDENCE
from openslot_spec.geometry import Geometry
from openslot_spec.limits import Limits
from openslot_spec.messages import MAX_PART_BYTES, AuditReveal, ExposuresPut, GeometryAck, GeometryPut, Message
from openslot_view.occluders import Occluders
from openslot_view.proof import impossible, occluders_of
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet

__all__ = ["Ground", "Witness", "commit"]

Request = Callable[[Message], Awaitable[Message]]
PULSE_S = 0.25
PURGE_S = 60.0
TRY_AGAIN_S = 1.0
FOR_GOOD = frozenset({Code.GEOMETRY_INVALID, Code.GEOMETRY_LIMIT, Code.INVALID, Code.UNEXPECTED})


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What is registered of a scene, and what hides by it: the same numbers that an auditor has."""

    packed: bytes
    sha256: bytes
    owners: Mapping[str, int]
    occluders: Occluders

    @classmethod
    def of(cls, stands: TriangleSet, owners: Mapping[str, int]) -> Self:
        """Return the ground of triangles; raises `GEOMETRY_INVALID` or `GEOMETRY_LIMIT`."""
        vertices, corners = np.unique(stands.corners.reshape(-1, 3), axis=0, return_inverse=True)
        made = Geometry.of(vertices, corners.reshape(-1, 3), stands.one_sided, stands.owner, owners)
        packed = made.pack()
        geometry = Geometry.unpack(packed)
        return cls(packed, Geometry.digest(packed), dict(owners), occluders_of(geometry))

    def proves(self, draft: Draft) -> bool:
        """Return whether a draft proves its claim; what does not is not committed to."""
        surface = Surfaces.from_slots([draft.slot], owner=self.owners.get(draft.slot.id, -1))
        return not impossible(draft.evidence, draft.claim, surface, self.occluders)


class Witness:
    """The evidence of one world, beside its events."""

    def __init__(self, proofs: Proofs, outside: Outside, say: Callable[[OpenSlotError], None]) -> None:
        self._proofs = proofs
        self._outside = outside
        self._say = say
        self._turn = asyncio.Lock()
        """One thread at a time for the proofs."""
        self._stands: Callable[[], TriangleSet] | None = None
        self._owners: dict[str, int] = {}
        """By slot: its own mesh."""
        self._scene = 0
        """How often that changed."""
        self._ground: Ground | None = None
        self._registered = False
        self.wanted = False
        """Whether anybody consented."""

    @property
    def geometry(self) -> bytes | None:
        """The sha-256 of the ground, once the server has it."""
        return self._ground.sha256 if self._ground is not None and self._registered else None

    def stand(self, stands: Callable[[], TriangleSet], owners: Iterable[tuple[str, int]]) -> None:
        """Take note that what stands in the world is something else now, and whose mesh these slots have."""
        self._owners |= {slot: owner for slot, owner in owners if owner >= 0}
        self._stands, self._ground, self._registered = stands, None, False
        self._scene += 1

    async def attend(self, request: Request, limits: Limits) -> None:
        """Register the ground and reveal what is asked for, as long as one connection stands."""
        self._registered = False
        while True:
            if self.wanted and not self._registered and self._stands is not None:
                await self._register(request, min(MAX_PART_BYTES, limits.frame_bytes // 2))
            for batch, event, secret in self._proofs.asked():
                await self._reveal(request, batch, event, secret)
            await asyncio.sleep(PULSE_S)

    async def proven(self, drafts: Mapping[int, Draft]) -> dict[int, bytes]:
        """Return the packed evidence of drafts that prove their claims here, by event."""
        ground = self._ground
        if ground is None:
            return {}
        mine = {event: draft for event, draft in drafts.items() if draft.evidence.geometry == ground.sha256}
        if not mine:
            return {}
        found: list[int] = await self._outside.aside(partial(_proven, ground, mine))
        return {event: drafts[event].evidence.pack() for event in found}

    async def keep(self, batch: bytes, secrets: Mapping[int, Secret]) -> None:
        """Make a batch's evidence durable; raises `SPOOL_FULL` or `STORAGE_FAILED`."""
        await self._aside(partial(self._proofs.keep, batch, secrets))

    async def settle(self, batch: bytes, reveal: Sequence[int]) -> None:
        """Keep only what the server asks for."""
        await self._aside(partial(self._proofs.settle, batch, reveal))

    async def withdraw(self, viewers: Iterable[int]) -> None:
        """Drop the evidence of viewers who no longer consent."""
        await self._aside(partial(self._proofs.withdraw, set(viewers)))

    async def purge(self, now_ms: Callable[[], float]) -> None:
        """Drop what has been here for long enough, from time to time, for ever."""
        while True:
            await self._try(partial(self._proofs.purge, now_ms()))
            await asyncio.sleep(PURGE_S)

    async def _register(self, request: Request, part_bytes: int) -> None:
        assert self._stands is not None  # noqa: S101  asked before
        stands, scene = self._stands, self._scene
        try:
            ground: Ground = await self._outside.aside(lambda: Ground.of(stands(), self._owners))
            await _upload(request, ground, part_bytes)
        except OpenSlotError as error:
            if error.code not in FOR_GOOD:
                raise
            self._say(error)
            self._stands = None if self._scene == scene else self._stands
            return
        if self._scene == scene:
            self._ground, self._registered = ground, True

    async def _reveal(self, request: Request, batch: bytes, event: int, secret: Secret) -> None:
        salt, packed = secret
        try:
            await request(AuditReveal(batch=batch, event=event, salt=salt, evidence=packed))
        except OpenSlotError as error:
            if error.code is Code.RATE_LIMITED:
                return await asyncio.sleep(max(TRY_AGAIN_S, error.retry_after_ms / 1000))
            if error.code is not Code.AUDIT_NOT_ASKED:
                raise
        return await self._try(partial(self._proofs.revealed, batch, event))

    async def _try(self, work: Callable[[], None]) -> None:
        try:
            await self._aside(work)
        except OpenSlotError as error:
            self._say(error)

    async def _aside(self, work: Callable[[], None]) -> None:
        async with self._turn:
            await self._outside.aside(work)


def commit(
    batch: ExposuresPut, packed: Mapping[int, bytes], entropy: Callable[[int], bytes]
) -> tuple[ExposuresPut, dict[int, Secret]]:
    """Return a batch with commitments to packed evidence, by event, and what they hide."""
    secrets = {event: (entropy(SALT_BYTES), evidence) for event, evidence in packed.items()}
    if not secrets:
        return batch, {}
    digests = {event: commitment(*secret) for event, secret in secrets.items()}
    columns = {**batch.columns, EVIDENCE: commitments_column(digests)}
    return batch.model_copy(update={"columns": columns}), secrets


def _proven(ground: Ground, drafts: Mapping[int, Draft]) -> list[int]:
    return [event for event, draft in drafts.items() if ground.proves(draft)]


async def _upload(request: Request, ground: Ground, part_bytes: int) -> None:
    """Send the ground part after part, from where the server is."""
    size, have = len(ground.packed), 0
    data = b""
    while have < size:
        put = GeometryPut(sha256=ground.sha256, size_bytes=size, offset=have, data=data)
        answer = await request(put)
        if not isinstance(answer, GeometryAck) or answer.have_bytes < have:
            raise OpenSlotError(Code.UNEXPECTED, "an acknowledgement of other geometry")
        have = answer.have_bytes
        data = ground.packed[have : have + part_bytes]
