"""Review: where a creative may be shown, and why not. Each place, the platform and every world, judges for itself.

    blocked there ─▶ refused      a human decided ─▶ that      a check asks, or the place reviews all ─▶ pending
    nothing of it ─▶ approved     (in this order; a block list beats a human's word of before)

A creative is shown in a world once both the platform and that world approve of it.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from openslot_server.demand.model import RATINGS, Clearance, Creative, Language, Rating
from openslot_server.demand.targeting import KnownCategory
from openslot_server.demand.taxonomy import widened
from openslot_server.storage.store import PolicyRow, ReviewRow
from openslot_spec.records import Id, Record, Sha256, TimeMs

__all__ = ["PLATFORM", "SENTENCES", "Decision", "Policy", "Review", "Reviews", "State", "Why"]

PLATFORM = ""
"""The place that is above all worlds."""
LIKE_BITS = 8
"""Two pictures whose hashes differ in no more bits than this are taken for one."""
NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""A last label by which browsers take a host for an address."""
State = Literal["pending", "approved", "refused"]


class Why(StrEnum):
    """Why a creative waits or is refused."""

    ADVERTISER_BLOCKED = "review.advertiser_blocked"
    CATEGORY_BLOCKED = "review.category_blocked"
    WORD_BLOCKED = "review.word_blocked"
    CATEGORY_MISSING = "review.category_missing"
    RATING = "review.rating"
    LANGUAGE = "review.language"
    LANDING_SCHEME = "review.landing_scheme"
    LANDING_HOST = "review.landing_host"
    LIKE_REFUSED = "review.like_refused"
    NOT_YET = "review.not_yet"
    CHANGED = "review.changed"
    MISLEADING = "review.misleading"
    OFFENSIVE = "review.offensive"
    QUALITY = "review.quality"
    UNLAWFUL = "review.unlawful"
    OTHER = "review.other"


SENTENCES: dict[Why, str] = {
    Why.ADVERTISER_BLOCKED: "This advertiser's ads are not shown there.",
    Why.CATEGORY_BLOCKED: "Ads of one of its categories are not shown there.",
    Why.WORD_BLOCKED: "Its label or the host of its landing page has a word that is not shown there.",
    Why.CATEGORY_MISSING: "Only creatives with a declared category are shown there; declare one.",
    Why.RATING: "It is rated above what is shown there, or not rated at all; declare `rating`.",
    Why.LANGUAGE: "It is in none of the languages that are shown there, or declares none; declare `language`.",
    Why.LANDING_SCHEME: "Its landing page is not https; a human looks at it. Give one that is.",
    Why.LANDING_HOST: "Its landing page names no public host, or hides it; a human looks at it.",
    Why.LIKE_REFUSED: "It looks like a creative that was refused; a human looks at it.",
    Why.NOT_YET: "Every creative is looked at before it is shown there; wait.",
    Why.CHANGED: "Its actions were changed after it was approved; it is looked at again.",
    Why.MISLEADING: "A reviewer found it misleading.",
    Why.OFFENSIVE: "A reviewer found it offensive.",
    Why.QUALITY: "A reviewer found it not good enough to look at.",
    Why.UNLAWFUL: "A reviewer found that it may not be shown by law.",
    Why.OTHER: "A reviewer refused it; the note says why.",
}
Reasons = Annotated[tuple[Annotated[Why, Field(strict=False)], ...], Field(strict=False, max_length=16)]
Note = Annotated[str, Field(max_length=1000)]
Word = Annotated[str, Field(min_length=2, max_length=64, pattern=r"^\S(.*\S)?$")]


class Policy(Record):
    """What a place shows; what is left out asks for nothing."""

    reviews: bool = False
    """Whether a creative waits there until somebody approved it."""
    advertisers_blocked: Annotated[tuple[Id, ...], Field(strict=False, max_length=1000)] = ()
    categories_blocked: Annotated[tuple[KnownCategory, ...], Field(strict=False, max_length=500)] = ()
    """`IAB7` takes in `IAB7-39`."""
    words_blocked: Annotated[tuple[Word, ...], Field(strict=False, max_length=500)] = ()
    """In a label or the host of a landing page, in any case, also as a part of a word."""
    categories_required: bool = False
    rating_max: Rating | None = None
    languages: Annotated[tuple[Language, ...], Field(strict=False, max_length=64)] = ()


class Decision(Record):
    """What somebody says of a creative."""

    state: Literal["approved", "refused"]
    reasons: Reasons = ()
    note: Note = ""


class Review(Record):
    """How a creative stands at a place."""

    sha256: Sha256
    world: str
    """Empty for the platform."""
    state: State
    reasons: Reasons = ()
    note: Note = ""
    by: str = ""
    """Who decided; empty where nobody did."""
    at_ms: TimeMs = 0


class Reviews:
    """All places' policies, and what was decided there."""

    def __init__(self, policies: Iterable[PolicyRow] = (), reviews: Iterable[ReviewRow] = ()) -> None:
        self._policies = {row.world: Policy.model_validate_json(row.record) for row in policies}
        self._decided: dict[str, dict[str, Review]] = {}
        """By place, then by creative."""
        for row in reviews:
            self._decided.setdefault(row.world, {})[row.sha256] = Review.model_validate_json(row.record)

    @property
    def reviewing(self) -> frozenset[str]:
        """The worlds in which every creative waits for somebody."""
        return frozenset(world for world, policy in self._policies.items() if policy.reviews and world != PLATFORM)

    def places(self) -> list[str]:
        """Return the worlds that have a say, sorted."""
        return sorted((self._policies.keys() | self._decided.keys()) - {PLATFORM})

    def refused_since(self, world: str, since_ms: int) -> list[str]:
        """Return what the platform or a world refused at `since_ms` or later."""
        made = (one for place in (PLATFORM, world) for one in self._decided.get(place, {}).values())
        return [one.sha256 for one in made if one.state == "refused" and one.at_ms >= since_ms]

    def policy(self, world: str) -> Policy:
        """Return a place's policy."""
        return self._policies.get(world, Policy())

    def set_policy(self, world: str, policy: Policy, now_ms: int) -> PolicyRow:
        """Replace a place's policy."""
        self._policies[world] = policy
        return PolicyRow(world, policy.model_dump_json(exclude_none=True), now_ms)

    def decide(self, review: Review) -> ReviewRow:
        """Take note of what was decided."""
        self._decided.setdefault(review.world, {})[review.sha256] = review
        return ReviewRow(review.world, review.sha256, review.model_dump_json(exclude_none=True), review.at_ms)

    def ask(self, creatives: Iterable[Creative], known: Iterable[Creative], now_ms: int) -> list[ReviewRow]:
        """Let those wait for a human that look like one of the `known` which the platform refused, if none looked."""
        decided = self._decided.get(PLATFORM, {})
        refused = [one for one in known if one.sha256 in decided and self.standing(one, PLATFORM).state == "refused"]
        return [
            self.decide(_waiting(one.sha256, now_ms))
            for one in creatives
            if one.sha256 not in decided and any(_are_alike(one, other) for other in refused)
        ]

    def reopen(self, sha256: str, now_ms: int) -> list[ReviewRow]:
        """Let everybody who approved of a creative look again: something of it changed."""
        approved = [made[sha256] for made in self._decided.values() if sha256 in made]
        again = {"state": "pending", "reasons": (Why.CHANGED,), "by": "", "at_ms": now_ms}
        return [self.decide(one.model_copy(update=again)) for one in approved if one.state == "approved"]

    def standing(self, creative: Creative, world: str) -> Review:
        """Return how a creative stands at a place."""
        policy = self.policy(world)
        if blocked := tuple(_blocked(creative, policy)):
            return Review(sha256=creative.sha256, world=world, state="refused", reasons=blocked)
        decided = self._decided.get(world, {}).get(creative.sha256)
        if decided is not None:
            return decided
        asks = [*_doubts(creative)] if world == PLATFORM else []
        asks += [Why.NOT_YET] * policy.reviews
        return Review(sha256=creative.sha256, world=world, state="pending" if asks else "approved", reasons=tuple(asks))

    def clearance(self, creative: Creative) -> Clearance | None:
        """Return where a creative may be shown; None for nowhere."""
        if self.standing(creative, PLATFORM).state != "approved":
            return None
        worlds = self.places()
        if not worlds:
            return Clearance()
        approved = frozenset(world for world in worlds if self.standing(creative, world).state == "approved")
        return Clearance(frozenset(worlds) - approved - self.reviewing, approved & self.reviewing)


def _waiting(sha256: str, now_ms: int) -> Review:
    return Review(sha256=sha256, world=PLATFORM, state="pending", reasons=(Why.LIKE_REFUSED,), at_ms=now_ms)


def _blocked(creative: Creative, policy: Policy) -> Iterator[Why]:
    if creative.advertiser in policy.advertisers_blocked:
        yield Why.ADVERTISER_BLOCKED
    if not widened(*creative.categories).isdisjoint(policy.categories_blocked):
        yield Why.CATEGORY_BLOCKED
    if policy.words_blocked:
        titles = (action.title for action in creative.actions or ())
        said = _folded(" ".join((creative.label, *titles, *map(_host, _pages(creative)))))
        if any(_folded(word) in said for word in policy.words_blocked):
            yield Why.WORD_BLOCKED
    if policy.categories_required and not creative.categories:
        yield Why.CATEGORY_MISSING
    if policy.rating_max is not None and (
        creative.rating is None or RATINGS.index(creative.rating) > RATINGS.index(policy.rating_max)
    ):
        yield Why.RATING
    if policy.languages and widened(creative.language).isdisjoint(policy.languages):
        yield Why.LANGUAGE


def _doubts(creative: Creative) -> Iterator[Why]:
    """Yield what a human should look at, whatever the platform's policy."""
    pages = [*_pages(creative)]
    if not all(page.startswith("https:") for page in pages):
        yield Why.LANDING_SCHEME
    if not all(_is_public(_host(page)) and "@" not in page.partition("://")[2].partition("/")[0] for page in pages):
        yield Why.LANDING_HOST


def _pages(creative: Creative) -> Iterator[str]:
    """Yield wherever it leads."""
    products = [action.product for action in creative.actions or () if action.product]
    pages = [creative.landing_url, *(action.url for action in creative.actions or ())]
    yield from (page for page in (*pages, *(product.url for product in products)) if page is not None)


def _host(page: str) -> str:
    try:
        return urlsplit(page).hostname or ""
    except ValueError:  # brackets that are no address
        return ""


def _is_public(host: str) -> bool:
    """Return whether a host is a name below some other name, in plain ASCII letters: no address, no own machine."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name, _, top = host.rstrip(".").rpartition(".")
        is_local = top in ("local", "localhost", "internal") or NUMBER.fullmatch(top)
        return bool(name) and host.isascii() and "xn--" not in host and not is_local
    return False


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _are_alike(one: Creative, other: Creative) -> bool:
    pairs = ((int(mine, 16), int(theirs, 16)) for mine in one.likeness for theirs in other.likeness)
    return one.sha256 != other.sha256 and any((mine ^ theirs).bit_count() <= LIKE_BITS for mine, theirs in pairs)
