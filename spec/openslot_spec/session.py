"""The protocol without I/O: bytes in, messages out, and what may come when.

    world:  hello ─────────────▶            slots.put · placements.get · exposures.put ▶   bye ▶
    server:        ◀──────────── welcome    ◀ slots.ack · placements · exposures.ack · placements.revoked
    state:  OPENING ── GREETED ──────────── READY ──────────────────────────────────────── CLOSED

Both roles are one class; what differs is the table below. A message that the table does not have is refused with
`wire.unexpected` and leaves the state as it was: an illegal message never makes an illegal state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from openslot_spec.codec import Codec
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_FRAME_BYTES, MAX_HELLO_BYTES
from openslot_spec.messages import BOTH, MESSAGES, SERVER, WORLD, Bye, Error, Hello, Message, Welcome

__all__ = ["MAX_PENDING", "Broadcast", "InvalidBodyError", "Received", "Role", "Session", "State"]

Role = Literal["world", "server"]
MAX_PENDING = 256
"""Requests without an answer, on one connection, at the most."""
ANSWERED = frozenset(asked for message in MESSAGES.values() for asked in message.REPLY_TO)
"""The types of which an answer comes."""


class State(Enum):
    """Where a connection stands."""

    OPENING = auto()
    GREETED = auto()
    READY = auto()
    CLOSED = auto()


def _table() -> dict[tuple[State, Role, type[Message]], State]:
    table: dict[tuple[State, Role, type[Message]], State] = {
        (State.OPENING, "world", Hello): State.GREETED,
        (State.GREETED, "server", Welcome): State.READY,
    }
    senders: tuple[tuple[Role, tuple[type[Message], ...]], ...] = (("world", WORLD), ("server", SERVER))
    for role, messages in senders:
        table |= {(State.READY, role, message): State.READY for message in messages if message not in (Hello, Welcome)}
        for state in (State.OPENING, State.GREETED, State.READY):
            table |= {(state, role, Bye): State.CLOSED, (state, role, Error): state}
    return table


TRANSITIONS = _table()
assert {message for _, _, message in TRANSITIONS} == {*WORLD, *SERVER, *BOTH}  # noqa: S101  every message has a place


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in, legal in this state and valid in itself."""

    id: int
    re: int | None
    body: Message


class Broadcast:
    """A message for many connections: its body is written once for each codec."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self._bodies: dict[str, bytes] = {}

    def body(self, codec: Codec) -> bytes:
        """Return the body's bytes."""
        if codec.name not in self._bodies:
            self._bodies[codec.name] = codec.write(self.message.model_dump(exclude_none=True))
        return self._bodies[codec.name]


class Session:
    """One side of one connection."""

    def __init__(self, role: Role, codec: Codec) -> None:
        self.role: Role = role
        self.peer: Role = "server" if role == "world" else "world"
        self.codec = codec
        self.state = State.OPENING
        self._next_id = 1
        self._last_peer_id = 0
        self._pending: dict[int, str] = {}

    @property
    def limit_bytes(self) -> int:
        """The largest frame that may come in now."""
        return MAX_FRAME_BYTES if self.state is State.READY or self.role == "world" else MAX_HELLO_BYTES

    def send(self, body: Message, re: int | None = None) -> tuple[int, bytes]:
        """Return the id of the new message and the bytes that carry it."""
        after = self._after(self.role, type(body))
        if len(self._pending) >= MAX_PENDING:
            raise OpenSlotError(Code.RATE_LIMITED, f"{MAX_PENDING} requests wait for an answer")
        number, plain = self._next_id, body.model_dump(exclude_none=True)
        asks = {} if re is None else {"re": re}
        data = self.codec.write({"type": body.TYPE, "id": number, **asks, "body": plain})
        if re is None and body.TYPE in ANSWERED:
            self._pending[number] = body.TYPE
        self._next_id += 1
        self.state = after
        return number, data

    def pass_on(self, broadcast: Broadcast) -> bytes:
        """Return the bytes that carry a message which many connections get; nobody answers it."""
        self.state = self._after(self.role, type(broadcast.message))
        head: dict[str, str | int] = {"type": broadcast.message.TYPE, "id": self._next_id}
        self._next_id += 1
        return self.codec.wrap(head, broadcast.body(self.codec))

    def receive(self, data: bytes) -> Received:
        """Return the message in `data`.

        Raises:
            OpenSlotError: `FRAME_TOO_LARGE`, `MALFORMED`, `UNEXPECTED` (close the connection after any of them), or
                `INVALID` as `InvalidBodyError` (the request alone is refused; it carries the request's id).
        """
        envelope = self.codec.decode(data, self.limit_bytes)
        if envelope.id <= self._last_peer_id:
            raise OpenSlotError(Code.UNEXPECTED, f"id {envelope.id} after {self._last_peer_id}", where="id")
        kind = MESSAGES.get(envelope.type)
        if kind is None:
            raise OpenSlotError(Code.UNEXPECTED, f"no message is called {envelope.type!r}", where="type")
        after = self._after(self.peer, kind)
        self._last_peer_id = envelope.id
        try:
            body = kind.read(envelope.body)  # the codec lets no null in
        except OpenSlotError as error:
            raise InvalidBodyError(error, envelope.id) from None
        self._answer(kind, envelope.re)
        self.state = after
        return Received(envelope.id, envelope.re, body)

    def _after(self, sender: Role, kind: type[Message]) -> State:
        try:
            return TRANSITIONS[self.state, sender, kind]
        except KeyError:
            raise OpenSlotError(Code.UNEXPECTED, f"{kind.TYPE} from the {sender} while {self.state.name}") from None

    def _answer(self, kind: type[Message], re: int | None) -> None:
        if not kind.REPLY_TO and kind is not Error:
            return
        asked = self._pending.get(re or 0)
        if asked is None:
            if kind is Error and re is None:
                return
            raise OpenSlotError(Code.UNEXPECTED, f"an answer to {re}, which was not asked", where="re")
        if kind is not Error and asked not in kind.REPLY_TO:
            raise OpenSlotError(Code.UNEXPECTED, f"{kind.TYPE} does not answer {asked}", where="re")
        del self._pending[re or 0]


class InvalidBodyError(OpenSlotError):
    """The body of a known message does not fit its schema; only this request fails."""

    def __init__(self, error: OpenSlotError, request: int) -> None:
        super().__init__(error.code, error.detail, where=error.where)
        self.request = request
