"""`openslot bench decisions`: what a decision and a change cost, against other ways to find the best bid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from statistics import median, quantiles
from typing import Any

from openslot_server.bench.demand_market import NOW_MS, Asked, asked, offers
from openslot_server.bench.demand_peers import PEERS, Peer
from openslot_server.bench.pacing import pacing_figures
from openslot_server.demand.engine import Engine, Question, Win
from openslot_server.demand.model import Offer
from openslot_spec.records import Money

__all__ = ["run"]

Progress = Callable[[str], None]
Row = dict[str, Any]
SIZES = (1_000, 10_000, 100_000)
SLOTS = 100
ROUNDS = 5
WORKLOADS = ("filled", "unfilled", "selective")
CHANGES = 10_000
NEEDS = {"pyroaring": "pyroaring", "duckdb": "duckdb"}
"""What peers need beyond the server's own libraries; without it they are left out."""
DRAWS = count()


def run(progress: Progress) -> tuple[dict[str, float], list[Row]]:
    """Return figures by name and a table of microseconds a slot."""
    table: list[Row] = []
    for size in SIZES:
        for targeting in ("mixed", "selective"):
            progress(f"{size:,} line items, {targeting} targeting")
            table += _workloads(offers(size, targeting), targeting, size)
    progress(f"{CHANGES:,} changes among {SIZES[-1]:,} line items")
    changes = _changes(offers(SIZES[-1], "mixed"))
    return {**_ratios(table), **changes, **pacing_figures(progress)}, table


def _workloads(items: Sequence[Offer], targeting: str, size: int) -> list[Row]:
    engine = _filled(items)
    peers = {name: (make(items), share) for name, (make, share) in _installed().items()} if size > SIZES[0] else {}
    rows = []
    for workload, new, questions in _questions(targeting):
        row: Row = {"workload": workload, "line items": size}
        ours, bids = _ours_us(engine, questions, new=new)
        row["openslot"] = ours
        for name, (peer, share) in peers.items():
            row[name] = _peer_us(peer, questions[: max(1, int(share * len(questions)))], bids)
        rows.append({name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()})
    return rows


def _installed() -> dict[str, tuple[Callable[[Sequence[Offer]], Peer], float]]:
    missing = {name for name, module in NEEDS.items() if find_spec(module) is None}
    return {name: peer for name, peer in PEERS.items() if name not in missing}


def _questions(targeting: str) -> Iterator[tuple[str, bool, list[Asked]]]:
    """Yield workloads: their name, whether each slot is new, and what is asked; every one is a scene of one world."""
    if targeting == "selective":
        yield "selective", False, asked(SLOTS, 5, one_world=True)
    else:
        yield "filled", False, asked(SLOTS, 3, one_world=True)
        yield "unfilled", True, _never_seen(asked(SLOTS, 4, one_world=True), ROUNDS)


def _filled(items: Sequence[Offer]) -> Engine:
    engine = Engine(lambda _: 10**9)
    engine.fill(items, NOW_MS)
    return engine


def _ours_us(engine: Engine, questions: Sequence[Asked], *, new: bool) -> tuple[float, list[int]]:
    """Return processor time a slot and the bids found; slots that are not new were asked for before."""
    bids = _ask(engine, _drawn(questions))
    costs = []
    for number in range(ROUNDS):
        round_of = _drawn(_never_seen(questions, number) if new else questions)
        start = time.process_time()
        _ask(engine, round_of)
        costs.append((time.process_time() - start) / len(questions) * 1e6)
    return min(costs), bids


def _never_seen(questions: Sequence[Asked], number: int) -> list[Asked]:
    """Return questions about slots like a ribbon, each of another length, which no creative fits."""
    found = []
    for index, one in enumerate(questions):
        size = 100.0 + number + index / len(questions), 0.5
        slot = one.question.slot.model_copy(update={"size": size})
        found.append(replace(one, question=replace(one.question, slot=slot, revision=slot.revision())))
    return found


def _drawn(questions: Sequence[Asked]) -> list[Question]:
    return [replace(one.question, draw=next(DRAWS).to_bytes(8, "little")) for one in questions]


def _ask(engine: Engine, questions: Sequence[Question]) -> list[int]:
    won = [engine.decide(question) for question in questions]
    return [one.price_micros if isinstance(one, Win) else 0 for one in won]


def _peer_us(peer: Peer, questions: Sequence[Asked], bids: Sequence[int]) -> float:
    costs = []
    for _ in range(2):
        start = time.process_time()
        found = peer(questions)
        costs.append((time.process_time() - start) / len(questions) * 1e6)
        if list(found) != list(bids[: len(questions)]):
            raise AssertionError(f"{peer} finds other bids")
    return min(costs)


def _ratios(table: Sequence[Row]) -> dict[str, float]:
    rows = {(row["workload"], row["line items"]): row for row in table}
    most, least = SIZES[-1], SIZES[0]
    best = {
        key: min(row[name] for name in _installed()) / row["openslot"] for key, row in rows.items() if key[1] > least
    }
    return {
        "best_peer_over_ours_min": min(best.values()),
        "filled_over_sqlite_100k": rows["filled", most]["sqlite"] / rows["filled", most]["openslot"],
        "unfilled_over_sqlite_100k": rows["unfilled", most]["sqlite"] / rows["unfilled", most]["openslot"],
        "selective_scene_over_numpy_100k": min(rows["selective", most][name] for name in ("numpy", "numpy batch"))
        / rows["selective", most]["openslot"],
        "growth_filled_1k_to_100k": rows["filled", most]["openslot"] / rows["filled", least]["openslot"],
        "growth_unfilled_1k_to_100k": rows["unfilled", most]["openslot"] / rows["unfilled", least]["openslot"],
    }


def _changes(items: Sequence[Offer]) -> dict[str, float]:
    text = json.dumps([{"line_item": one.line_item.plain(), "creative": one.creatives[0].plain()} for one in items])
    loads_s = _least_s(partial(json.loads, text))
    bulk_s = _least_s(partial(_filled, items))
    engine, questions = _filled(items), asked(SLOTS, 3, one_world=True)
    before, _ = _ours_us(engine, questions, new=False)
    costs = [_timed_ms(change) for change in _some_changes(engine, items)]
    during = [_timed_ms(partial(_ask, engine, _drawn(questions))) * 1e3 / SLOTS for _ in range(ROUNDS)]
    return {
        "slowdown_after_10k_changes": min(during) / before,
        "change_p50_ms": median(costs),
        "change_p99_ms": quantiles(costs, n=100)[98],
        "change_worst_ms": max(costs),
        "bulk_over_json_loads": bulk_s / loads_s,
    }


def _some_changes(engine: Engine, items: Sequence[Offer]) -> Iterator[Callable[[], None]]:
    """Yield pauses, resumptions, new prices and newcomers in turn."""
    newcomers = offers(CHANGES // 4, "mixed", seed=9)
    for number, newcomer in enumerate(newcomers):
        item = items[number * 37 % len(items)]
        name = item.line_item.id
        dearer = item.line_item.model_copy(update={"cpm": Money(micros=item.line_item.cpm.micros + 50_000)})
        added = newcomer.line_item.model_copy(update={"id": f"new-{number}"})
        yield partial(engine.stop, name)
        yield partial(engine.put, item)
        yield partial(engine.put, replace(item, line_item=dearer))
        yield partial(engine.put, replace(newcomer, line_item=added))


def _least_s(work: Callable[[], object]) -> float:
    return min(_timed_ms(work) for _ in range(3)) / 1e3


def _timed_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3
