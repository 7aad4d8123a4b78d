from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from openslot_server.reports.queries import Dimension, Report
from openslot_server.reports.tables import amount, csv_rows, table_rows, why_rows
from openslot_server.sessions import Seat
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.messages import PlacementsGet
from tests.server.market import Market
from tests.server.serving import serving

RENDERED, VIEWABLE, END = EventKind.RENDERED, EventKind.VIEWABLE, EventKind.END


@pytest.fixture(scope="module")
def market() -> Market:
    """Two worlds, two advertisers; 8 views of the north slot, of which 3 counted, one of them free."""
    market = Market()
    market.slot("north")
    market.slot("south")
    market.slot("north", world="arcade")
    market.line_item(price=2_000, impressions=2, advertiser="aurora")
    north = market.place("north", viewers=2).ticket
    market.line_item(price=1_000, impressions=9, advertiser="boreal", targeting={"worlds": ["arcade"]})
    arcade = market.ask("north", world="arcade").placements[0].ticket
    market.ask("south", "attic")
    market.pass_time(10_000)
    market.send(north, kind=RENDERED, viewer=range(8), at_ms=market.now_ms - 5_000, cumulative_ms=0, continuous_ms=0)
    market.send(north, kind=VIEWABLE, viewer=range(3))
    market.send(
        north,
        kind=END,
        viewer=range(8),
        why=[WhyNot.COUNTED] * 3 + [WhyNot.TOO_SHORT] * 3 + [WhyNot.OBSTRUCTED] * 2,
        continuous_ms=[1_000] * 8,
        cumulative_ms=[1_000, 2_000, 4_501] + [1_000] * 5,
    )
    market.send(north, kind=RENDERED, viewer=[0, 1])
    market.send(north, b"forged", ticket=[1, 1], viewer=[50, 51])
    market.send(arcade, world="arcade", viewer=1)
    return market


def rows(report: Report) -> dict[str, tuple[int, int, int, int, int, int]]:
    return {
        "/".join(name for name in (row.world, row.slot, row.advertiser, row.line_item) if name): (
            row.requests,
            row.filled,
            row.rendered,
            row.viewable,
            row.free,
            row.spend_micros,
        )
        for row in report.rows
    }


def test_by_slot(market: Market) -> None:
    report = market.report("slot")
    assert rows(report) == {
        "arcade/north": (1, 1, 0, 1, 0, 1_000),
        "plaza": (0, 0, 0, 0, 0, 0),
        "plaza/attic": (1, 0, 0, 0, 0, 0),
        "plaza/north": (1, 1, 8, 3, 1, 4_000),
        "plaza/south": (1, 0, 0, 0, 0, 0),
    }
    north = next(row for row in report.rows if (row.world, row.slot) == ("plaza", "north"))
    assert north.funnel == {"obstructed": 2, "too_short": 3}
    assert north.mean_exposure_ms == 2_500
    assert (north.revenue_micros, north.fee_micros) == (3_600, 400)
    assert north.refused == {"event.duplicate": 2}
    assert report.totals.refused == {"event.duplicate": 2, "ticket.invalid": 2}
    assert report.totals.no_ad == {"budget_exhausted": 1, "slot_unknown": 1}


def test_by_world(market: Market) -> None:
    assert rows(market.report("world")) == {"arcade": (1, 1, 0, 1, 0, 1_000), "plaza": (3, 1, 8, 3, 1, 4_000)}


def test_by_line_item_and_by_advertiser(market: Market) -> None:
    by_line_item = {"aurora/li-1": (1, 1, 8, 3, 1, 4_000), "boreal/li-2": (1, 1, 0, 1, 0, 1_000)}
    assert rows(market.report("line_item")) == by_line_item
    assert rows(market.report("advertiser")) == {key.split("/")[0]: row for key, row in by_line_item.items()}


@pytest.mark.parametrize("by", ["slot", "world", "line_item", "advertiser"])
def test_totals_are_the_same_whatever_the_rows_are_about(market: Market, by: Dimension) -> None:
    assert market.report(by).totals == market.report("slot").totals


def test_a_world_sees_its_own_rows_and_an_advertiser_its_own(market: Market) -> None:
    assert rows(market.report("world", "arcade")) == {"arcade": (1, 1, 0, 1, 0, 1_000)}
    assert market.report("slot", "arcade").totals.spend_micros == 1_000
    (mine,) = market.report("profile", "aurora").rows
    assert (mine.profile, mine.viewable) == ("iig-2.0-display", 3)
    assert rows(market.report("line_item", "aurora")) == {"aurora/li-1": (1, 1, 8, 3, 1, 4_000)}


def test_a_report_survives_its_own_json(market: Market) -> None:
    report = market.report("slot")
    assert Report.parse(report.plain()) == report


def test_csv_has_the_same_columns_whatever_happened(market: Market) -> None:
    head, *lines = csv_rows(market.report("slot"))
    empty_head, *nothing = csv_rows(Market().report("slot"))
    assert head == empty_head
    assert nothing == []
    assert {len(line) for line in lines} == {len(head)}
    north = dict(zip(head, lines[3], strict=True))
    assert (north["slot"], north["viewable"], north["spend_micros"], north["funnel.too_short"]) == (
        "north",
        3,
        4_000,
        3,
    )


def test_tables_for_people_name_what_occurred(market: Market) -> None:
    head, *lines = table_rows(market.report("slot"))
    counts = ["requests", "filled", "rendered", "viewable", "free", "invalid"]
    assert head == ["world / slot", *counts, "decided", "mean s", "spend"]
    assert lines[-1] == ["total", "4", "2", "8", "4", "1", "2", "33%", "2.5", "0.005"]
    why = dict(why_rows(market.report("slot")))
    assert why["plaza / north"] == "3 too short, 2 obstructed, 2 event.duplicate"
    assert why["plaza / –"] == "2 ticket.invalid"
    assert "1 budget exhausted" in why["total"]
    assert list(why_rows(Market().report("slot"))) == []


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0.00"), (1, "0.000001"), (5_000, "0.005"), (1_500_000, "1.50"), (12_000_000, "12.00")]
)
def test_money_is_written_exactly(micros: int, text: str) -> None:
    assert amount(micros) == text


async def test_a_report_on_rows_that_were_altered_is_refused_until_they_are_as_they_were(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:

        async def report() -> httpx2.Response:
            return await served.ask("operator", "GET", "/v1/reports")

        async def decide() -> None:
            await served.server.awaiting(served.server.answer(Seat("plaza", "s1"), PlacementsGet(slots=("attic",)))[1])

        def say(session: str) -> None:
            with closing(sqlite3.connect(served.server.settings.database)) as database, database:
                database.execute("UPDATE decisions SET session = ? WHERE rowid = 2", (session,))

        await decide()
        assert (await report()).json()["totals"]["requests"] == 1
        await decide()
        say("s2")
        for _ in range(2):
            refused = await report()
            assert (refused.status_code, refused.json()["error"]["code"]) == (500, "ledger.broken")
            assert refused.json()["error"]["where"] == "record 2"
        say("s1")
        assert (await report()).json()["totals"]["requests"] == 2
