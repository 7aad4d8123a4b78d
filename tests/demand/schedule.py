"""A market that changes at random while it is asked: the engine and the oracle live through the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from openslot_server.demand import throttle
from openslot_server.demand.dayparts import Daypart
from openslot_server.demand.engine import Auction, Engine, Question, Win
from openslot_server.demand.entries import Entry
from openslot_server.demand.model import PRIORITIES, Creative, LineItem, Offer
from openslot_server.demand.targeting import Targeting
from openslot_spec.messages import Context, NoAd
from openslot_spec.records import Money
from openslot_spec.slots import Slot
from tests.demand.oracle import Oracle

WORLDS = ("plaza", "arcade", "museum")
TAGS = ("indoor", "outdoor", "large", "quiet")
MEDIA = ("model/gltf-binary", "image/png", "video/mp4")
CATEGORIES = ("IAB1", "IAB2", "IAB3")
ADVERTISERS = ("aurora", "boreal", "cirrus", "dune")
COHORTS = ("runners", "gardeners")
DEALS = ("spring", "summer")
KEYWORDS = ("music", "sport")
SLOTS = 40
THROTTLES = (0.0, 0.125, 0.5, *[1.0] * 13)
TIERS = {True: (0.05, 0.05, 0.4, 0.5), False: (0, 0, 0.85, 0.15)}
Found = tuple[str, int] | NoAd


@dataclass
class DisagreementError(Exception):
    """Where the engine and the oracle part."""

    request: int
    engine: Found
    oracle: Found


class Schedule:
    """Requests and changes, all from one seed. Small vocabularies and few prices: collisions are the point."""

    def __init__(self, seed: int, auction: Auction, line_items: int = 120, capacity: int = 72) -> None:
        self.rng = np.random.default_rng(seed)
        self.now_ms = 1_000_000
        self.is_rich = bool(seed % 2)
        """Whether everything is used that line items and slots may say; if not, more of them meet."""
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
        slot = self.slots[self.rng.integers(SLOTS if self.is_rich else 6)]
        context = self.context() if self.is_rich and self.rng.random() < 0.7 else None
        return Question(self._one(WORLDS), slot, self.now_ms, self.rng.bytes(9), slot.digest(), context)

    def context(self) -> Context:
        return Context(
            language=self._one(("de", "de-AT", "en", None)),
            region=self._one(("DE", "DE-BE", "AT", None)),
            device=self._one(("headset", "desktop", None)),
            cohorts=self._some(COHORTS, 1),
        )

    def change(self) -> None:
        """Do one thing that an advertiser, a budget or the clock may do."""
        names = list(self.oracle.offers)
        name = self._one(names)
        match self.rng.integers(9):
            case 0:
                for _ in range(self.rng.integers(1, 5)):
                    self.engine.put(self._admit(self.offer()))
            case 1:
                self.engine.put(self._admit(self.offer(name)))
                self.oracle.paused.discard(name)
            case 2 | 8 if len(names) > 3:
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
                self.now_ms += (
                    50 * int(self.rng.integers(4)) if not self.is_rich or self.rng.random() < 0.6 else 3_600_000
                )

    def offer(self, name: str | None = None) -> Offer:
        self.made += 1
        creatives = tuple(self.creative() for _ in range(self.rng.choice([1, 1, 1, 2, 3])))
        bid = int(self.rng.integers(1, 8))
        start = self.now_ms + 50 * int(self.rng.integers(-60, 10))
        line_item = self._line_item(name, creatives, bid, start)
        return Offer(line_item, creatives)

    def _line_item(self, name: str | None, creatives: tuple[Creative, ...], bid: int, start: int) -> LineItem:
        return LineItem(
            id=name or f"li-{self.rng.integers(1000)}-{self.made}",
            advertiser=self._one(ADVERTISERS),
            campaign="cmp",
            name="Posters",
            creatives=tuple(one.sha256 for one in creatives),
            cpm=Money(micros=bid * 1000),
            budget=Money(micros=10**9),
            from_ms=start,
            to_ms=start + (50 if self.rng.random() < 0.5 else 10**7) * int(self.rng.integers(1, 180)),
            targeting=self.targeting(),
            tier=PRIORITIES[self.rng.choice(4, p=TIERS[self.is_rich])],
            deal=self._one(DEALS) if self.is_rich and self.rng.random() < 0.15 else None,
        )

    def targeting(self) -> Targeting:
        """Mostly nothing, now and then a little of everything."""
        names = [f"slot-{number}" for number in range(SLOTS)]
        wishes: dict[str, Any] = {
            "worlds": self._some(WORLDS, 2),
            "worlds_excluded": (WORLDS[2],),
            "tags": self._some(TAGS, 2),
            "tags_excluded": (TAGS[3],),
            "slots": self._some(names, 30),
            "slots_excluded": self._some(names, 10),
            "kinds": ("billboard",),
            "categories": self._some(("IAB9", "IAB1-2"), 2),
            "keywords": self._some(KEYWORDS, 2),
            "languages": self._some(("de", "en"), 2),
            "regions": self._some(("DE", "DE-BE", "FR"), 2),
            "devices": ("headset",),
            "cohorts": self._some(COHORTS, 2),
            "width_min_m": 3.0,
            "width_max_m": 5.0,
            "height_min_m": 2.0,
            "height_max_m": 1.5,
        }
        chosen = {name: value for name, value in wishes.items() if self.rng.random() < (0.12 if self.is_rich else 0.02)}
        if self.is_rich and self.rng.random() < 0.6:
            chosen["dayparts"] = (self.daypart(),)
            chosen["time_zone"] = self._one(("UTC", "Europe/Berlin", "Asia/Kathmandu"))
        if "height_min_m" in chosen:
            chosen.pop("height_max_m", None)
        for name in ("worlds", "slots", "tags"):
            if set(chosen.get(name, "none")) <= set(chosen.get(f"{name}_excluded", ())):
                del chosen[name]
        return Targeting(**chosen)

    def daypart(self) -> Daypart:
        start = int(self.rng.integers(24))
        return Daypart(
            from_hour=start, to_hour=int(self.rng.integers(start + 1, 25)), days=self._some(range(7), 7) or (3,)
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
        if self.is_rich and self.rng.random() < 0.5:
            terms["about"] = {"kind": "billboard", "categories": ["IAB9-30"], "keywords": self._some(KEYWORDS, 2)}
        if self.is_rich and self.rng.random() < 0.5:
            terms["buyers"] = self.buyers()
        return Slot.parse(terms)

    def buyers(self) -> dict[str, Any]:
        named, floors = self._some(ADVERTISERS, 2), self._some(ADVERTISERS, 2)
        return {
            self._one(("allowed", "blocked")): named,
            "floors": [{"advertiser": name, "floor_cpm": {"micros": self._one((0, 6500))}} for name in floors],
            "deals": [
                {"id": name, "floor_cpm": {"micros": self._one((0, 3000, 5500))}} for name in self._some(DEALS, 2)
            ],
        }

    def _admit(self, offer: Offer) -> Offer:
        name = offer.line_item.id
        self.oracle.offers[name] = offer
        self.oracle.left[name] = int(self.rng.choice([0, 3, 10**6], p=[0.1, 0.1, 0.8]))
        if self.is_rich:
            self.oracle.throttles[name] = THROTTLES[crc32(name.encode()) % len(THROTTLES)]
        return offer

    def _ask_engine(self, question: Question, refused: tuple[str, ...]) -> Found:
        def refuses(entry: Entry) -> bool:
            share = self.oracle.throttles.get(entry.id, 1.0)
            return entry.id in refused or not throttle.takes_part(throttle.part_of(share), question.draw, entry.id)

        won = self.engine.decide(question, refuses)
        return (won.line_item.id, won.price_micros) if isinstance(won, Win) else won

    def _one(self, values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def _some(self, values: Any, most: int) -> tuple[Any, ...]:
        values = list(values)
        count = min(int(self.rng.integers(most + 1)), len(values))
        return tuple(values[index] for index in self.rng.permutation(len(values))[:count])
