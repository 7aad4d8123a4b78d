from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from openslot_server.reports.queries import Dimension, report_of
from openslot_server.reports.rollups import Rollups
from openslot_spec.messages import Error, ExposuresAck, ExposuresPut, Placement
from openslot_spec.records import Money
from tests.faults import recount
from tests.faults.databases import as_database
from tests.server.market import Market, exposures

SLOTS = ("north", "south")
PLACEMENT_MS = 10_000
SESSIONS = 64
BY: tuple[Dimension, ...] = get_args(Dimension)
VIEWERS = st.lists(st.integers(0, 3), min_size=1, max_size=5)
SPOOLED = st.lists(st.tuples(VIEWERS, st.sampled_from([0, 20_000, None])), min_size=1, max_size=3)
"""Who saw it, and after how long the batch arrives (None: some day, or never)."""


@dataclass
class Oracle:
    """What an honest accountant writes down: which viewer saw which placement, and what each was promised."""

    seen: set[tuple[bytes, int]] = field(default_factory=set)
    price: dict[bytes, int] = field(default_factory=dict)
    funded: Counter[str] = field(default_factory=Counter)
    views: dict[bytes, set[tuple[bytes, int]]] = field(default_factory=dict)
    """What each batch in the spool says."""


class Books(RuleBasedStateMachine):
    """Whatever worlds, advertisers, time and crashes do, no budget is overspent and the books balance."""

    batches = Bundle("batches")

    @initialize(fee_ppm=st.sampled_from([0, 1, 100_000, 333_333, 1_000_000]))
    def open_the_market(self, fee_ppm: int) -> None:
        self.market = Market(placement_ms=PLACEMENT_MS, settle_grace_ms=5_000, late_ms=60_000, platform_fee_ppm=fee_ppm)
        self.oracle = Oracle()
        self.rollups = Rollups()
        for slot in SLOTS:
            self.market.slot(slot)
        self.an_advertiser_funds_a_line_item(1_000, 6, "aurora")

    @rule(
        price=st.integers(1, 5_000),
        impressions=st.integers(1, 8),
        advertiser=st.sampled_from(["aurora", "boreal"]),
        rest=st.integers(0, 5_000),
    )
    def an_advertiser_funds_a_line_item(self, price: int, impressions: int, advertiser: str, rest: int = 0) -> None:
        """Its budget need not be so many prices: what is left of less than one buys nothing."""
        budget = Money(micros=price * impressions + rest)
        line_item = self.market.line_item(price, impressions, advertiser, budget=budget)
        self.oracle.funded[line_item.id] = line_item.budget.micros

    @rule(target=batches, slot=st.sampled_from(SLOTS), expected=st.integers(1, 4), spooled=SPOOLED)
    def viewers_look(self, slot: str, expected: int, spooled: list[tuple[list[int], int | None]]) -> Any:
        batches = []
        for placement in self.market.ask(slot, viewers=expected).placements:
            claim = self.market.rooms.budgets.placements[placement.id.hex()]
            self.oracle.price[placement.id] = claim.price_micros
            seen_ms, others = self.market.now_ms, 10 * len(self.oracle.price)  # nobody sees two ads in one moment
            for numbers, wait_ms in spooled:
                viewers = [others + number for number in numbers]
                batch = exposures(self.market, [placement.ticket], viewer=viewers, at_ms=seen_ms)
                self.oracle.views[batch.batch] = {(placement.id, viewer) for viewer in viewers}
                batches.append(batch)
                if wait_ms is not None:
                    self.market.pass_time(wait_ms)
                    self.a_batch_arrives(batch, is_disputed=False)
        return multiple(*batches)

    @rule(batch=batches, is_disputed=st.booleans())
    def a_batch_arrives(self, batch: ExposuresPut, is_disputed: bool) -> None:
        before = self.market.rooms.ledger.seq
        ack = self.market.say(batch)
        assert isinstance(ack, ExposuresAck)
        assert self.market.rooms.ledger.seq == before + (not ack.repeated)
        if ack.accepted:
            self.oracle.seen |= self.oracle.views[batch.batch]
        if is_disputed:
            other = exposures(self.market, batch.tickets, batch.batch, viewer=[99])
            assert isinstance(self.market.say(other), Error)

    @rule(ms=st.sampled_from([500, 20_000, 70_000]), crash=st.booleans())
    def time_passes(self, ms: int, crash: bool) -> None:
        self.market.pass_time(ms)
        if crash:
            before = self.market.rooms
            self.market.restart()
            assert self.market.rooms.ledger.sha256 == before.ledger.sha256
            assert self.market.rooms.budgets.line_items == before.budgets.line_items

    @rule()
    def somebody_asks_for_a_report(self) -> None:
        with self.market.store.read() as reader:
            self.rollups.read(reader)

    @invariant()
    def nothing_is_overspent(self) -> None:
        for name, budget in self.market.rooms.budgets.line_items.items():
            assert min(budget.left, budget.reserved, budget.spent) >= 0
            assert budget.left + budget.reserved + budget.spent == self.oracle.funded[name]

    @invariant()
    def the_books_hold_and_agree_with_memory(self) -> None:
        books = self.market.books()
        balances = {name: micros for name, micros in self.market.rooms.ledger.balances.items() if micros}
        assert {name: micros for name, micros in books.ledger.balances.items() if micros} == balances
        assert books.budgets.line_items == self.market.rooms.budgets.line_items

    def teardown(self) -> None:
        """The report says what the accountant wrote down, and what two recounts from the first row on find."""
        self.somebody_asks_for_a_report()
        with closing(as_database(self.market.store)) as database:
            for by in BY:
                report = report_of(self.rollups, "USD", by)
                assert report == self.market.report(by)
                assert report.plain() == recount.report(database, by, self.market.settings.platform_fee_ppm)
        totals = self.market.report().totals
        assert totals.viewable == len(self.oracle.seen)
        worth = sum(self.oracle.price[placement] for placement, _ in self.oracle.seen)
        assert totals.spend_micros == totals.revenue_micros + totals.fee_micros <= worth
        if not totals.free:
            assert totals.spend_micros == worth
        paid = totals.viewable - totals.free
        assert paid * min(self.oracle.price.values(), default=0) <= totals.spend_micros


class Crowd(Books):
    """The same, and now and then 64 sessions at once, each with open placements, want more than there is money for."""

    @rule(
        target=Books.batches,
        asking=st.permutations(range(SESSIONS)),
        telling=st.permutations(range(SESSIONS)),
        parts=st.tuples(st.integers(0, SESSIONS), st.integers(0, SESSIONS)),
        wait_ms=st.sampled_from([0, 12_000, 70_000]),
        impressions=st.integers(40, 150),
    )
    def sixty_four_sessions_look(
        self, asking: list[int], telling: list[int], parts: tuple[int, int], wait_ms: int, impressions: int
    ) -> Any:
        self.an_advertiser_funds_a_line_item(5_003, impressions, "boreal", 5_002)
        batches: dict[int, list[ExposuresPut]] = {}
        for session in asking:
            placements = self.market.ask("north", viewers=1 + session % 3, session=f"s{session}").placements
            batches[session] = [self._spool(each, [20_000 + session], session % 2) for each in placements]
        assert 3 * sum(map(len, batches.values())) >= impressions  # each holds three at the most
        soon, later = sorted(parts)
        for session in telling[:soon]:
            self._tell(session, batches[session])
        self.market.pass_time(wait_ms)
        for session in telling[soon:later]:
            self._tell(session, batches[session])
        return multiple(*(batch for session in telling[later:][:4] for batch in batches[session]))

    def _spool(self, placement: Placement, viewers: list[int], more: int) -> ExposuresPut:
        self.oracle.price[placement.id] = self.market.rooms.budgets.placements[placement.id.hex()].price_micros
        viewers = [viewer + SESSIONS * extra for viewer in viewers for extra in range(more + 1)]
        batch = exposures(self.market, [placement.ticket], viewer=viewers)
        self.oracle.views[batch.batch] = {(placement.id, viewer) for viewer in viewers}
        return batch

    def _tell(self, session: int, batches: list[ExposuresPut]) -> None:
        for batch in batches:
            ack = self.market.say(batch, session=f"s{session}")
            assert isinstance(ack, ExposuresAck)
            if ack.accepted:
                self.oracle.seen |= self.oracle.views[batch.batch]


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
