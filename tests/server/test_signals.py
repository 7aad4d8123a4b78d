"""What viewers do with ads and say of them: counted once, under the chain, refused with codes, never billed."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from openslot_server.reports.queries import recount
from openslot_server.sessions import Seat
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import (
    Error,
    Feedback,
    FeedbackPut,
    Interaction,
    InteractionsPut,
    Message,
    Placements,
    PlacementsGet,
    SlotsPut,
)
from tests.faults import recount as independent
from tests.server.glbs import board
from tests.server.live import SLOT
from tests.server.serving import NOW_MS, Serving, line_item_draft, serving

DATA = board()
SHA256 = hashlib.sha256(DATA).hexdigest()
SEAT = Seat("plaza", "s")
SHOP = {"id": "shop", "kind": "open_url", "title": "To the shop", "url": "https://aurora.example/"}
MUG = {"id": "mug", "kind": "product", "title": "The mug", "product": {"name": "Mug"}}
ALLOWS = SLOT | {"accepts": {"actions": ["open_url", "product"]}}


async def sold(served: Serving, *actions: dict[str, Any]) -> None:
    """Upload a creative with actions and book it."""
    await served.upload("aurora", DATA)
    await give(served, *actions)
    draft = line_item_draft(await served.campaign(), DATA)
    assert (await served.ask("aurora", "POST", "/v1/line-items", json=draft)).status_code == 201


async def give(served: Serving, *actions: dict[str, Any]) -> None:
    record = {"actions": actions} if actions else {}
    answer = await served.ask("aurora", "PUT", f"/v1/creatives/{SHA256}/actions", json=record)
    assert answer.status_code == 200, answer.text


def said(served: Serving, message: Message, seat: Seat = SEAT) -> Any:
    return served.server.answer(seat, message)[0]


def ticket_for(served: Serving, slot: dict[str, Any] = ALLOWS, viewers: int = 2) -> bytes:
    said(served, SlotsPut(slots=(slot,)))
    answer = said(served, PlacementsGet(slots=("north",), viewers=viewers))
    assert isinstance(answer, Placements)
    return answer.placements[0].ticket


def used(ticket: bytes, *events: tuple[int, str, int], batch: int = 1) -> InteractionsPut:
    """Return a batch of (viewer, action, milliseconds after now)."""
    made = tuple(
        Interaction(ticket=0, viewer=viewer, action=action, at_ms=NOW_MS + ms) for viewer, action, ms in events
    )
    return InteractionsPut(batch=batch.to_bytes(16, "big"), tickets=(ticket,), events=made)


def thought(ticket: bytes, *kinds: str, reason: Any = None, batch: int = 2) -> FeedbackPut:
    made = tuple(Feedback(ticket=0, at_ms=NOW_MS, kind=kind, reason=reason) for kind in kinds)  # type: ignore[arg-type]
    return FeedbackPut(batch=batch.to_bytes(16, "big"), tickets=(ticket,), events=made)


def refusals(ack: Any) -> dict[str, int]:
    return {one.code: one.events for one in ack.refused}


async def report(served: Serving, by: str = "slot") -> Any:
    return (await served.ask("operator", "GET", "/v1/reports", params={"by": by})).json()


async def test_an_interaction_counts_once_however_often_it_comes_and_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await sold(served, SHOP, MUG)
        ticket = ticket_for(served)
        batch = used(ticket, (1, "shop", 0), (1, "mug", 5), (2, "shop", 9), (1, "shop", 10))
        ack = said(served, batch)
        assert (ack.accepted, refusals(ack)) == (3, {"event.duplicate": 1})
        assert said(served, batch) == ack.model_copy(update={"repeated": True})
        await served.server.sweep()
        row = (await report(served))["rows"][0]
        assert (row["slot"], row["interactions"], row["refused"]) == (
            "north",
            {"open_url": 2, "product": 1},
            {"event.duplicate": 1},
        )
        assert row["spend_micros"] == 0
    async with serving(tmp_path) as served:
        assert said(served, batch) == ack.model_copy(update={"repeated": True})
        again = said(served, used(ticket, (2, "shop", 20), (3, "shop", 20), batch=9))
        assert (again.accepted, refusals(again)) == (1, {"event.duplicate": 1})
        await served.server.sweep()
        assert (await report(served, "line_item"))["totals"]["interactions"] == {"open_url": 3, "product": 1}
        with served.server.store.read() as reader:  # what was counted bit by bit is what a recount finds
            assert recount(reader, "USD", "line_item").plain() == await report(served, "line_item")
        fee_ppm = served.server.settings.platform_fee_ppm
        with closing(sqlite3.connect(served.server.settings.database)) as database:  # and what others count
            for by in ("slot", "line_item"):
                assert independent.report(database, by, fee_ppm) == (await report(served, by))


async def test_what_is_not_to_be_used_there_or_then_is_refused_with_a_code(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await sold(served, SHOP, MUG)
        only_pages = ticket_for(served, SLOT)
        ack = said(served, used(only_pages, (1, "shop", 0), (1, "mug", 0), (1, "rocket", 0)))
        assert (ack.accepted, refusals(ack)) == (1, {"action.unknown": 2})
        ack = said(served, used(only_pages, (5, "shop", 60_000), (6, "shop", -60_000), (7, "shop", 10**7), batch=3))
        assert refusals(ack) == {"ticket.expired": 2, "event.out_of_range": 1}
        ack = said(served, used(only_pages[:-1] + b"x", (5, "shop", 0), batch=4))
        assert refusals(ack) == {"ticket.invalid": 1}
        ack = said(served, used(only_pages, (5, "shop", 0), batch=5), Seat("mall", "s"))
        assert refusals(ack) == {"ticket.foreign": 1}
        conflict = said(served, used(only_pages, (8, "shop", 0)))
        assert (conflict.code, conflict.where) == ("batch.conflict", "batch")
        beyond = InteractionsPut(
            batch=bytes(16), tickets=(only_pages,), events=(Interaction(ticket=1, viewer=1, at_ms=0, action="shop"),)
        )
        answer = said(served, beyond)
        assert isinstance(answer, Error)
        assert answer.code == "batch.invalid"
        await served.server.sweep()
        worlds = {row["world"]: row["refused"] for row in (await report(served, "world"))["rows"]}
        assert worlds["mall"] == {"ticket.foreign": 1}
        assert sum(worlds["plaza"].values()) == 6


async def test_feedback_counts_without_anybodys_name_and_no_more_than_there_are_viewers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await sold(served)
        ticket = ticket_for(served, viewers=2)
        ack = said(served, thought(ticket, "like", "like", "like", "not_for_me"))
        assert (ack.accepted, refusals(ack)) == (3, {"traffic.too_often": 1})
        assert said(served, thought(ticket, "report", reason="misleading", batch=7)).accepted == 1
        await served.server.sweep()
        totals = (await report(served, "advertiser"))["totals"]
        assert totals["feedback"] == {"like": 2, "not_for_me": 1, "report.misleading": 1}
        assert "viewer" not in Feedback.model_fields


async def test_a_world_is_told_of_the_actions_that_its_slot_allows_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await sold(served, SHOP, MUG)
        for accepts, kinds in (
            ({}, ["open_url"]),
            ({"actions": []}, []),
            ({"actions": ["product", "wish"]}, ["product"]),
        ):
            said(served, SlotsPut(slots=(SLOT | {"accepts": accepts},)))
            (placement,) = said(served, PlacementsGet(slots=("north",))).placements
            assert [action.kind for action in placement.creative.actions or ()] == kinds


async def test_actions_that_change_are_looked_at_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.ask("judge", "PUT", "/v1/policy", json={"reviews": True})
        await sold(served, SHOP)
        await served.ask("judge", "PUT", f"/v1/reviews/{SHA256}", json={"state": "approved"})
        await give(served, SHOP)  # no change
        assert (await served.ask("judge", "GET", "/v1/reviews")).json()["items"] == []
        await give(served, SHOP | {"url": "https://elsewhere.example/"})
        (item,) = (await served.ask("judge", "GET", "/v1/reviews")).json()["items"]
        assert item["review"]["reasons"] == ["review.changed"]
        said(served, SlotsPut(slots=(SLOT,)))
        assert said(served, PlacementsGet(slots=("north",))).placements == ()


async def test_an_action_that_leads_to_no_public_host_waits(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await sold(served, SHOP | {"url": "https://192.168.0.1/"})
        (item,) = (await served.ask("judge", "GET", "/v1/reviews")).json()["items"]
        assert item["review"]["reasons"] == ["review.landing_host"]


@pytest.mark.parametrize("harm", ["verdicts", "names", "events", "gone"])
async def test_signals_stand_under_the_ledgers_chain(tmp_path: Path, harm: str) -> None:
    async with serving(tmp_path) as served:
        await sold(served, SHOP)
        said(served, used(ticket_for(served), (1, "shop", 0)))
        await served.server.sweep()
    with sqlite3.connect(tmp_path / "test.sqlite3") as database:
        change = "DELETE FROM signals" if harm == "gone" else f"UPDATE signals SET {harm} = x'90'"  # noqa: S608  ours
        database.execute(change)
    database.close()
    with pytest.raises(OpenSlotError) as broken:
        async with serving(tmp_path):
            pass
    assert broken.value.code is Code.LEDGER_BROKEN
