from __future__ import annotations

from contextlib import closing
from typing import Any, get_args

import pytest

from openslot_server.reports.queries import Dimension
from tests.faults import recount
from tests.faults.audit import Terms, complaints
from tests.faults.busy import busy_market
from tests.faults.databases import as_database
from tests.server.market import Market, exposures

BY: tuple[Dimension, ...] = get_args(Dimension)


@pytest.fixture(scope="module")
def market() -> Market:
    return busy_market()


def plain(market: Market, by: Dimension) -> dict[str, Any]:
    return market.report(by).plain()


@pytest.mark.parametrize("by", BY)
def test_two_recounts_written_apart_agree_on_every_figure(market: Market, by: Dimension) -> None:
    with closing(as_database(market.store)) as database:
        assert recount.report(database, by, market.settings.platform_fee_ppm) == plain(market, by)


def test_the_market_has_something_of_everything(market: Market) -> None:
    totals = plain(market, "slot")["totals"]
    assert all(totals[name] for name in ("requests", "filled", "rendered", "viewable", "free", "fee_micros"))
    refused = {"event.duplicate", "event.out_of_range", "ticket.invalid", "ticket.expired", "ticket.foreign"}
    assert set(totals["refused"]) == refused
    assert len(totals["video"]) == 6
    assert {row["profile"] for row in plain(market, "profile")["rows"]} >= {"iig-2.0-display", "mrc-large"}
    assert set(totals["funnel"]) == set(recount.WHY) - {"counted"}


def test_an_empty_database_is_a_report_of_nothing() -> None:
    market = Market()
    with closing(as_database(market.store)) as database:
        assert recount.report(database, "slot", 0) == plain(market, "slot")


def test_honest_books_give_no_complaint(market: Market) -> None:
    with closing(as_database(market.store)) as database:
        assert complaints(database, Terms(5_000, 3_600_000), at_rest=True) == []


HARM = {
    "UPDATE batches SET verdicts = zeroblob(length(verdicts))": "counts",
    "UPDATE batches SET at_ms = at_ms + 9000000000": "after its ticket",
    "DELETE FROM batches WHERE rowid = 2": "batches are not those",
    "UPDATE decisions SET outcomes = (SELECT outcomes FROM decisions WHERE rowid = 1)": "decisions are not those",
    "UPDATE ledger SET record = replace(record, 'payable plaza', 'payable arcade')": "does not follow",
    "DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)": "the chain ends",
    "UPDATE line_items SET record = replace(record, '5997', '5998')": "its accounts hold",
    "DELETE FROM ticket_keys": "without a ticket of its own",
}


@pytest.mark.parametrize("harm", HARM)
def test_the_audit_sees(market: Market, harm: str) -> None:
    with closing(as_database(market.store)) as database:
        assert database.execute(harm).rowcount
        assert any(HARM[harm] in each for each in complaints(database, Terms(5_000, 3_600_000)))


def test_a_reservation_that_is_not_over_is_no_complaint_before_all_are() -> None:
    market = Market()
    market.slot()
    market.line_item()
    market.say(exposures(market, [market.place(viewers=3).ticket]))
    with closing(as_database(market.store)) as database:
        assert complaints(database, Terms(5_000, 1_000)) == []
        assert complaints(database, Terms(5_000, 1_000), at_rest=True) == ["4000 micros of li-1 are still reserved"]
