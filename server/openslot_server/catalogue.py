"""The catalogue: which slots each world offers, judged one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openslot_server.impressions.stacks import Boards
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.storage.store import SlotRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import RefusedSlot, SlotRevision, SlotsAck
from openslot_spec.profiles import profile
from openslot_spec.slots import Slot

__all__ = ["Catalogue", "Listed"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A slot as it stands in the catalogue."""

    slot: Slot
    revision: str
    since_ms: int


class Catalogue:
    """All worlds' slots."""

    def __init__(self, slots_per_world: int, currency: str, rows: Iterable[SlotRow] = ()) -> None:
        self._limit = slots_per_world
        self._currency = currency
        self._worlds: dict[str, dict[str, Listed]] = {}
        self._removed_ms: dict[tuple[str, str], int] = {}
        """By world and slot, in the order in which they were removed."""
        self._boards: dict[str, Boards] = {}
        self.changes = 0
        """Counts up with each slot that is put or removed."""
        for row in sorted(rows, key=lambda row: row.at_ms):
            if row.record:
                listed = Listed(Slot.model_validate_json(row.record), row.revision, row.at_ms)
                self._worlds.setdefault(row.world, {})[row.id] = listed
            else:
                self._removed_ms[row.world, row.id] = row.at_ms

    def find(self, world: str, slot: str) -> Listed | None:
        """Return a slot of a world, or None."""
        return self._worlds.get(world, {}).get(slot)

    def ended_ms(self, world: str, slot: str, revision: str) -> int | None:
        """Return when a revision ceased to be the slot's; None if it is, 0 if that is too long ago to be known."""
        listed = self.find(world, slot)
        if listed is None:
            return self._removed_ms.get((world, slot), 0)
        return None if listed.revision == revision else listed.since_ms

    def boards(self, world: str) -> Boards:
        """Return the geometry of a world's slots."""
        if world not in self._boards:
            slots = [listed.slot for listed in self._worlds.get(world, {}).values()]
            self._boards[world] = Boards(slots, traffic_rules().stacked)
        return self._boards[world]

    def forget(self, removed_before_ms: int) -> None:
        """Drop the memory of slots that were removed so long ago that no ticket names them."""
        while self._removed_ms and next(iter(self._removed_ms.values())) <= removed_before_ms:
            del self._removed_ms[next(iter(self._removed_ms))]

    def worlds(self) -> list[str]:
        """Return the names of the worlds that have slots, sorted."""
        return sorted(world for world, slots in self._worlds.items() if slots)

    def slots(self, world: str) -> list[Slot]:
        """Return a world's slots, sorted by id."""
        return [listed.slot for _, listed in sorted(self._worlds.get(world, {}).items())]

    def put(self, world: str, records: Sequence[Mapping[str, Any]], now_ms: int) -> tuple[SlotsAck, list[SlotRow]]:
        """Keep the slots that are good; a slot that is as it was makes no row."""
        kept: dict[str, SlotRevision] = {}
        refused: list[RefusedSlot] = []
        rows: list[SlotRow] = []
        for index, record in enumerate(records):
            try:
                slot = self._judge(world, record, kept)
            except OpenSlotError as error:
                refused.append(RefusedSlot(index=index, code=error.code, message=str(error)[:1000]))
                continue
            revision = slot.revision()
            kept[slot.id] = SlotRevision(id=slot.id, revision=revision)
            rows += self._keep(world, Listed(slot, revision, now_ms))
        return SlotsAck(kept=tuple(kept.values()), refused=tuple(refused)), rows

    def remove(self, world: str, ids: Sequence[str], now_ms: int) -> tuple[SlotsAck, list[SlotRow]]:
        """Drop slots; ids that are not there are refused with `SLOT_UNKNOWN`."""
        slots = self._worlds.get(world, {})
        rows: list[SlotRow] = []
        refused: list[RefusedSlot] = []
        for index, slot in enumerate(ids):
            if slots.pop(slot, None) is None:
                message = str(OpenSlotError(Code.SLOT_UNKNOWN, slot))
                refused.append(RefusedSlot(index=index, code=Code.SLOT_UNKNOWN, message=message))
            else:
                self._removed_ms.pop((world, slot), None)
                self._removed_ms[world, slot] = now_ms
                rows.append(SlotRow(world, slot, "", "", now_ms))
        self.changes += 1
        self._boards.pop(world, None)
        return SlotsAck(refused=tuple(refused)), rows

    def _judge(self, world: str, record: Mapping[str, Any], kept: Mapping[str, SlotRevision]) -> Slot:
        if _is_flat(record.get("size")):
            raise OpenSlotError(Code.SLOT_DEGENERATE, "width and height must be positive", where="size")
        slot = Slot.parse(record, Code.SLOT_INVALID)
        for where, names in (("profile", (slot.profile,)), ("also_profiles", slot.also_profiles)):
            try:
                for name in names:
                    profile(name)
            except OpenSlotError as error:
                raise OpenSlotError(Code.SLOT_INVALID, error.detail, where=where) from None
        if slot.floor_cpm.micros and slot.floor_cpm.currency != self._currency:
            raise OpenSlotError(Code.SLOT_INVALID, f"prices are in {self._currency} here", where="floor_cpm/currency")
        if slot.id in kept:
            raise OpenSlotError(Code.SLOT_DUPLICATE, f"{slot.id} stands twice in this message", where="id")
        slots = self._worlds.get(world, {})
        if slot.id not in slots and len(slots) >= self._limit:
            raise OpenSlotError(Code.SLOT_LIMIT, f"{len(slots)} slots, at most {self._limit}")
        return slot

    def _keep(self, world: str, listed: Listed) -> list[SlotRow]:
        slots = self._worlds.setdefault(world, {})
        before = slots.get(listed.slot.id)
        if before is not None and before.revision == listed.revision:
            return []
        slots[listed.slot.id] = listed
        self.changes += 1
        self._boards.pop(world, None)
        record = listed.slot.model_dump_json(exclude_none=True)
        return [SlotRow(world, listed.slot.id, listed.revision, record, listed.since_ms)]


def _is_flat(size: object) -> bool:
    if not isinstance(size, list | tuple):
        return False
    return any(isinstance(side, int | float) and side <= 0 for side in size)
