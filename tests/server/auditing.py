"""A market in which one viewer after the other stands before a board, and shows evidence of it when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from openslot_server.audit.cases import State
from openslot_server.audit.examine import Examiner
from openslot_server.audit.trust import Standing, standings
from openslot_server.storage.store import AuditRow, GeometryRow
from openslot_spec.evidence import Evidence, commitment, commitments_column
from openslot_spec.exposures import EVIDENCE, ExposureColumns
from openslot_spec.geometry import Geometry
from openslot_spec.messages import (
    AuditAck,
    AuditReveal,
    Error,
    ExposuresAck,
    ExposuresPut,
    GeometryAck,
    GeometryPut,
    Placement,
)
from openslot_view.cameras import Cameras
from openslot_view.coarse import Coarse, coarsen
from tests.server.market import Market, exposures
from tests.view.looks import evidence, standing

POSE = {"position": [0, 2, -5], "rotation": [0, 0, 0, 1]}
WALL = [[-4, 0, -3], [4, 0, -3], [4, 5, -3], [-4, 5, -3]]
RUN_MS = 1_000


def field_of(*corners: Sequence[Sequence[float]]) -> bytes:
    """Return packed geometry of quads."""
    vertices = np.array(corners, np.float64).reshape(-1, 3)
    triangles = np.array(
        [[4 * n + corner for corner in turn] for n in range(len(corners)) for turn in ((0, 1, 2), (0, 2, 3))]
    )
    triangles = triangles.reshape(-1, 3)
    sides, owner = np.zeros(len(triangles), np.bool_), np.full(len(triangles), -1)
    return Geometry.of(vertices, triangles, sides, owner, {}).pack()


OPEN_FIELD = field_of()


@dataclass
class Auditing:
    """The market, its world's geometry, and the evidence that the world remembers."""

    market: Market = field(default_factory=lambda: Market(audit_ppm=50_000, placement_ms=3_600_000))
    geometry: bytes = OPEN_FIELD
    impressions: int = 100_000
    """That the budget pays for."""
    remembered: dict[tuple[bytes, int], tuple[bytes, bytes]] = field(default_factory=dict)
    """By batch and event: salt and packed evidence."""

    def __post_init__(self) -> None:
        self.market.line_item(impressions=self.impressions)
        self.market.slot(pose=POSE, profile="mrc-display")
        self.register(self.geometry)
        self.placement = self.market.place(viewers=1000)
        self.market.pass_time(10_000)
        self.viewers = 0
        self.examiner = Examiner(self._find)

    def register(self, packed: bytes, part: int = 1 << 19) -> GeometryAck:
        """Send geometry part after part."""
        sha256 = Geometry.digest(packed)
        reply = GeometryAck(sha256=sha256, have_bytes=0)
        for offset in range(0, len(packed), part):
            put = GeometryPut(sha256=sha256, size_bytes=len(packed), offset=offset, data=packed[offset : offset + part])
            answer = self.market.say(put)
            assert isinstance(answer, GeometryAck), answer
            reply = answer
        return reply

    def look(self, viewer: int, position: Sequence[float] = (0, 2, 0), **changes: Any) -> Evidence:
        """Return evidence of somebody who stands there until now."""
        cameras = seen_from(tuple(position), **changes)
        at_ms = self.market.now_ms
        made = evidence(at_ms, [(at_ms - before_ms, cameras) for before_ms in range(RUN_MS, -1, -200)])
        return self.about(made, viewer)

    def about(self, made: Evidence, viewer: int, placement: Placement | None = None) -> Evidence:
        here = (placement or self.placement).id
        return replace(
            made, placement=here, viewer=viewer, at_ms=self.market.now_ms, geometry=Geometry.digest(self.geometry)
        )

    def batch(self, looks: Sequence[Evidence], consented: bool = True, **columns: Any) -> ExposuresPut:
        """Return a batch of these looks, and remember their evidence."""
        viewers = [each.viewer for each in looks]
        put = exposures(self.market, [self.placement.ticket], viewer=viewers, **columns)
        if not consented:
            return put
        secrets = {event: (self.market.entropy(16), each.pack()) for event, each in enumerate(looks)}
        self.remembered |= {(put.batch, event): secret for event, secret in secrets.items()}
        digests = {event: commitment(*secret) for event, secret in secrets.items()}
        return put.model_copy(update={"columns": put.columns | {EVIDENCE: commitments_column(digests)}})

    def send(self, put: ExposuresPut, world: str = "plaza") -> ExposuresAck:
        reply = self.market.say(put, world)
        assert isinstance(reply, ExposuresAck), reply
        return reply

    def crowd(self, count: int = 200, **changes: Any) -> tuple[ExposuresPut, ExposuresAck]:
        """Let so many new viewers look."""
        self.market.pass_time(5_000)
        first, self.viewers = self.viewers, self.viewers + count
        looks = [self.look(viewer, **changes) for viewer in range(first, self.viewers)]
        put = self.batch(looks)
        return put, self.send(put)

    def asked(self, **changes: Any) -> AuditReveal:
        """Let crowds look until somebody is to show evidence, and return it."""
        while True:
            put, ack = self.crowd(40, **changes)
            if ack.reveal:
                return self.evidence_of(put.batch, ack.reveal[0])

    def evidence_of(self, batch: bytes, event: int) -> AuditReveal:
        salt, packed = self.remembered[batch, event]
        return AuditReveal(batch=batch, event=event, salt=salt, evidence=packed)

    def reveal(self, reveal: AuditReveal, world: str = "plaza") -> AuditAck | Error:
        reply = self.market.say(reveal, world)
        assert isinstance(reply, AuditAck | Error)
        return reply

    def examine(self) -> list[State]:
        """Examine all that waits and return the verdicts."""
        found = []
        audits = self.market.rooms.audits
        while (revealed := audits.next()) is not None:
            state, why = self.examiner.examine(revealed)
            self.market.store.commit(audits.decide(revealed, state, why, self.market.now_ms))
            found.append(self.state(revealed.row.batch, revealed.row.event))
        return found

    def verdict(self, reveal: AuditReveal) -> State:
        """Reveal, examine, and return the verdict."""
        assert isinstance(self.reveal(reveal), AuditAck)
        self.examine()
        return self.state(reveal.batch, reveal.event)

    def row(self, batch: bytes, event: int) -> AuditRow:
        found = self.market.store.find(AuditRow, batch=batch, event=event)
        assert found is not None
        return found

    def state(self, batch: bytes, event: int) -> State:
        return State(self.row(batch, event).state)

    def standing(self) -> Standing:
        with self.market.store.read() as reader:
            (found,) = standings(reader).worlds
        return found

    def _find(self, world: str, sha256: bytes) -> bytes | None:
        row = self.market.store.find(GeometryRow, world=world, sha256=sha256)
        return None if row is None else row.data


@cache
def seen_from(position: tuple[float, ...], **changes: Any) -> Coarse:
    return coarsen(Cameras.stack(standing(position, **changes)(0)))


def events_of(put: ExposuresPut) -> ExposureColumns:
    return ExposureColumns.unpack(put.columns, tickets=len(put.tickets))
