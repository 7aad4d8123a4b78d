"""The REST API of federation: peers, what is shared with them, what they offer, and this server's own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from openslot_server.federation.sharing import Share
from openslot_server.http.records import Empty, Page
from openslot_server.http.routes import Call, operation, page_of
from openslot_server.keys import Role
from openslot_server.storage.store import PeerRow
from openslot_spec.creatives import HttpUrl
from openslot_spec.records import Id, Record, TimeMs
from openslot_spec.servers import Origin
from openslot_spec.slots import Slot

__all__ = ["PEER_OPERATIONS"]


class PeerDraft(Record):
    """A server that an operator wants to know."""

    url: HttpUrl
    """Its address; what stands at `/.well-known/openslot.json` there says who it is."""


class PeerChange(Record):
    """What an operator decides about a peer."""

    state: Literal["approved", "revoked"]


class PeerRecord(Record):
    """A server that is known here."""

    origin: Origin
    state: Literal["waiting", "approved", "revoked"]
    name: str
    url: str
    """Where it is dialled; empty where it dials us."""
    connected: bool
    keys: Annotated[tuple[str, ...], Field(strict=False)]
    """Its public keys that hold now."""
    at_ms: TimeMs
    """When its state was last changed."""


class PeerPage(Record):
    """Servers, by origin."""

    items: Annotated[tuple[PeerRecord, ...], Field(strict=False)]
    next: str | None = None


class SharePage(Record):
    """What each audience hears of."""

    items: Annotated[tuple[Share, ...], Field(strict=False)]


class PeerSlot(Record):
    """A slot of another server."""

    origin: Origin
    world: Id
    slot: Slot


class PeerSlotPage(Record):
    """Slots of other servers, by origin, world and id."""

    items: Annotated[tuple[PeerSlot, ...], Field(strict=False)]
    next: str | None = None


class ServerKeyAnswer(Record):
    """The public key that signs from now on."""

    public: str


async def add_peer(call: Call[Empty, PeerDraft]) -> PeerRecord:
    """Fetch a server's description and put it on the list, where it waits for approval."""
    sealed = await call.request.app.state.described_at(call.body.url)
    return _record(call, await call.server.peers.add(call.principal, sealed, call.body.url))


async def list_peers(call: Call[Page, Empty]) -> PeerPage:
    """List the servers that are known here, those that wait for approval among them."""
    items, after = page_of(call.server.peers.peers(call.principal), lambda peer: peer.origin, call.query)
    return PeerPage(items=tuple(_record(call, peer) for peer in items), next=after)


async def set_peer_state(call: Call[Empty, PeerChange]) -> PeerRecord:
    """Approve a peer, or revoke it: it is cut off at once."""
    return _record(call, await call.server.peers.set_state(call.principal, call.path["origin"], call.body.state))


async def list_shares(call: Call[Empty, Empty]) -> SharePage:
    """List what each audience hears of our slots."""
    return SharePage(items=tuple(call.server.peers.shares(call.principal)))


async def set_share(call: Call[Empty, Share]) -> Share:
    """Say which slots an audience hears of: everybody (an empty audience) or one peer."""
    return await call.server.peers.set_share(call.principal, call.body)


async def list_peer_slots(call: Call[Page, Empty]) -> PeerSlotPage:
    """List the slots of other servers that may be bought here."""
    offered = call.server.peers.slots(call.principal)
    found = [PeerSlot(origin=feed.origin, world=world, slot=slot) for feed, world, slot in offered]
    items, after = page_of(found, lambda each: f"{each.origin}/{each.world}/{each.slot.id}", call.query)
    return PeerSlotPage(items=items, next=after)


async def rotate_server_key(call: Call[Empty, Empty]) -> ServerKeyAnswer:
    """Let a new key sign for this server; the one before holds on until its end."""
    return ServerKeyAnswer(public=await call.server.peers.rotate_key(call.principal))


async def revoke_server_key(call: Call[Empty, Empty]) -> Empty:
    """End one of this server's keys at once; all that is shared is signed anew."""
    await call.server.peers.revoke_key(call.principal, call.path["public"])
    return Empty()


OPERATOR: tuple[Role, ...] = ()
PEER_OPERATIONS = (
    operation("POST", "/v1/peers", OPERATOR, add_peer, status=201),
    operation("GET", "/v1/peers", OPERATOR, list_peers),
    operation("PATCH", "/v1/peers/{origin}", OPERATOR, set_peer_state),
    operation("GET", "/v1/shares", OPERATOR, list_shares),
    operation("PUT", "/v1/shares", OPERATOR, set_share),
    operation("GET", "/v1/peer-slots", ("advertiser",), list_peer_slots),
    operation("POST", "/v1/server-keys", OPERATOR, rotate_server_key, status=201),
    operation("DELETE", "/v1/server-keys/{public}", OPERATOR, revoke_server_key),
)


def _record(call: Call[Page, Empty] | Call[Empty, PeerDraft] | Call[Empty, PeerChange], peer: PeerRow) -> PeerRecord:
    known, now_ms = call.server.peers.described(peer.origin), call.server.clock()
    return PeerRecord(
        origin=peer.origin,
        state=next(state for state in ("waiting", "approved", "revoked") if state == peer.state),
        name=known.name,
        url=peer.url,
        connected=peer.origin in call.server.peers.links,
        keys=tuple(key.public for key in known.keys if key.holds(now_ms)),
        at_ms=peer.at_ms,
    )
