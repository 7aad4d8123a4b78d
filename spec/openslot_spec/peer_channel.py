"""What two servers say over one connection, each frame signed for this receiver, this connection and this place in it.

    dialler:  hello (nonce a) ─────────▶                          frame 1, 2, … of channel a·b ▶
    acceptor:                 ◀───────── hello (nonce b, to a)    ◀ frame 1, 2, … of channel a·b

No bytes are believed before their signature, and a frame that was taken from one connection fits no other: encryption
below is expected, and not relied upon for who speaks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

import msgpack
from pydantic import Field

from openslot_spec.codec import MSGPACK
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_FRAME_BYTES
from openslot_spec.messages import Bye, Envelope, Error, Message
from openslot_spec.peering import PEERING
from openslot_spec.servers import Origin, Sealed, Server
from openslot_spec.signing import KEY_BYTES, SIGNATURE_BYTES, Purpose, Signer, verify

__all__ = ["NONCE_BYTES", "WINDOW_MS", "Admit", "PeerChannel", "PeerHello"]

WINDOW_MS = 300_000
"""How far a frame's time may be from the receiver's."""
NONCE_BYTES = 16
PATH = "/v1/socket"


class PeerHello(Message):
    """Either side, first: who it is, and a number that was never used before."""

    TYPE = "peer.hello"
    server: Sealed
    nonce: Annotated[bytes, Field(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    versions: Annotated[
        tuple[Annotated[str, Field(max_length=8)], ...], Field(strict=False, min_length=1, max_length=8)
    ] = ("1",)


SPOKEN: dict[str, type[Message]] = {**PEERING, Error.TYPE: Error, Bye.TYPE: Bye}
Admit = Callable[[Sealed, int], Server]
"""Returns the server behind a description if it may speak here; raises `OpenSlotError` if not."""


class PeerChannel:
    """One side of one connection between servers.

    Args:
        own: our description.
        signer: with our key.
        nonce: `NONCE_BYTES` that were never used before.
        admit: says who may speak to us.
        peer: the origin that is dialled; empty where it dialled us.
    """

    def __init__(self, own: Sealed, origin: str, signer: Signer, nonce: bytes, admit: Admit, peer: str = "") -> None:
        self._own = own
        self._origin = origin
        self._signer = signer
        self._nonce = nonce
        self._admit = admit
        self._is_dialler = bool(peer)
        self._channel = b""
        self._both = b""
        self._sent = self._heard = 0
        self.peer = peer
        self.server: Server | None = None

    @property
    def ready(self) -> bool:
        """Whether both have said hello."""
        return self.server is not None

    def hello(self, now_ms: int) -> bytes:
        """Return the first frame; the acceptor's comes after it has heard the dialler's."""
        return self._frame(PeerHello(server=self._own, nonce=self._nonce), now_ms)

    def send(self, message: Message, now_ms: int) -> bytes:
        """Return the frame of a message; both must have said hello."""
        self._sent += 1
        return self._frame(message, now_ms)

    def receive(self, data: bytes, now_ms: int) -> Message | None:
        """Return the message in a frame; None for the peer's hello, after which there is a `server`.

        Raises:
            OpenSlotError: `FRAME_TOO_LARGE`, `MALFORMED`, `UNSUPPORTED_VERSION`; `FRAME_FOREIGN` for a frame that was
                not made for this receiver, connection, place and time; what says that its signature does not hold, or
                that the server may not speak here. The connection ends with any of them.
        """
        head, signature, body = _parts(data)
        if self.server is None:
            self._greet(head, signature, body, now_ms)
            return None
        self._check(head, signature, body, self.server, now_ms)
        envelope = MSGPACK.decode(body, MAX_FRAME_BYTES)
        kind = SPOKEN.get(envelope.type)
        if kind is None:
            raise OpenSlotError(Code.UNEXPECTED, f"no message between servers is called {envelope.type!r}")
        return kind.read(envelope.body)

    def _greet(self, head: bytes, signature: bytes, body: bytes, now_ms: int) -> None:
        envelope = MSGPACK.decode(body, MAX_FRAME_BYTES)
        if envelope.type != PeerHello.TYPE:
            raise OpenSlotError(Code.UNEXPECTED, f"{envelope.type} before hello")
        hello = PeerHello.read(envelope.body)
        if "1" not in hello.versions:
            raise OpenSlotError(Code.UNSUPPORTED_VERSION, "spoken here: 1", where="versions")
        server = self._admit(hello.server, now_ms)
        if self.peer not in ("", server.origin):
            raise OpenSlotError(Code.FRAME_FOREIGN, "another server answers", where=server.origin)
        self.peer = server.origin
        self._channel = self._nonce if self._is_dialler else b""
        self._check(head, signature, body, server, now_ms)
        mine, theirs = (self._nonce, hello.nonce) if self._is_dialler else (hello.nonce, self._nonce)
        self._both = hashlib.sha256(mine + theirs).digest()[:NONCE_BYTES]
        self.server = server
        self._channel = self._both if self._is_dialler else hello.nonce

    def _check(self, head: bytes, signature: bytes, body: bytes, server: Server, now_ms: int) -> None:
        said = _read_head(head)
        key = said[5]
        server.key(key, now_ms)
        verify(key, Purpose.MESSAGE, head, signature)
        expected = (server.origin, self._origin, self._channel, self._heard, hashlib.sha256(body).digest())
        sender, receiver, channel, count, at_ms, _, digest, path = said
        if (sender, receiver, channel, count, digest) != expected or path != PATH:
            raise OpenSlotError(Code.FRAME_FOREIGN, "made for another receiver, connection or place")
        if abs(at_ms - now_ms) > WINDOW_MS:
            raise OpenSlotError(Code.FRAME_FOREIGN, f"{at_ms - now_ms} ms off; set the clocks", where="at_ms")
        self._heard += 1

    def _frame(self, message: Message, now_ms: int) -> bytes:
        envelope = Envelope(type=message.TYPE, id=self._sent + 1, body=message.model_dump(exclude_none=True))
        body = MSGPACK.encode(envelope)
        digest = hashlib.sha256(body).digest()
        head = bytes(
            msgpack.packb(
                [self._origin, self.peer, self._channel, self._sent, now_ms, self._signer.public, digest, PATH]
            )
        )
        if self._sent == 0 and self.server is not None:
            self._channel = self._both  # the acceptor's hello answers the dialler's; all that follows is of both
        return bytes(msgpack.packb([head, self._signer.sign(Purpose.MESSAGE, head), body]))


Head = tuple[Origin, Origin, bytes, int, int, bytes, bytes, Literal["/v1/socket"]]
KINDS = (str, str, bytes, int, int, bytes, bytes, str)


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return head, signature and body of a frame."""
    if len(data) > MAX_FRAME_BYTES:
        raise OpenSlotError(Code.FRAME_TOO_LARGE, f"{len(data)} bytes, at most {MAX_FRAME_BYTES}")
    head, signature, body = _array(data, (bytes, bytes, bytes))
    if len(signature) != SIGNATURE_BYTES:
        raise OpenSlotError(Code.MALFORMED, "a signature has 64 bytes", where="signature")
    return head, signature, body


def _read_head(head: bytes) -> Head:
    said: Head = _array(head, KINDS)
    if len(said[5]) != KEY_BYTES:
        raise OpenSlotError(Code.MALFORMED, "a key has 32 bytes", where="key")
    return said


def _array(data: bytes, kinds: tuple[type, ...]) -> tuple:  # type: ignore[type-arg]  # of these kinds
    try:
        values = msgpack.unpackb(data, max_array_len=len(kinds), max_map_len=0, max_ext_len=0)
    except (ValueError, msgpack.UnpackException) as error:
        raise OpenSlotError(Code.MALFORMED, str(error)[:200]) from None
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise OpenSlotError(Code.MALFORMED, "not a frame between servers")
    return tuple(values)
