"""The running server: the rooms together with the store, and what HTTP handlers and the socket may ask of them.

Each method judges, changes the state in memory, and returns once the change is durable.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from openslot_server.audit.examine import Examiner
from openslot_server.audit.trust import Standings, standings
from openslot_server.config import MAX_PLACEMENT_MS, Settings
from openslot_server.demand.caps import DAY_MS
from openslot_server.demand.delivery import Delivery, Told, delivery_of, tell
from openslot_server.demand.model import JUDGED, Campaign, CampaignDraft, Creative, LineItem, LineItemDraft, Status
from openslot_server.impressions.ledger import Entry, Kind
from openslot_server.impressions.postings import funded
from openslot_server.keys import TOKEN_ENTROPY_BYTES, Keyring, Principal, Role, make_token, named, new_key
from openslot_server.reports.queries import Dimension, Report, report_of
from openslot_server.reports.rollups import Rollups
from openslot_server.rooms import Entropy, Rooms, first_rows, open_rooms, sweep
from openslot_server.service import answer
from openslot_server.sessions import Seat
from openslot_server.storage.awaiting import Awaiting
from openslot_server.storage.store import DecisionRow, GeometryRow, KeyEndRow, KeyRow, Row, Store, TicketKeyRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.ids import make_id
from openslot_spec.messages import Message, PlacementsRevoked
from openslot_spec.slots import Slot

__all__ = ["Clock", "Listener", "Server"]

Order = TypeVar("Order", Campaign, LineItem)
Clock = Callable[[], int]
"""Milliseconds since 1970-01-01 UTC."""
KEYS_READ_AGAIN_MS = 1_000
KEY_ROWS = (KeyRow, KeyEndRow, TicketKeyRow)
"""What other processes may write while a server runs: `openslot keys`."""
STOP_S = 5.0


class Listener(Protocol):
    """A connected world."""

    @property
    def key(self) -> str:
        """The sha-256 of the key it said hello with; empty before that."""
        ...

    def end(self, why: OpenSlotError) -> None:
        """Say why, and close the connection."""
        ...

    def push(self, message: Message) -> None:
        """Send a message that was not asked for."""
        ...

    async def stop(self) -> None:
        """Say `bye` and return once the connection is closed."""
        ...


class Server:
    """What `request.app.state.server` is."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, entropy: Entropy) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.listeners: set[Listener] = set()
        self.awaiting = Awaiting()
        self._is_broken = False
        self._rollups = Rollups()
        self._recounting = ThreadPoolExecutor(1, "openslot-report")
        """One report at a time; each counts only what is new."""
        self._entropy = entropy
        with store.read() as reader:
            rows, self.operator_key = first_rows(reader, settings, clock(), entropy)
        store.commit(rows).result()
        with store.read() as reader:
            self.rooms: Rooms = open_rooms(reader, settings, clock(), entropy)
        self._keyring = Keyring()
        self._key_rows_read = dict.fromkeys(KEY_ROWS, 0)
        self._take_keys(self._added_keys())
        self._examiner = Examiner(self._geometry)

    def answer(self, seat: Seat, message: Message) -> tuple[Message, Future[None]]:
        """Return the answer to a world's request, and when it may be sent.

        Raises:
            OpenSlotError: `INTERNAL` once an answer failed in a way nobody foresaw: what is in memory may then be half
                changed, so nothing is answered until a restart reads what is on disk.
        """
        self.require_sound()
        try:
            reply, rows = answer(self.rooms, seat, message, self.clock())
        except Exception:
            self._is_broken = True
            raise
        return reply, self.store.commit(rows)

    @property
    def healthy(self) -> bool:
        """Whether requests can be answered and made durable; if not, only a restart helps."""
        return not (self._is_broken or self.store.failed)

    def require_sound(self) -> None:
        """Raise `INTERNAL` or `STORAGE_FAILED` once only a restart helps."""
        if self._is_broken:
            raise OpenSlotError(Code.INTERNAL, "start the server again")
        if self.store.failed:
            raise OpenSlotError(Code.STORAGE_FAILED, "start the server again", where=str(self.settings.database))

    async def take_seat(self, world: str, resume: str | None) -> tuple[Seat, bool]:
        """Return a world's session, and whether it is the earlier one."""
        seat, row = self.rooms.sessions.take(world, resume, self.clock(), self._entropy(10))
        await self._commit([row] if row else [])
        return seat, row is None

    async def sweep(self) -> None:
        """Release what expired placements hold."""
        await self._commit(sweep(self.rooms, self.settings.late_ms, self.clock()))

    async def audit(self) -> bool:
        """Examine one case that waits, beside the event loop; returns whether there was one."""
        revealed = self.rooms.audits.next()
        if revealed is None:
            return False
        state, why = await asyncio.to_thread(self._examiner.examine, revealed)
        await self._commit(self.rooms.audits.decide(revealed, state, why, self.clock()))
        return True

    async def read_keys(self) -> None:
        """Take what `openslot keys` wrote: keys that were added or revoked, a secret that signs from now on."""
        self._take_keys(await asyncio.to_thread(self._added_keys))

    async def stop(self) -> None:
        """Say `bye` to every world, and wait for a while until all are gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(listener.stop() for listener in tuple(self.listeners)))

    async def authenticate(self, token: str) -> Principal:
        """Return who holds `token`; raises `KEY_UNKNOWN`. Keys that another process added are found within a second."""
        try:
            return self._keyring.authenticate(token)
        except OpenSlotError:
            if self.clock() < self._keys_read_ms + KEYS_READ_AGAIN_MS:
                raise
        await self.read_keys()
        return self._keyring.authenticate(token)

    async def add_key(self, principal: Principal, role: Role, account: str) -> str:
        """Return a new API key for `account`; operators only. It is never shown again."""
        principal.require("operator")
        token = make_token(role, self._entropy(TOKEN_ENTROPY_BYTES))
        row = new_key(token, role, account, self.clock())
        self._keyring.add(row)
        await self._commit([row])
        return token

    def keys(self, principal: Principal) -> list[KeyRow]:
        """Return the keys that hold; operators only."""
        principal.require("operator")
        return self._keyring.rows

    async def revoke_key(self, principal: Principal, name: str) -> KeyRow:
        """End a key for good, and its connections; operators only.

        Raises:
            OpenSlotError: `KEY_NAME_UNKNOWN`, or `INVALID` for the last operator's key.
        """
        row = named(self.keys(principal), name)
        if row.role == "operator" and sum(other.role == "operator" for other in self._keyring.rows) == 1:
            raise OpenSlotError(Code.INVALID, "the last operator's key; make another one first", where="name")
        end = KeyEndRow(row.sha256, self.clock())
        self._end_key(end)
        await self._commit([end])
        return row

    async def register_creative(self, principal: Principal, creative: Creative) -> Creative:
        """Return the creative as kept; its bytes must be in the library already.

        Raises:
            OpenSlotError: `ROLE_FORBIDDEN`, or `CREATIVE_REFUSED` if it is revoked or another advertiser's.
        """
        principal.require_account("advertiser", creative.advertiser)
        await self._commit([self.rooms.orders.keep_creative(creative, self.clock())])
        return creative

    def creative(self, sha256: str) -> Creative:
        """Return a creative; raises `CREATIVE_UNKNOWN`."""
        return self.rooms.orders.creative(sha256)

    def creatives(self, principal: Principal) -> list[Creative]:
        """Return the principal's creatives; all of them for an operator."""
        return _own(principal, self.rooms.orders.creatives.values())

    async def revoke_creative(self, principal: Principal, sha256: str, reason: str) -> Creative:
        """Revoke a creative for good and push `placements.revoked` to every connected world."""
        creative = self.creative(sha256)
        principal.require_account("advertiser", creative.advertiser)
        revoked = creative.model_copy(update={"revoked": True})
        await self._commit([self.rooms.orders.keep_creative(revoked, self.clock())])
        for listener in tuple(self.listeners):
            listener.push(PlacementsRevoked(creative=sha256, reason=reason))
        return revoked

    def revocations(self) -> list[PlacementsRevoked]:
        """Return what a world that comes back must hear: the creatives revoked within a placement's longest life."""
        since_ms = self.clock() - MAX_PLACEMENT_MS
        return [PlacementsRevoked(creative=sha256) for sha256 in self.rooms.orders.revoked_since(since_ms)]

    async def create_campaign(self, principal: Principal, draft: CampaignDraft, once: str | None = None) -> Campaign:
        """Return the new campaign, or the one made with the same `once`; raises `ONCE_REUSED` if that differs."""
        advertiser = draft.advertiser or principal.account
        if draft.advertiser is None and principal.role == "operator":
            raise OpenSlotError(Code.INVALID, "an operator must name one", where="advertiser")
        principal.require_account("advertiser", advertiser)
        campaign = Campaign(id=self._name("cmp", advertiser, once), advertiser=advertiser, name=draft.name)
        if campaign.id in self.rooms.orders.campaigns:
            return await self._repeated(self.rooms.orders.campaigns[campaign.id], campaign)
        await self._commit([self.rooms.orders.keep_campaign(campaign, self.clock())])
        return campaign

    def campaigns(self, principal: Principal) -> list[Campaign]:
        """Return the principal's campaigns; all of them for an operator."""
        return _own(principal, self.rooms.orders.campaigns.values())

    async def set_campaign_status(self, principal: Principal, campaign: str, status: Status) -> Campaign:
        """Return the campaign after the step; raises `CAMPAIGN_UNKNOWN`, or `INVALID` for a step the table lacks."""
        orders = self.rooms.orders
        before = orders.campaign(campaign)
        principal.require_account("advertiser", before.advertiser)
        if JUDGED.intersection((before.status, status)):
            principal.require("operator")
        after = orders.step(before, status)
        await self._commit([orders.keep_campaign(after, self.clock())])
        return after

    async def create_line_item(self, principal: Principal, draft: LineItemDraft, once: str | None = None) -> LineItem:
        """Return the new line item, its budget funded in the ledger, or the one made with the same `once`.

        Raises:
            OpenSlotError: `CAMPAIGN_UNKNOWN`, `LINE_ITEM_INVALID` naming the field, or `ONCE_REUSED`.
        """
        rooms, now_ms = self.rooms, self.clock()
        advertiser = rooms.orders.campaign(draft.campaign).advertiser
        principal.require_account("advertiser", advertiser)
        name = self._name("li", advertiser, once)
        if name in rooms.orders.line_items:
            made = LineItem(**dict(draft), id=name, advertiser=advertiser)
            return await self._repeated(rooms.orders.line_items[name], made)
        line_item = rooms.orders.admit(draft, name, now_ms)
        lot = rooms.budgets.fund(line_item.id, line_item.budget.currency, line_item.budget.micros)
        entry = Entry(Kind.FUND, now_ms, line_item.id, funded(lot, line_item.advertiser), (lot,))
        await self._commit([rooms.orders.keep_line_item(line_item, now_ms), *rooms.ledger.append(entry)])
        return line_item

    def line_items(self, principal: Principal) -> list[LineItem]:
        """Return the principal's line items; all of them for an operator."""
        return _own(principal, self.rooms.orders.line_items.values())

    async def set_line_item_status(self, principal: Principal, line_item: str, status: Status) -> LineItem:
        """Return the line item after the step; raises `LINE_ITEM_UNKNOWN`, or `INVALID`."""
        orders = self.rooms.orders
        before = orders.line_item(line_item)
        principal.require_account("advertiser", before.advertiser)
        if JUDGED.intersection((before.status, status)):
            principal.require("operator")
        after = orders.step(before, status)
        await self._commit([orders.keep_line_item(after, self.clock())])
        return after

    async def delivery(self, principal: Principal, line_item: str, world: str | None, slot: str | None) -> Delivery:
        """Return what became of the last day's requests for a line item, in one world or slot if named."""
        kept = self.rooms.orders.line_item(line_item)
        principal.require_account("advertiser", kept.advertiser)
        since_ms = max(0, self.clock() - DAY_MS)
        told = await asyncio.to_thread(self._tell, kept, since_ms)
        chosen = Counter(
            {one: count for one, count in told.items() if world in (None, one.world) and slot in (None, one.slot)}
        )
        return delivery_of(chosen, kept, self.rooms.decider, since_ms)

    def _tell(self, line_item: LineItem, since_ms: int) -> Counter[Told]:
        with self.store.read() as reader:
            flight = line_item.from_ms, line_item.to_ms
            return tell(reader.load(DecisionRow), line_item.id, flight, since_ms)

    def worlds(self, principal: Principal) -> list[str]:
        """Return the names of the worlds that registered slots: the principal's own, or all for an operator."""
        principal.require("world")
        return [
            world
            for world in self.rooms.catalogue.worlds()
            if principal.role == "operator" or world == principal.account
        ]

    def slots(self, principal: Principal, world: str) -> list[Slot]:
        """Return the slots of a world as registered."""
        principal.require_account("world", world)
        return self.rooms.catalogue.slots(world)

    async def report(self, principal: Principal, by: Dimension) -> Report:
        """Return the recount of what is the principal's: worlds by slot or world, advertisers by the others."""
        principal.require("world" if by in ("slot", "world") else "advertiser")
        only = None if principal.role == "operator" else principal.account
        return await asyncio.get_running_loop().run_in_executor(self._recounting, self._recount, by, only)

    async def standings(self, principal: Principal) -> Standings:
        """Return how far each world's claims held when they were examined; operators only."""
        principal.require("operator")
        return await asyncio.to_thread(self._standings)

    def _recount(self, by: Dimension, only: str | None) -> Report:
        try:
            with self.store.read() as reader:
                self._rollups.read(reader)
        except Exception:
            self._rollups = Rollups()  # half read; the next report finds the same again
            raise
        return report_of(self._rollups, self.settings.currency, by, only)

    def _standings(self) -> Standings:
        with self.store.read() as reader:
            return standings(reader)

    def _geometry(self, world: str, sha256: bytes) -> bytes | None:
        with self.store.read() as reader:
            row = reader.find(GeometryRow, world=world, sha256=sha256)
            return None if row is None else row.data

    def _added_keys(self) -> dict[type[Row], tuple[int, list[Any]]]:
        with self.store.read() as reader:
            return {kind: (read, list(reader.load(kind, read))) for kind, read in self._key_rows_read.items()}

    def _take_keys(self, added: Mapping[type[Row], tuple[int, list[Any]]]) -> None:
        """Take new keys, ends and ticket secrets; what is known already is no change."""
        self._keys_read_ms = self.clock()
        self._key_rows_read = {kind: read + len(rows) for kind, (read, rows) in added.items()}
        for end in added[KeyEndRow][1]:
            self._end_key(end)
        for row in added[KeyRow][1]:
            self._keyring.add(row)
        for secret in added[TicketKeyRow][1]:
            self.rooms.keys.add(secret)

    def _end_key(self, end: KeyEndRow) -> None:
        self._keyring.end(end)
        for listener in tuple(self.listeners):
            if listener.key == end.sha256:
                listener.end(OpenSlotError(Code.KEY_UNKNOWN, "it was revoked"))

    async def _commit(self, rows: Sequence[Row]) -> None:
        self.require_sound()
        await self.awaiting(self.store.commit(rows))

    async def _repeated(self, known: Order, made: Order) -> Order:
        """Return what is known under this name, once it is durable; raises `ONCE_REUSED` if other things were said."""
        if made.model_copy(update={"status": known.status}) != known:
            raise OpenSlotError(Code.ONCE_REUSED, known.id, where="Idempotency-Key")
        await self._commit([])
        return known

    def _name(self, prefix: str, account: str, once: str | None) -> str:
        """Return a new name, or the one that `account` and `once` always make."""
        if once is None:
            return f"{prefix}-{make_id(self.clock(), self._entropy(10)).hex()}"
        return f"{prefix}-{hashlib.sha256(f'{account} {once}'.encode()).hexdigest()[:32]}"


def _own(principal: Principal, records: Iterable[Any]) -> list[Any]:
    principal.require("advertiser")
    return [one for one in records if principal.role == "operator" or one.advertiser == principal.account]
