"""A market for benchmarks: line items and slots from a seed, with the variety of a large server."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openslot_server.demand.engine import Question
from openslot_server.demand.model import Creative, LineItem, Offer
from openslot_server.demand.targeting import Targeting
from openslot_spec.messages import Context
from openslot_spec.records import Money
from openslot_spec.slots import MediaType, Slot

__all__ = ["MEDIA", "NOW_MS", "Asked", "asked", "offers"]

NOW_MS = 1_790_000_000_000
WORLDS = [f"world-{number}" for number in range(500)]
TAGS = [f"tag-{number}" for number in range(64)]
REGIONS = [f"{first}{second}" for first in "ABCDEF" for second in "ABCDEFGHIJ"]
CATEGORIES = [f"IAB{number}" for number in range(1, 27)]
MEDIA: tuple[MediaType, ...] = ("model/gltf-binary", "image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm")
SIZES = ((2.0, 1.0, 0.1), (1.0, 2.0, 0.1), (1.0, 1.0, 0.1))
NARROW = {"mixed": (0.4, 0.5, 0.6), "selective": (0.95, 0.95, 0.95)}
"""How many line items ask for worlds, for tags and for regions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, with what peers filter by."""

    question: Question
    region: str


def offers(count: int, targeting: str, seed: int = 1) -> list[Offer]:
    """Return line items of 400 advertisers, with bids around a median of 1.65 for a thousand impressions."""
    rng = np.random.default_rng(seed)
    return [_offer(rng, number, targeting) for number in range(count)]


def asked(count: int, seed: int, *, one_world: bool = False) -> list[Asked]:
    """Return questions about slots that differ; all of one world and region if they are a scene."""
    rng = np.random.default_rng(seed)
    scenes = [(_one(rng, WORLDS), Context(region=_one(rng, REGIONS))) for _ in range(1 if one_world else count)]
    found = []
    for number in range(count):
        world, context = scenes[number % len(scenes)]
        terms = {
            "id": f"slot-{number}",
            "size": ([4, 2], [2, 2], [1, 2])[rng.integers(3)],
            "pose": {"position": [number, 2, 0], "rotation": [0, 0, 0, 1]},
            "tags": _some(rng, TAGS, 4),
            "accepts": {"media": [MEDIA[rng.integers(len(MEDIA))]]},
            "categories_blocked": _some(rng, CATEGORIES, 3),
            "floor_cpm": {"micros": 200_000},
        }
        slot = Slot.parse(terms)
        question = Question(world, slot, NOW_MS, b"", slot.revision(), context)
        found.append(Asked(question, str(context.region)))
    return found


def _offer(rng: np.random.Generator, number: int, targeting: str) -> Offer:
    creative = Creative(
        sha256=f"{number:064x}",
        media_type=MEDIA[rng.integers(len(MEDIA))],
        size_bytes=10_000,
        advertiser=f"advertiser-{rng.integers(400)}",
        label="Ad",
        size=SIZES[rng.integers(len(SIZES))],
        categories=_some(rng, CATEGORIES, int(rng.integers(1, 3))),
    )
    worlds, tags, regions = (rng.random() < share for share in NARROW[targeting])
    line_item = LineItem(
        id=f"li-{number:06d}",
        advertiser=creative.advertiser,
        campaign="campaign",
        name="Posters",
        creatives=(creative.sha256,),
        cpm=Money(micros=1000 * max(1, int(rng.lognormal(0.5, 0.6) * 1000))),
        budget=Money(micros=10**9),
        from_ms=NOW_MS - 1,
        to_ms=NOW_MS + 10**9,
        targeting=Targeting(
            worlds=_some(rng, WORLDS, int(rng.choice([1, 3, 10]))) if worlds else (),
            tags=_some(rng, TAGS, int(rng.choice([1, 2, 3]))) if tags else (),
            regions=_some(rng, REGIONS, int(rng.choice([1, 3, 8]))) if regions else (),
        ),
    )
    return Offer(line_item, (creative,))


def _one(rng: np.random.Generator, values: list[str]) -> str:
    return values[rng.integers(len(values))]


def _some(rng: np.random.Generator, values: list[str], count: int) -> tuple[str, ...]:
    return tuple(values[index] for index in rng.choice(len(values), count, replace=False))
