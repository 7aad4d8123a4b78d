"""A market that changes at random while it is asked: the engine and the oracle live through the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from openslot_server.demand.engine import Auction, Engine, Question, Win
from openslot_server.demand.model import Creative, LineItem, Offer, Targeting
from openslot_spec.messages import NoAd
from openslot_spec.records import Money
from openslot_spec.slots import Slot
from tests.demand.oracle import Oracle

WORLDS = ("plaza", "arcade", "museum")
TAGS = ("indoor", "outdoor", "large", "quiet")
MEDIA = ("model/gltf-binary", "image/png", "video/mp4")
CATEGORIES = ("IAB1", "IAB2", "IAB3")
SLOTS = 40
Found = tuple[str, int] | NoAd


@dataclass
class DisagreementError(Exception):
    """Where the engine and the oracle part."""

    request: int
    engine: Found
    oracle: Found


class Schedule:
    """Requests and changes, all from one seed. Small vocabularies and few prices: collisions are the point."""

    def __init__(self, seed: int, auction: Auction, line_items: int = 120, capacity: int = 80) -> None:
        self.rng = np.random.default_rng(seed)
        self.now_ms = 1_000_000
        self.made = 0
        self.oracle = Oracle(auction)
        for _ in range(line_items):
            self._admit(self.offer())
        self.slots = [self.slot(number) for number in range(SLOTS)]
        self.engine = Engine(self.oracle.left.__getitem__, auction, capacity=capacity)
        self.engine.fill(self.oracle.offers.values(), self.now_ms)

    def run(self, requests: int) -> dict[str, int]:
        """Go on for some requests, and return how often each thing came out; raises `DisagreementError`."""
        seen: dict[str, int] = {}
        for number in range(requests):
            if self.rng.random() < 0.5:
                self.change()
            refused = self._some(self.oracle.offers, 3)
            question = self.question()
            engine = self._ask_engine(question, refused)
            oracle = self.oracle.decide(question, refused)
            if engine != oracle:
                raise DisagreementError(number, engine, oracle)
            outcome = oracle.value if isinstance(oracle, NoAd) else "filled"
            seen[outcome] = seen.get(outcome, 0) + 1
        return seen

    def question(self) -> Question:
        slot = self.slots[self.rng.integers(SLOTS)]
        return Question(self._one(WORLDS), slot, self.now_ms, self.rng.bytes(9), slot.digest())

    def change(self) -> None:
        """Do one thing that an advertiser, a budget or the clock may do."""
        names = list(self.oracle.offers)
        name = self._one(names)
        match self.rng.integers(9):
            case 0:
                for _ in range(self.rng.integers(1, 4)):
                    self.engine.put(self._admit(self.offer()))
            case 1:
                self.engine.put(self._admit(self.offer(name)))
                self.oracle.paused.discard(name)
            case 2 | 8 if len(names) > 8:
                self.engine.drop(name)
                del self.oracle.offers[name]
                self.oracle.paused.discard(name)
            case 3:
                self.engine.stop(name)
                self.oracle.paused.add(name)
            case 4:
                again = self._one(sorted(self.oracle.paused) or [name])
                self.engine.put(self.oracle.offers[again])
                self.oracle.paused.discard(again)
            case 5 | 6:
                self.oracle.left[name] = int(self.rng.choice([0, 1, 2, 3, 10**6]))
                self.engine.pay(name)
            case _:
                self.now_ms += 50 * int(self.rng.integers(4))

    def offer(self, name: str | None = None) -> Offer:
        self.made += 1
        creatives = tuple(self.creative() for _ in range(self.rng.choice([1, 1, 1, 2, 3])))
        bid = int(self.rng.integers(1, 8))
        start = self.now_ms + 50 * int(self.rng.integers(-60, 10))
        line_item = LineItem(
            id=name or f"li-{self.rng.integers(1000)}-{self.made}",
            advertiser=self._one(("aurora", "boreal", "cirrus", "dune")),
            campaign="cmp",
            name="Posters",
            creatives=tuple(one.sha256 for one in creatives),
            cpm=Money(micros=bid * 1000),
            budget=Money(micros=10**9),
            from_ms=start,
            to_ms=start + 50 * int(self.rng.integers(1, 180)),
            targeting=self.targeting(),
        )
        return Offer(line_item, creatives)

    def targeting(self) -> Targeting:
        return Targeting(
            worlds=self._some(WORLDS, 2),
            tags=self._some(TAGS, 2),
            slots=self._some([f"slot-{number}" for number in range(SLOTS)], 30) if self.rng.random() < 0.1 else (),
        )

    def creative(self) -> Creative:
        self.made += 1
        return Creative(
            sha256=f"{self.made:064x}",
            media_type=self._one(MEDIA[:2]),
            size_bytes=10,
            advertiser="aurora",
            label="Ad",
            tier=self._one(("S", "M", "L")),
            size=self._one(((2.0, 1.0, 0.1), (1.0, 2.0, 0.1), (9.0, 1.0, 0.1), None)),
            animated=bool(self.rng.random() < 0.3),
            categories=self._some(CATEGORIES, 2),
        )

    def slot(self, number: int) -> Slot:
        terms: dict[str, Any] = {
            "id": f"slot-{number}",
            "size": self._one(([4, 2], [2, 2], [6, 1])),
            "pose": {"position": [number, 2, -5], "rotation": [0, 0, 0, 1]},
            "tags": self._some(TAGS, 3),
            "fit": self._one(("contain", "stretch")),
            "accepts": {
                "media": self._some(MEDIA, 2) or MEDIA[:1],
                "tier": self._one(("S", "M", "L")),
                "animation": bool(self.rng.random() < 0.7),
            },
            "floor_cpm": {"micros": int(self.rng.choice([0, 0, 1500, 4000, 9000]))},
            "categories_blocked": self._some(CATEGORIES, 1),
        }
        return Slot.parse(terms)

    def _admit(self, offer: Offer) -> Offer:
        name = offer.line_item.id
        self.oracle.offers[name] = offer
        self.oracle.left[name] = int(self.rng.choice([0, 3, 10**6], p=[0.1, 0.1, 0.8]))
        return offer

    def _ask_engine(self, question: Question, refused: tuple[str, ...]) -> Found:
        won = self.engine.decide(question, lambda entry: entry.id in refused)
        return (won.line_item.id, won.price_micros) if isinstance(won, Win) else won

    def _one(self, values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def _some(self, values: Any, most: int) -> tuple[Any, ...]:
        values = list(values)
        count = min(int(self.rng.integers(most + 1)), len(values))
        return tuple(values[index] for index in self.rng.permutation(len(values))[:count])
