from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_spec.codec import JSON, MSGPACK, Codec
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.exposures import COLUMNS, DURATIONS, NO_LONGER, RANGES, Event, ExposureColumns, read_events
from openslot_spec.ids import id_time_ms, make_id
from openslot_spec.limits import MAX_FRAME_BYTES, Limits
from openslot_spec.messages import Bye, Envelope, ExposuresPut, Hello, Message, PlacementsGet, Welcome
from openslot_spec.session import MAX_PENDING, Session, State
from openslot_spec.tickets import Ticket, mint, redeem

KEYS = {b"key1": b"\x01" * 32}
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda text: text != "$bin")
values = st.recursive(
    scalars.filter(lambda value: value is not None) | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
@given(body=st.dictionaries(texts, values, max_size=4))
def test_what_is_encoded_is_decoded(codec: Codec, body: dict[str, Any]) -> None:
    envelope = Envelope(type="x", id=1, body=body)
    assert codec.decode(codec.encode(envelope), MAX_FRAME_BYTES) == envelope


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
@given(data=st.binary(max_size=200))
def test_bytes_from_anywhere_are_refused_with_a_code_and_never_crash(codec: Codec, data: bytes) -> None:
    try:
        codec.decode(data, 100)
    except OpenSlotError as error:
        assert error.code in (Code.MALFORMED, Code.FRAME_TOO_LARGE)


HELLO = Hello(versions=("1",), role="world", key="ok_world_123", world="plaza")
WELCOME = Welcome(version="1", session="s", resumed=False, server_time_ms=0, limits=Limits())
sendable = st.sampled_from([HELLO, WELCOME, Bye(), PlacementsGet(slots=("a",))])


@given(messages=st.lists(st.tuples(st.sampled_from(["world", "server"]), sendable), max_size=12))
def test_an_illegal_message_leaves_the_state_as_it_was(messages: list[tuple[str, Message]]) -> None:
    sides = {"world": Session("world", JSON), "server": Session("server", JSON)}
    for sender, message in messages:
        mine, theirs = sides[sender], sides["server" if sender == "world" else "world"]
        before = mine.state, theirs.state
        try:
            _, data = mine.send(message, re=1 if message.REPLY_TO else None)
        except OpenSlotError as error:
            assert error.code is Code.UNEXPECTED
            assert (mine.state, theirs.state) == before
        else:
            theirs.receive(data)
            assert mine.state is theirs.state


def test_requests_without_an_answer_are_bounded() -> None:
    world = Session("world", JSON)
    server = Session("server", JSON)
    server.receive(world.send(HELLO)[1])
    world.receive(server.send(WELCOME, re=1)[1])
    for _ in range(MAX_PENDING):
        world.send(PlacementsGet(slots=("a",)))
    with pytest.raises(OpenSlotError) as refused:
        world.send(PlacementsGet(slots=("a",)))
    assert refused.value.code is Code.RATE_LIMITED
    assert world.state is State.READY


def ticket() -> Ticket:
    return Ticket(
        placement=b"\x00" * 16, world="plaza", session="s", slot="north", slot_revision="ab" * 16, creative="cd" * 32,
        line_item="li", price_micros=5000, currency="USD", audience="shared", viewers=3, profile="mrc-display",
        issued_ms=1, expires_ms=2,
    )  # fmt: skip


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_ticket_with_any_bit_changed_is_refused(place: int, bit: int) -> None:
    token = bytearray(mint(ticket(), KEYS, b"key1"))
    token[place % len(token)] ^= 1 << bit
    with pytest.raises(OpenSlotError) as refused:
        redeem(bytes(token), KEYS)
    assert refused.value.code is Code.TICKET_INVALID


def test_a_ticket_is_what_was_minted() -> None:
    assert redeem(mint(ticket(), KEYS, b"key1"), KEYS) == ticket()


@given(times=st.lists(st.integers(0, 2**47), min_size=2, max_size=5), noise=st.binary(min_size=10, max_size=10))
def test_ids_sort_by_time_and_tell_it(times: list[int], noise: bytes) -> None:
    made = [make_id(time, noise) for time in times]
    assert sorted(made) == [make_id(time, noise) for time in sorted(times)]
    assert [id_time_ms(identifier) for identifier in made] == times


def test_columns_come_back_as_they_were_packed() -> None:
    columns = ExposureColumns.build({name: [1, 1, 1] for name in COLUMNS})
    again = ExposureColumns.unpack(columns.pack(), tickets=2)
    assert len(again) == 3
    assert again.pack() == columns.pack()
    body = ExposuresPut(batch=bytes(16), tickets=(b"t", b"u"), columns=columns.pack())
    assert ExposuresPut.parse(body.model_dump()) == body


def near(name: str) -> st.SearchStrategy[float]:
    low, high = RANGES.get(name, (0, 2**16 - 1))
    if not COLUMNS[name].startswith("<f"):
        limits = np.iinfo(COLUMNS[name])
        edges = {low - 1, low, high, high + 1, limits.min, limits.max}
        return st.sampled_from(sorted(edge for edge in edges if limits.min <= edge <= limits.max))
    return st.sampled_from(
        [low, -0.0, high, np.nextafter(np.float32(high), np.float32(np.inf)), -1e-45, nan, inf, -inf]
    )


def at_least_as_long(name: str) -> set[str]:
    wholes = {whole for part, whole in NO_LONGER if part == name}
    return wholes.union(*(at_least_as_long(whole) for whole in wholes))


@pytest.mark.parametrize("whole", sorted({whole for _, whole in NO_LONGER}))
def test_nothing_is_longer_than_what_it_is_a_part_of(whole: str) -> None:
    figures = {"kind": 1, **dict.fromkeys(DURATIONS, 7)}
    columns = {name: [figures.get(name, 0)] for name in COLUMNS}
    assert len(ExposureColumns.unpack(ExposureColumns.build(columns).pack(), tickets=1)) == 1
    with pytest.raises(OpenSlotError, match=f"longer than {whole}"):
        ExposureColumns.unpack(ExposureColumns.build(columns | {whole: [6]}).pack(), tickets=1)


@given(data=st.data(), count=st.integers(1, 3), name=st.sampled_from(sorted(RANGES)))
def test_columns_are_refused_for_exactly_the_figures_outside_their_ranges(
    data: st.DataObject, count: int, name: str
) -> None:
    good = {"kind": 1, **dict.fromkeys(at_least_as_long(name), RANGES["cumulative_ms"][1])}
    columns = ExposureColumns.build({each: [good.get(each, 0)] * count for each in COLUMNS}).pack()
    values = np.array(data.draw(st.lists(near(name), min_size=count, max_size=count)), COLUMNS[name])
    low, high = RANGES[name]
    outside = [not low <= value <= high for value in values.tolist()]
    for read in (ExposureColumns.unpack, read_events):
        check_refusal(read, columns | {name: values.tobytes()}, name, outside)


def check_refusal(read: Callable[..., object], columns: dict[str, bytes], name: str, outside: list[bool]) -> None:
    try:
        read(columns, tickets=1)
    except OpenSlotError as error:
        assert (error.code, error.where) == (Code.EVENT_OUT_OF_RANGE, f"columns/{name}/{outside.index(True)}")
    else:
        assert not any(outside)


@given(data=st.data(), count=st.integers(1, 9))
def test_events_read_one_by_one_are_those_of_the_columns(data: st.DataObject, count: int) -> None:
    packed = {
        name: data.draw(
            st.binary(min_size=size * count, max_size=size * count) | st.just(bytes([1]) + bytes(size * count - 1))
        )
        for name, size in ((name, np.dtype(code).itemsize) for name, code in COLUMNS.items())
    }
    packed = data.draw(st.sampled_from([packed, packed | {"kind": bytes([1]) * count, "why": bytes(count)}]))
    packed |= data.draw(st.sampled_from([{}, {"evidence": b"any"}, {"viewer": bytes(3)}, {"other": b""}]))
    assert outcome(read_events, packed) == outcome(lambda *a, **k: ExposureColumns.unpack(*a, **k).events(), packed)


def outcome(read: Callable[..., list[Event]], packed: dict[str, bytes]) -> object:
    try:
        return read(packed, tickets=65_536)
    except OpenSlotError as error:
        return error.code, error.where


def test_every_code_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Code)
