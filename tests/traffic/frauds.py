"""Sessions that cheat, one class each: what they send is made up, and says nothing of the rules that find it.

A fraud plays a number of sessions at once on one market. What it calls `crimes` are the events that must be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.verdicts import Verdict
from openslot_server.storage.store import BatchRow
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns, WhyNot
from openslot_spec.messages import ExposuresAck, ExposuresPut, Placements, PlacementsGet, SlotsPut, SlotsRemove
from tests.server.market import Market
from tests.traffic.plaza import BOARDS, boards
from tests.traffic.town import RENEW_MS, open_market

RENDERED, VIEWABLE, END = EventKind.RENDERED, EventKind.VIEWABLE, EventKind.END
Floats = NDArray[np.float64]
Columns = dict[str, Any]
RING = 25
"""Sessions that share what they were given."""


@dataclass
class Stage:
    """A market, and the words a cheat needs; `found` are the verdicts on crimes, session by session."""

    sessions: int
    chance: np.random.Generator
    market: Market = field(default_factory=open_market)
    found: dict[str, list[Verdict]] = field(default_factory=dict)

    def names(self) -> Iterator[str]:
        return (f"cheat-{number}" for number in range(self.sessions))

    def hang(self, session: str, *slots: str, viewers: int = 1, world: str = "plaza") -> list[bytes]:
        """Return tickets for the slots, or for all boards."""
        wanted = slots or tuple(board["id"] for board in boards())
        answer = self.market.say(PlacementsGet(slots=wanted, viewers=viewers), world, session)
        assert isinstance(answer, Placements), answer
        return [placement.ticket for placement in answer.placements]

    def tell(self, session: str, tickets: list[bytes], *, crime: bool = True, **columns: Any) -> ExposuresPut:
        """Send a batch of events and note what is said of it if it is a crime."""
        put = self.batch(tickets, **columns)
        self.send(session, put, crime=crime)
        return put

    def batch(self, tickets: list[bytes], **columns: Any) -> ExposuresPut:
        """Return a batch; columns that are left out are a good look's, one at each ticket."""
        count = max([len(tickets), *(np.size(value) for value in columns.values())])
        good = {
            "kind": VIEWABLE,
            "profile": 0,
            "ticket": np.arange(count) % len(tickets),
            "viewer": 1,
            "at_ms": self.market.now_ms,
            "why": WhyNot.COUNTED,
            "full_continuous_ms": 0,
            "full_cumulative_ms": 0,
            **some_figures(self.chance, count),
        }
        good |= {f"half_{name}": columns.get(name, good[name]) for name in ("continuous_ms", "cumulative_ms")}
        built = {name: np.broadcast_to(columns.get(name, good[name]), count) for name in COLUMNS}
        packed = ExposureColumns.build(built).pack()
        return ExposuresPut(batch=self.chance.bytes(16), tickets=tuple(tickets), columns=packed)

    def send(self, session: str, put: ExposuresPut, *, crime: bool = True) -> None:
        answer = self.market.say(put, session=session)
        assert isinstance(answer, ExposuresAck), answer
        row = self.market.store.tables[BatchRow][-1]
        assert isinstance(row, BatchRow)
        if crime:
            self.found.setdefault(session, []).extend(Verdict(each) for each in row.verdicts)


def some_figures(chance: np.random.Generator, count: int) -> Columns:
    """Return what looks of people might measure."""
    lasted = chance.integers(1_000, 1_250, count)
    return {
        "continuous_ms": lasted,
        "cumulative_ms": lasted + chance.integers(0, 300, count),
        "visible_fraction": chance.uniform(0.55, 1.0, count),
        "coverage": chance.uniform(0.02, 0.3, count),
        "angle_deg": chance.uniform(0, 50, count),
    }


def forge(stage: Stage) -> None:
    """Alter tickets."""
    for session in stage.names():
        tickets = [bytearray(ticket) for ticket in stage.hang(session)]
        for ticket in tickets:
            ticket[stage.chance.integers(len(ticket))] ^= 1 << int(stage.chance.integers(8))
        stage.market.pass_time(5_000)
        stage.tell(session, [bytes(ticket) for ticket in tickets])


def borrow(stage: Stage) -> None:
    """Use tickets of another world."""
    stage.market.say(SlotsPut(slots=tuple(boards())), "arcade")
    for session in stage.names():
        tickets = stage.hang(session, world="arcade")
        stage.market.pass_time(5_000)
        stage.tell(session, tickets)


def outlive(stage: Stage) -> None:
    """Look at ads that are over."""
    for session in stage.names():
        tickets = stage.hang(session)
        stage.market.pass_time(30_000 + 5_001 + int(stage.chance.integers(60_000)))
        stage.tell(session, tickets)


def exaggerate(stage: Stage) -> None:
    """Call looks viewable that were not."""
    poor: list[Columns] = [
        {"continuous_ms": 990}, {"visible_fraction": 0.45}, {"coverage": 0.01}, {"angle_deg": 60.0}
    ]  # fmt: skip
    for number, session in enumerate(stage.names()):
        tickets = stage.hang(session)
        stage.market.pass_time(5_000)
        stage.tell(session, tickets, **poor[number % len(poor)])


def replay(stage: Stage) -> None:
    """Send a batch again under new ids."""
    for session in stage.names():
        tickets = stage.hang(session)
        stage.market.pass_time(5_000)
        put = stage.tell(session, tickets, crime=False)
        for _ in range(3):
            stage.send(session, put.model_copy(update={"batch": stage.chance.bytes(16)}))


def double(stage: Stage) -> None:
    """Send the same looks again, in other batches and with other figures."""
    for session in stage.names():
        tickets = stage.hang(session)
        stage.market.pass_time(5_000)
        stage.tell(session, tickets, crime=False)
        stage.tell(session, tickets[::-1])
        stage.tell(session, tickets[:4], at_ms=stage.market.now_ms - 1_000)


def turn_back(stage: Stage) -> None:
    """Let views be seen before they are rendered, or end before they are seen."""
    for number, session in enumerate(stage.names()):
        tickets = stage.hang(session)
        stage.market.pass_time(9_000)
        later, count = stage.market.now_ms, len(tickets)
        other, first_ms, then_ms = (RENDERED, later, later - 3_000) if number % 2 else (END, later - 3_000, later)
        none = np.zeros(count)
        kind: Columns = {"kind": other, "at_ms": first_ms, "continuous_ms": none, "cumulative_ms": none}
        kind["why"] = WhyNot.TOO_SHORT if other is END else WhyNot.COUNTED
        stage.tell(session, tickets, crime=False, **kind)
        stage.tell(session, tickets, at_ms=then_ms)


def stretch(stage: Stage) -> None:
    """Look for longer than time allows: since the ad was rendered, since its ticket was issued, after it was over."""
    for number, session in enumerate(stage.names()):
        tickets = stage.hang(session)
        stage.market.pass_time(20_000)
        now_ms = stage.market.now_ms
        if number % 3 == 0:
            none = np.zeros(len(tickets))
            seen: Columns = {"kind": RENDERED, "at_ms": now_ms - 2_000, "continuous_ms": none, "cumulative_ms": none}
            stage.tell(session, tickets, crime=False, **seen)
            stage.tell(session, tickets, cumulative_ms=9_000)
        elif number % 3 == 1:
            stage.tell(session, tickets, kind=END, cumulative_ms=26_000)
        else:
            stage.market.pass_time(60_000)
            stage.tell(session, tickets, kind=END, at_ms=stage.market.now_ms, cumulative_ms=50_000)


def hurry(stage: Stage) -> None:
    """Ask for one slot over and over and look at all of them at once."""
    for session in stage.names():
        tickets = [stage.hang(session, "board-0")[0] for _ in range(20)]
        stage.market.pass_time(9_000)
        moment_ms = (stage.market.now_ms - 3_000) // 900 * 900
        stage.tell(session, tickets[:1], crime=False, at_ms=moment_ms)
        stage.tell(session, tickets[1:], at_ms=moment_ms + stage.chance.integers(0, 900, 19))


def crowd(stage: Stage) -> None:
    """Expect one viewer and report thousands."""
    for session in stage.names():
        ticket = stage.hang(session, "board-0")
        stage.market.pass_time(5_000)
        stage.tell(session, ticket, crime=False, viewer=np.arange(1_000))
        stage.tell(session, ticket, viewer=np.arange(1_000, 5_000))


def contradict(stage: Stage) -> None:
    """Count views that were too short, give a look a reason not to count, see an ad with no part of it in sight."""
    absurd: list[Columns] = [
        {"kind": END, "continuous_ms": 400, "cumulative_ms": 900},
        {"why": WhyNot.OBSTRUCTED},
        {"kind": END, "visible_fraction": 0.0, "why": WhyNot.TOO_SHORT},
        {"kind": RENDERED, "why": WhyNot.IDLE},
    ]
    for number, session in enumerate(stage.names()):
        tickets = stage.hang(session)
        stage.market.pass_time(5_000)
        stage.tell(session, tickets, **absurd[number % len(absurd)])


def haunt(stage: Stage) -> None:
    """Look at slots that are gone, or that are not any more what they were."""
    for number, session in enumerate(stage.names()):
        name = f"house-{number}"
        slot = boards()[0] | {"id": name, "pose": {"position": [0, -10.0 * number, 0], "rotation": [0, 0, 0, 1]}}
        stage.market.say(SlotsPut(slots=(slot,)))
        tickets = stage.hang(session, name)
        stage.market.pass_time(1_000)
        changed = SlotsRemove(ids=(name,)) if number % 2 else SlotsPut(slots=(slot | {"size": (9.0, 9.0)},))
        stage.market.say(changed)
        stage.market.pass_time(5_001)
        stage.tell(session, tickets)


@dataclass
class Script:
    """The looks of one session: when, at which board, by whom, and figures; arrays (n,)."""

    at_ms: NDArray[np.int64]
    board: NDArray[np.int64]
    figures: Columns
    viewer: Any = 1


def act(stage: Stage, scripts: dict[str, Script]) -> None:
    """Play scripts side by side: placements hang anew as in any world, and each hanging's looks come in one batch."""
    last = max(int(script.at_ms.max()) for script in scripts.values())
    start_ms = stage.market.now_ms
    for begin_ms in range(0, last + 1, RENEW_MS):
        due = {session: _within(script, begin_ms) for session, script in scripts.items()}
        hung = {
            session: stage.hang(session, *(f"board-{number}" for number in np.unique(scripts[session].board[rows])))
            for session, rows in due.items()
            if len(rows)
        }
        stage.market.pass_time(RENEW_MS)
        for session, tickets in hung.items():
            script, rows = scripts[session], due[session]
            which = np.unique(script.board[rows], return_inverse=True)[1]
            figures: Columns = {
                name: np.broadcast_to(value, script.at_ms.shape)[rows] for name, value in script.figures.items()
            }
            viewer = np.broadcast_to(script.viewer, script.at_ms.shape)[rows]
            stage.tell(session, tickets, ticket=which, at_ms=start_ms + script.at_ms[rows], viewer=viewer, **figures)


def _within(script: Script, begin_ms: int) -> NDArray[np.intp]:
    return np.flatnonzero((script.at_ms >= begin_ms) & (script.at_ms < begin_ms + RENEW_MS))


def _rounds(at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a board for each look, none twice while one set of placements hangs."""
    return np.arange(len(at_ms)) % BOARDS


def _people(chance: np.random.Generator, looks: int) -> NDArray[np.int64]:
    """Return times with pauses as people make them."""
    return np.cumsum(chance.exponential(6_000, looks) + 2_600).astype(np.int64)


def beat(stage: Stage) -> None:
    """Look in time, like a clock: one viewer, or one invented for every look."""
    scripts = {}
    for number, session in enumerate(stage.names()):
        chance, looks = stage.chance, 60
        period_ms = chance.uniform(2_600, 11_000)
        at_ms = 2_000 + period_ms * np.arange(looks) + chance.normal(0, 0.005 * period_ms, looks)
        viewer = np.arange(looks) if number % 2 else 1
        times = at_ms.astype(np.int64)
        scripts[session] = Script(times, _rounds(times), some_figures(chance, looks), viewer)
    act(stage, scripts)


def copy(stage: Stage) -> None:
    """Play one recorded visit in many sessions."""
    scripts = {}
    for number, session in enumerate(stage.names()):
        if number % RING == 0:
            times = _people(stage.chance, 40)
            trace = Script(times, _rounds(times), some_figures(stage.chance, 40))
        scripts[session] = trace
    act(stage, scripts)


def freeze(stage: Stage) -> None:
    """Leave a camera before some boards for a quarter of an hour and claim that somebody is there."""
    scripts = {}
    for session in stage.names():
        seen = int(stage.chance.integers(1, 4))
        times = np.sort(np.concatenate([RENEW_MS * np.arange(38) + 2_000 + board for board in range(seen)]))
        times = times + stage.chance.integers(0, 900, len(times))
        board = np.arange(len(times)) % seen
        still = {name: values[board] for name, values in some_figures(stage.chance, seen).items()}
        scripts[session] = Script(times, board, still)
    act(stage, scripts)


def shine(stage: Stage) -> None:
    """See every board whole and from straight ahead, at all distances."""
    scripts = {}
    for session in stage.names():
        times = _people(stage.chance, 48)
        best = some_figures(stage.chance, 48) | {
            "visible_fraction": 1.0,
            "angle_deg": stage.chance.uniform(0, 0.9, 48),
        }
        scripts[session] = Script(times, _rounds(times), best)
    act(stage, scripts)


def stack(stage: Stage) -> None:
    """Hang boards behind boards and look at all of them."""
    hidden = [
        board
        | {"id": f"under-{number}", "size": (3.6, 2.2), "pose": _behind(board["pose"], stage.chance.uniform(0, 0.2))}
        for number, board in enumerate(boards())
    ]
    stage.market.say(SlotsPut(slots=tuple(hidden)))
    for session in stage.names():
        fronts = stage.hang(session)
        backs = stage.hang(session, *(board["id"] for board in hidden))
        stage.market.pass_time(9_000)
        stage.tell(session, fronts, crime=False)
        stage.tell(session, backs)


def _behind(pose: Columns, distance_m: float) -> Columns:
    x, y, z, w = pose["rotation"]
    normal = np.array([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)])
    return pose | {"position": tuple(np.array(pose["position"]) - distance_m * normal)}


Fraud = Callable[[Stage], None]
HARD: dict[Fraud, Verdict] = {
    forge: Verdict.TICKET_INVALID,
    borrow: Verdict.TICKET_FOREIGN,
    outlive: Verdict.TICKET_EXPIRED,
    exaggerate: Verdict.OUT_OF_RANGE,
    replay: Verdict.REPLAYED,
    double: Verdict.DUPLICATE,
    turn_back: Verdict.BACKWARDS,
    stretch: Verdict.TOO_LONG,
    hurry: Verdict.TOO_OFTEN,
    crowd: Verdict.CROWD,
    contradict: Verdict.ABSURD,
    haunt: Verdict.SLOT_STALE,
}
STATISTICAL: dict[Fraud, Verdict] = {
    beat: Verdict.PERIODIC,
    copy: Verdict.COPIED,
    freeze: Verdict.FROZEN,
    shine: Verdict.PERFECT,
    stack: Verdict.STACKED,
}
