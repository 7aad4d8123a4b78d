from __future__ import annotations

from openslot_server.storage.store import AnswerRow
from openslot_spec.messages import Placements, PlacementsGet
from tests.server.market import Market

REQUEST = bytes(range(240, 256))


def opened() -> Market:
    market = Market()
    market.slot()
    market.line_item(price=2_000, impressions=10)
    return market


def ask(market: Market, session: str = "s1", request: bytes = REQUEST, viewers: int = 3) -> Placements:
    reply = market.say(PlacementsGet(slots=("north",), viewers=viewers, request=request), session=session)
    assert isinstance(reply, Placements), reply
    return reply


def reserved(market: Market) -> int:
    return sum(claim.held for claim in market.rooms.budgets.placements.values())


def test_a_request_that_is_sent_again_gets_the_same_answer_and_reserves_once() -> None:
    market = opened()
    first = ask(market)
    market.pass_time(5_000)
    assert ask(market) == first
    market.restart()
    assert ask(market) == first
    assert reserved(market) == 3
    assert market.report().totals.requests == 1
    assert market.books()


def test_another_request_or_another_session_is_decided_for_itself() -> None:
    market = opened()
    answers = [ask(market), ask(market, request=bytes(16)), ask(market, session="s2")]
    assert len({answer.placements[0].id for answer in answers}) == 3
    assert reserved(market) == 9


def test_an_id_that_was_used_for_another_request_is_refused() -> None:
    market = opened()
    ask(market)
    error = market.refused(PlacementsGet(slots=("north",), viewers=4, request=REQUEST))
    assert (error.code, error.where) == ("wire.invalid", "request")
    assert reserved(market) == 3


def test_an_answer_is_forgotten_with_its_placements() -> None:
    market = opened()
    first = ask(market)
    market.pass_time(market.settings.placement_ms)
    second = ask(market)
    assert second.placements[0].id != first.placements[0].id
    market.restart()
    assert ask(market) == second
    market.pass_time(market.settings.placement_ms)
    assert not market.rooms.answers._given
    assert not list(market.store.load(AnswerRow))


def test_no_ad_is_decided_anew() -> None:
    market = Market()
    market.slot()
    assert not ask(market).placements
    market.line_item()
    assert ask(market).placements
