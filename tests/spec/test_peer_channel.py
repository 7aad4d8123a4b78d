from __future__ import annotations

from random import Random

import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.peer_channel import WINDOW_MS, PeerChannel
from openslot_spec.peering import CatalogueHave
from openslot_spec.servers import Sealed, Server
from tests.federation.mesh import EPOCH_MS, description, server, signer

HAVE = CatalogueHave()


def admit(sealed: Sealed, now_ms: int) -> Server:
    found = sealed.open(now_ms, WINDOW_MS)
    if found.origin not in {server(number).origin for number in (0, 1, 2)}:
        raise OpenSlotError(Code.PEER_UNAPPROVED, where=found.origin)
    return found


def channel(number: int, nonce: int, peer: int | None = None) -> PeerChannel:
    dialled = "" if peer is None else server(peer).origin
    return PeerChannel(description(number), server(number).origin, signer(number), bytes([nonce] * 16), admit, dialled)


def pair(first: int = 1, second: int = 2) -> tuple[PeerChannel, PeerChannel]:
    dialler, acceptor = channel(0, first, 1), channel(1, second)
    assert acceptor.receive(dialler.hello(EPOCH_MS), EPOCH_MS) is None
    assert dialler.receive(acceptor.hello(EPOCH_MS), EPOCH_MS) is None
    return dialler, acceptor


def test_two_servers_greet_and_speak_in_both_directions() -> None:
    dialler, acceptor = pair()
    assert (dialler.peer, acceptor.peer) == (server(1).origin, server(0).origin)
    for sender, receiver in ((dialler, acceptor), (acceptor, dialler), (dialler, acceptor)):
        assert receiver.receive(sender.send(HAVE, EPOCH_MS), EPOCH_MS) == HAVE


@pytest.mark.parametrize("skew_ms", [-WINDOW_MS, WINDOW_MS])
def test_clocks_may_be_five_minutes_apart(skew_ms: int) -> None:
    dialler, acceptor = pair()
    assert acceptor.receive(dialler.send(HAVE, EPOCH_MS), EPOCH_MS + skew_ms) == HAVE


@pytest.mark.parametrize("skew_ms", [-3_600_000, 3_600_000, -WINDOW_MS - 1, WINDOW_MS + 1])
def test_an_hour_off_is_refused(skew_ms: int) -> None:
    dialler, acceptor = pair()
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        acceptor.receive(dialler.send(HAVE, EPOCH_MS), EPOCH_MS + skew_ms)


def test_a_frame_that_comes_twice_or_out_of_its_place_is_refused() -> None:
    dialler, acceptor = pair()
    frame, next_frame = dialler.send(HAVE, EPOCH_MS), dialler.send(HAVE, EPOCH_MS)
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        acceptor.receive(next_frame, EPOCH_MS)
    acceptor.receive(frame, EPOCH_MS)
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        acceptor.receive(frame, EPOCH_MS)


def test_a_frame_of_one_connection_fits_no_other() -> None:
    dialler, _ = pair()
    frame = dialler.send(HAVE, EPOCH_MS)
    other_dialler, other_acceptor = pair(first=1, second=9)
    assert other_dialler.ready
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        other_acceptor.receive(frame, EPOCH_MS)


def test_a_frame_carried_to_a_third_server_is_refused() -> None:
    hello = channel(0, 1, 1).hello(EPOCH_MS)
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        channel(2, 3).receive(hello, EPOCH_MS)


def test_a_hello_said_again_opens_nothing() -> None:
    dialler = channel(0, 1, 1)
    hello = dialler.hello(EPOCH_MS)
    first, second = channel(1, 2), channel(1, 3)
    first.receive(hello, EPOCH_MS)
    dialler.receive(first.hello(EPOCH_MS), EPOCH_MS)
    second.receive(hello, EPOCH_MS)  # whoever says it again has no answer to what follows
    second.hello(EPOCH_MS)
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        second.receive(dialler.send(HAVE, EPOCH_MS), EPOCH_MS)


def test_another_server_at_the_address_is_refused() -> None:
    dialler, acceptor = channel(0, 1, 1), channel(2, 2)
    stranger = channel(2, 2, 0)  # knows nothing of the dialler's nonce
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        dialler.receive(stranger.hello(EPOCH_MS), EPOCH_MS)
    with pytest.raises(OpenSlotError, match=Code.FRAME_FOREIGN):
        acceptor.receive(dialler.hello(EPOCH_MS), EPOCH_MS)


def test_a_server_that_nobody_approved_may_not_speak() -> None:
    with pytest.raises(OpenSlotError, match=Code.PEER_UNAPPROVED):
        channel(1, 2).receive(channel(7, 1, 1).hello(EPOCH_MS), EPOCH_MS)


def test_no_flipped_bit_passes() -> None:
    chance = Random(3)  # noqa: S311  that it can be foretold is the point
    for _ in range(300):
        dialler, acceptor = pair()
        frame = bytearray(dialler.send(HAVE, EPOCH_MS))
        bit = chance.randrange(8 * len(frame))
        frame[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OpenSlotError):
            acceptor.receive(bytes(frame), EPOCH_MS)


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x93\xc4\x00\xc4\x00\xc4\x00", b"\xdd\xff\xff\xff\xff", b"\x80" * 50])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(OpenSlotError, match=Code.MALFORMED):
        channel(1, 2).receive(data, EPOCH_MS)
