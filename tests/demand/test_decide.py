from __future__ import annotations

import pytest

from openslot_server.demand.decide import read_outcomes
from openslot_server.rooms import ticket_secrets
from openslot_server.storage.store import DecisionRow
from openslot_spec.errors import Code
from openslot_spec.messages import NoAd, PlacementsGet
from openslot_spec.slots import Slot
from openslot_spec.tickets import redeem
from tests.server.market import Market, only_in, pose_of


@pytest.fixture
def market() -> Market:
    market = Market(placement_ms=30_000)
    market.slot("north")
    market.slot("south")
    return market


def reasons(market: Market, *slots: str) -> dict[str, str]:
    return {none.slot: none.reason for none in market.ask(*slots).none}


def test_every_slot_asked_for_gets_one_answer(market: Market) -> None:
    market.line_item()
    answer = market.ask("north", "attic", "south", "north")
    assert [placement.slot for placement in answer.placements] == ["north", "south"]
    assert [(none.slot, none.reason) for none in answer.none] == [("attic", NoAd.SLOT_UNKNOWN)]


def test_the_ticket_says_what_was_decided(market: Market) -> None:
    line_item = market.line_item(price=2_000)
    placement = market.place(viewers=7)
    with market.store.read() as reader:
        ticket = redeem(placement.ticket, ticket_secrets(reader))
    assert (ticket.placement, ticket.world, ticket.session) == (placement.id, "plaza", "s1")
    assert (ticket.line_item, ticket.price_micros, ticket.currency) == (line_item.id, 2_000, "USD")
    assert (ticket.creative, ticket.profile) == (placement.creative.sha256, placement.profile)
    assert ticket.slot_revision == Slot.parse({"id": "north", "size": [4, 2], "pose": pose_of("north")}).revision()
    assert (ticket.audience, ticket.viewers) == ("shared", 7)
    assert (ticket.issued_ms, ticket.expires_ms) == (market.now_ms, placement.expires_ms)
    assert placement.expires_ms == market.now_ms + 30_000


def test_a_placement_is_judged_by_what_its_slot_and_its_line_item_ask_for_too() -> None:
    market = Market()
    market.slot(also_profiles=["mrc-large", "full-view"])
    market.line_item(also_profiles=["full-view", "iig-2.0-display", "roblox-image"])
    placement = market.place()
    assert placement.profile == "iig-2.0-display"
    assert placement.also_profiles == ("mrc-large", "full-view", "roblox-image")


def test_a_slot_and_a_line_item_ask_for_no_profile_that_nobody_knows() -> None:
    market = Market()
    (refused,) = market.slot(also_profiles=["iig-9"]).refused
    assert (refused.code, "also_profiles" in refused.message) == ("slot.invalid", True)
    with pytest.raises(ValueError, match="no profile is called iig-9"):
        market.line_item(also_profiles=["iig-9"])


def test_the_price_of_every_expected_viewer_is_reserved(market: Market) -> None:
    line_item = market.line_item(price=2_000, impressions=10)
    market.ask("north", viewers=7)
    budget = market.rooms.budgets.line_items[line_item.id]
    assert (budget.left, budget.reserved) == (3 * 2_000, 7 * 2_000)


def test_fewer_viewers_are_reserved_when_less_money_is_left_and_then_none(market: Market) -> None:
    market.line_item(price=2_000, impressions=10)
    answers = [market.ask("north", viewers=7) for _ in range(3)]
    with market.store.read() as reader:
        secrets = ticket_secrets(reader)
    viewers = [redeem(placement.ticket, secrets).viewers for answer in answers for placement in answer.placements]
    assert viewers == [7, 3]
    assert answers[2].none[0].reason == NoAd.BUDGET_EXHAUSTED


def test_the_next_bid_gets_the_slot_when_the_best_has_no_money_left(market: Market) -> None:
    best = market.line_item(price=3_000, impressions=1, advertiser="aurora")
    next_best = market.line_item(price=2_000, impressions=9, advertiser="boreal")
    advertisers = [market.place().creative.advertiser for _ in range(3)]
    assert advertisers == [best.advertiser, next_best.advertiser, next_best.advertiser]


def test_two_slots_of_one_request_do_not_spend_the_same_money(market: Market) -> None:
    market.line_item(impressions=3)
    answer = market.ask("north", "south", viewers=3)
    assert len(answer.placements) == 1
    assert answer.none[0].reason == NoAd.BUDGET_EXHAUSTED


def test_an_expired_placement_gives_its_money_back_after_the_grace(market: Market) -> None:
    market.line_item(impressions=1)
    assert market.place()
    market.pass_time(30_000)
    assert reasons(market, "north") == {"north": NoAd.BUDGET_EXHAUSTED}
    market.pass_time(60_000)
    assert market.place()


def test_a_per_viewer_slot_is_placed_for_one_viewer_who_must_be_named(market: Market) -> None:
    market.slot("phone", audience="per_viewer")
    line_item = market.line_item()
    error = market.refused(PlacementsGet(slots=("north", "phone"), viewers=50))
    assert (error.code, error.where) == (Code.INVALID, "viewer")
    assert market.rooms.budgets.line_items[line_item.id].reserved == 0
    shared, own = market.ask("north", "phone", viewers=50, viewer=3).placements
    assert (shared.viewer, own.viewer) == (None, 3)
    assert market.rooms.budgets.line_items[line_item.id].reserved == 51 * 2_000


def test_a_paused_line_item_a_paused_campaign_and_a_revoked_creative_never_serve(market: Market) -> None:
    orders = market.rooms.orders
    line_item = market.line_item()
    assert market.place()
    for paused, running in (
        (orders.step(line_item, "paused"), line_item),
        (orders.step(orders.campaign(line_item.campaign), "paused"), orders.campaign(line_item.campaign)),
    ):
        keep = orders.keep_line_item if paused.id == line_item.id else orders.keep_campaign
        keep(paused, market.now_ms)  # type: ignore[arg-type]  # each with its own record
        assert reasons(market, "north") == {"north": NoAd.NO_DEMAND}
        keep(running, market.now_ms)  # type: ignore[arg-type]  # as above
        assert market.place()
    revoked = orders.creative(line_item.creatives[0]).model_copy(update={"revoked": True})
    orders.keep_creative(revoked, market.now_ms)
    assert reasons(market, "north") == {"north": NoAd.NO_DEMAND}


def test_the_decision_is_kept_with_its_reasons(market: Market) -> None:
    line_item = market.line_item(targeting=only_in("plaza"))
    placement = market.ask("north", "attic").placements[0]
    (row,) = market.store.load(DecisionRow)
    filled, empty = read_outcomes(row)
    assert (row.world, row.session, row.at_ms) == ("plaza", "s1", market.now_ms)
    assert (filled.slot, filled.reason, filled.line_item) == ("north", "", line_item.id)
    assert (filled.placement, filled.viewers) == (placement.id, 1)
    assert (empty.slot, empty.reason) == ("attic", "slot_unknown")


def test_a_restart_in_between_changes_no_decision() -> None:
    def run(*, restarts: bool) -> list[str]:
        market = Market(seed=3)
        market.slot()
        for advertiser in ("aurora", "boreal", "cirrus"):
            market.line_item(impressions=4, advertiser=advertiser)
        seen = []
        for _ in range(12):
            seen.append(market.place().creative.advertiser)
            if restarts:
                market.restart()
        return seen

    assert run(restarts=True) == run(restarts=False)
    assert len(set(run(restarts=False))) == 3
