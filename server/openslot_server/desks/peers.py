"""The desk of peers: who they are, who may speak here, what they are told, and what they offer.

What our feeds say is durable before anybody hears of it: otherwise a server that crashes would say another thing under
the same number, which is proof against it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from openslot_server.core import Core
from openslot_server.federation.room import Federation, PeerState, Said
from openslot_server.federation.sharing import Share
from openslot_server.keys import Principal
from openslot_server.storage.store import PeerRow, Row, ServerKeyRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.feeds import Feed
from openslot_spec.peer_channel import NONCE_BYTES, PeerChannel
from openslot_spec.peering import PeerMessage
from openslot_spec.servers import Sealed
from openslot_spec.servers import Server as Description
from openslot_spec.signing import KEY_BYTES, Signer
from openslot_spec.slots import Slot

__all__ = ["Peer", "PeerDesk"]


class Peer(Protocol):
    """A connected peer."""

    @property
    def origin(self) -> str:
        """Who it is."""
        ...

    def put(self, message: PeerMessage) -> None:
        """Send a message in its turn."""
        ...

    def end(self, why: OpenSlotError) -> None:
        """Say why, and close the connection."""
        ...


class PeerDesk:
    """Speaks with peers, and with the operator about them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turn = asyncio.Lock()
        self.links: dict[str, Peer] = {}

    @property
    def description(self) -> Sealed:
        """What we say of ourselves."""
        sealed = self._federation.identity.sealed
        assert sealed is not None  # noqa: S101  said when the rooms were opened
        return sealed

    def channel(self, peer: str = "") -> PeerChannel:
        """Return our side of a new connection: to a peer that is dialled, or from one that dials."""
        identity, nonce = self._federation.identity, self._core.entropy(NONCE_BYTES)
        return PeerChannel(self.description, identity.origin, identity.signer, nonce, self._federation.admit, peer)

    def dialled(self) -> list[PeerRow]:
        """Return the approved peers with an address that are not connected."""
        known = self._federation.peers.values()
        return [peer for peer in known if peer.state == "approved" and peer.url and peer.origin not in self.links]

    async def opened(self, peer: Peer) -> None:
        """Take a connection on which both have said hello; an older one with the same peer ends."""
        async with self._turn:
            if (before := self.links.pop(peer.origin, None)) is not None:
                before.end(OpenSlotError(Code.SHUTTING_DOWN, "connected anew"))
            self.links[peer.origin] = peer
            await self._say(self._federation.sync.open(peer.origin), self._federation.share(self._core.clock()))

    def closed(self, peer: Peer) -> None:
        """Forget a connection that ended."""
        if self.links.get(peer.origin) is peer:
            del self.links[peer.origin]
            self._federation.sync.close(peer.origin)

    async def received(self, peer: Peer, message: PeerMessage) -> None:
        """Take a peer's message, and tell it and others what follows."""
        async with self._turn:
            if self.links.get(peer.origin) is peer:
                await self._say(*self._federation.receive(peer.origin, message, self._core.clock()))

    async def waits(self, sealed: Sealed) -> None:
        """Put a server that said hello and that nobody approved on the operator's list."""
        async with self._turn:
            _, rows = self._federation.meet(sealed, "", self._core.clock())
            await self._core.commit(rows)

    async def tell(self) -> None:
        """Tell the peers what has changed in the catalogue."""
        async with self._turn:
            await self._say([], self._federation.share(self._core.clock()))

    async def compare(self) -> None:
        """Say to every peer what we have: what was lost is found."""
        async with self._turn:
            self._deliver((peer, self._federation.sync.have(peer)) for peer in tuple(self.links))

    def peers(self, principal: Principal) -> list[PeerRow]:
        """Return the servers that are known here; operators only."""
        principal.require("operator")
        return sorted(self._federation.peers.values(), key=lambda peer: peer.origin)

    async def add(self, principal: Principal, sealed: Sealed, url: str) -> PeerRow:
        """Put the server that answers at an address on the list; operators only. It waits for approval."""
        principal.require("operator")
        async with self._turn:
            peer, rows = self._federation.meet(sealed, url, self._core.clock())
            await self._core.commit(rows)
            return peer

    async def set_state(self, principal: Principal, origin: str, state: PeerState) -> PeerRow:
        """Approve or revoke a peer; operators only. A revoked one is cut off at once, and its slots are not bought."""
        principal.require("operator")
        async with self._turn:
            peer, rows = self._federation.set_state(origin, state, self._core.clock())
            await self._core.commit(rows)
            if state != "approved" and origin in self.links:
                self.links[origin].end(OpenSlotError(Code.PEER_UNAPPROVED, "revoked"))
            return peer

    async def set_share(self, principal: Principal, share: Share) -> Share:
        """Change what an audience hears of; operators only."""
        principal.require("operator")
        async with self._turn:
            await self._say([], self._federation.set_share(share, self._core.clock()))
            return share

    async def rotate_key(self, principal: Principal) -> str:
        """Let a new key sign from now on; returns it. Operators only."""
        principal.require("operator")
        async with self._turn:
            secret, now_ms = self._core.entropy(KEY_BYTES), self._core.clock()
            key = ServerKeyRow(Signer(secret).public, secret, now_ms)
            await self._say([], self._federation.rotate(key, now_ms))
            return key.public.hex()

    async def revoke_key(self, principal: Principal, public: str) -> None:
        """End one of our keys at once, and say anew what we share; operators only."""
        principal.require("operator")
        async with self._turn:
            await self._say([], self._federation.revoke_key(public, self._core.clock()))

    def described(self, origin: str) -> Description:
        """Return what a known server says of itself."""
        return self._federation.book.servers[origin]

    def shares(self, principal: Principal) -> list[Share]:
        """Return what each audience hears of; operators only."""
        principal.require("operator")
        return list(self._federation.shares.values())

    def slots(self, principal: Principal) -> list[tuple[Feed, str, Slot]]:
        """Return the peers' slots that may be bought here."""
        principal.require("advertiser")
        return sorted(self._federation.slots(), key=lambda each: (each[0], each[1], each[2].id))

    @property
    def _federation(self) -> Federation:
        return self._core.rooms.federation

    async def _say(self, said: Said, rows: Sequence[Row]) -> None:
        """Once the rows are durable, say what was to be said and all that the peers lack."""
        await self._core.commit(rows)
        self._deliver([*said, *self._federation.sync.spread()])

    def _deliver(self, said: Iterable[tuple[str, PeerMessage]]) -> None:
        for origin, message in said:
            if origin in self.links:
                self.links[origin].put(message)
