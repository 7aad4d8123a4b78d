"""The plaza's events on their way to a server's rooms, over a network that loses, delays and doubles batches."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from openslot_sdk.views import Recorded
from openslot_server.impressions.batches import read_batch
from openslot_server.impressions.verdicts import Verdict
from openslot_server.storage.store import BatchRow
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns
from openslot_spec.messages import ExposuresAck, ExposuresPut, Placements, PlacementsGet, SlotsPut
from openslot_spec.tickets import Ticket
from tests.server.market import NOW_MS, Market
from tests.traffic.plaza import BOARDS, Plaza, boards

FLUSH_MS = 2_000
RENEW_MS = 24_000
LOSS = 0.1
CROWD = "crowd"
Visit = tuple[str, int]
"""Session and viewer."""


def open_market(**settings: int) -> Market:
    """Return a market with the plaza's boards and money without end."""
    market = Market(**settings)
    market.line_item(price=10, impressions=10**9)
    market.say(SlotsPut(slots=tuple(boards())))
    return market


@dataclass
class Town:
    """A plaza whose visitors come in one world's session, and every `alone`-th of them in a session of their own."""

    market: Market
    plaza: Plaza
    chance: np.random.Generator
    alone: int = 4
    tickets: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    """By session and hanging, board by board."""
    waiting: defaultdict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    under_way: list[tuple[int, int, str, ExposuresPut]] = field(default_factory=list)
    batches: int = 0

    def live(self) -> None:
        """Let the day pass, and another hour in which what was delayed arrives."""
        for t_ms, there, recorded in self.plaza.play():
            self.market.now_ms = NOW_MS + t_ms
            hanging = t_ms // RENEW_MS
            for session in dict.fromkeys(self._session(visit) for visit in there.tolist()):
                self._ask(session, hanging)
            if recorded is not None and len(recorded.viewer):
                self._keep(recorded)
            if t_ms % FLUSH_MS == 0:
                self._flush()
                self._deliver()
        self._flush()
        self.market.now_ms += 3_600_000
        self._deliver()

    def _session(self, visit: int) -> str:
        return CROWD if visit % self.alone else f"visit-{visit}"

    def _ask(self, session: str, hanging: int) -> None:
        if (session, hanging) in self.tickets:
            return
        names = tuple(board["id"] for board in boards())
        answer = self.market.say(PlacementsGet(slots=names, viewers=10_000 if session == CROWD else 1), session=session)
        assert isinstance(answer, Placements)
        self.tickets[session, hanging] = [placement.ticket for placement in answer.placements]

    def _keep(self, recorded: Recorded) -> None:
        sessions = np.where(recorded.viewer % self.alone, -1, recorded.viewer)
        for number in np.unique(sessions).tolist():
            rows = np.flatnonzero(sessions == number)
            part = Recorded(
                type(recorded.events)(*(getattr(recorded.events, name)[rows] for name in recorded.events.__slots__)),
                *(array[rows] for array in (recorded.viewer, recorded.ticket, recorded.slot)),
            )
            self.waiting[CROWD if number < 0 else f"visit-{number}"].append(part)

    def _flush(self) -> None:
        for session, parts in self.waiting.items():
            late_ms = self._delay_ms()
            put = self._put(session, parts)
            heapq.heappush(self.under_way, (self.market.now_ms + late_ms, self.batches, session, put))
            self.batches += 1
        self.waiting.clear()

    def _delay_ms(self) -> int:
        lost = self.chance.random() < LOSS
        return int(self.chance.exponential(20_000 if lost else 60))

    def _put(self, session: str, parts: list[Recorded]) -> ExposuresPut:
        columns = {
            name: np.concatenate([getattr(part.events, name) for part in parts])
            for name in COLUMNS
            if name not in ("profile", "viewer", "ticket")
        }
        columns["profile"] = np.zeros_like(columns["kind"])
        columns["at_ms"] = columns["at_ms"] + NOW_MS
        columns["viewer"] = np.concatenate([part.viewer for part in parts])
        hung = np.concatenate([part.ticket * BOARDS + part.slot for part in parts])
        which, columns["ticket"] = np.unique(hung, return_inverse=True)
        tickets = tuple(self.tickets[session, number // BOARDS][number % BOARDS] for number in which.tolist())
        packed = ExposureColumns.build(columns).pack()
        return ExposuresPut(batch=self.chance.bytes(16), tickets=tickets, columns=packed)

    def _deliver(self) -> None:
        while self.under_way and self.under_way[0][0] <= self.market.now_ms:
            _, _, session, put = heapq.heappop(self.under_way)
            for _ in range(1 + (self.chance.random() < LOSS)):  # an acknowledgement that is lost
                answer = self.market.say(put, session=session)
                assert isinstance(answer, ExposuresAck), answer


def visits(market: Market) -> dict[Visit, Counter[Verdict]]:
    """Return the verdicts on all events that are not ENDs, by visit."""
    found: defaultdict[Visit, Counter[Verdict]] = defaultdict(Counter)
    for session, viewer, kind, verdict in events(market):
        if kind != EventKind.END:
            found[session, viewer][verdict] += 1
    return found


def events(market: Market) -> Iterator[tuple[str, int, EventKind, Verdict]]:
    """Yield session, viewer, kind and verdict of every stored event."""
    with market.store.read() as reader:
        for row in reader.load(BatchRow):
            judged = read_batch(row)
            columns = judged.columns
            for place, verdict in enumerate(judged.verdicts.tolist()):
                ticket = judged.tickets[int(columns.ticket[place])]
                session = ticket.session if isinstance(ticket, Ticket) else ""
                yield session, int(columns.viewer[place]), EventKind(int(columns.kind[place])), Verdict(verdict)
