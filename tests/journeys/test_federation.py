from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2

from openslot_spec.messages import SlotsPut, SlotsRemove
from tests.server.live import OPERATOR, SLOT, Live, live, until

OPERATOR_KEY = "ok_operator_" + "o" * 32


async def ask(live: Live, method: str, path: str, body: Any = None) -> Any:
    async with httpx2.AsyncClient(base_url=live.address) as client:
        answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {OPERATOR_KEY}"})
    assert answer.is_success, answer.text
    return answer.json()


async def serve(stack: AsyncExitStack, folder: Path) -> Live:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240  before anything runs
    return await stack.enter_async_context(live(folder, operator_key=OPERATOR_KEY, name=folder.name))


def origin(live: Live) -> str:
    return live.server.rooms.federation.identity.origin


def seen(live: Live) -> list[tuple[str, str]]:
    return [(world, slot.id) for _, world, slot in live.server.peers.slots(OPERATOR)]


async def befriend(one: Live, other: Live) -> None:
    """Let one dial the other: both operators approve."""
    await ask(one, "POST", "/v1/peers", {"url": other.address})
    await ask(other, "POST", "/v1/peers", {"url": one.address})
    await ask(one, "PATCH", f"/v1/peers/{origin(other)}", {"state": "approved"})
    await ask(other, "PATCH", f"/v1/peers/{origin(one)}", {"state": "approved"})
    await until(lambda: origin(other) in one.server.peers.links and origin(one) in other.server.peers.links)


async def test_a_slot_that_is_shared_stands_in_the_peers_catalogue_until_it_is_removed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        seller, buyer = await serve(stack, tmp_path / "seller"), await serve(stack, tmp_path / "buyer")
        await ask(seller, "PUT", "/v1/shares", {"floor_cpm": {"micros": 3_000_000}})
        await befriend(seller, buyer)
        async with seller.world() as world:
            await world.with_slot()
            await until(lambda: seen(buyer) == [("plaza", "north")])
            (offered,) = (await ask(buyer, "GET", "/v1/peer-slots"))["items"]
            assert offered["origin"] == origin(seller)
            assert offered["slot"]["floor_cpm"]["micros"] == 3_000_000
            await world.ask(SlotsRemove(ids=("north",)))
            await until(lambda: seen(buyer) == [])


async def test_a_server_that_nobody_approved_hears_nothing_and_waits_on_the_list(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        seller, buyer = await serve(stack, tmp_path / "seller"), await serve(stack, tmp_path / "buyer")
        await ask(buyer, "POST", "/v1/peers", {"url": seller.address})
        await ask(buyer, "PATCH", f"/v1/peers/{origin(seller)}", {"state": "approved"})
        await until(lambda: [peer.state for peer in seller.server.peers.peers(OPERATOR)] == ["waiting"])
        assert not seller.server.peers.links
        await ask(seller, "PATCH", f"/v1/peers/{origin(buyer)}", {"state": "approved"})
        await until(lambda: origin(buyer) in seller.server.peers.links)


async def test_a_revoked_peer_is_cut_off_and_its_slots_are_gone(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        seller, buyer = await serve(stack, tmp_path / "seller"), await serve(stack, tmp_path / "buyer")
        await ask(seller, "PUT", "/v1/shares", {})
        async with seller.world() as world:
            await world.with_slot()
            await befriend(seller, buyer)
            await until(lambda: seen(buyer) == [("plaza", "north")])
            await ask(buyer, "PATCH", f"/v1/peers/{origin(seller)}", {"state": "revoked"})
            await until(lambda: not buyer.server.peers.links)
            assert seen(buyer) == []


async def test_what_was_said_is_known_after_a_restart_and_goes_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        buyer = await serve(stack, tmp_path / "buyer")
        async with AsyncExitStack() as first:
            seller = await serve(first, tmp_path / "seller")
            await ask(seller, "PUT", "/v1/shares", {})
            async with seller.world() as world:
                await world.with_slot()
                await befriend(seller, buyer)
                await until(lambda: seen(buyer) == [("plaza", "north")])
        again = await serve(stack, tmp_path / "seller")
        assert seen(buyer) == [("plaza", "north")]
        await ask(again, "POST", "/v1/peers", {"url": buyer.address})
        async with again.world() as world:
            await world.ready()
            await world.ask(SlotsPut(slots=(SLOT | {"id": "south"},)))
            await until(lambda: seen(buyer) == [("plaza", "north"), ("plaza", "south")])
        assert not buyer.server.rooms.federation.book.proofs


async def test_a_key_is_rotated_and_the_old_one_revoked_and_peers_go_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        seller, buyer = await serve(stack, tmp_path / "seller"), await serve(stack, tmp_path / "buyer")
        await ask(seller, "PUT", "/v1/shares", {})
        async with seller.world() as world:
            await world.with_slot()
            await befriend(seller, buyer)
            await until(lambda: seen(buyer) == [("plaza", "north")])
            (old,) = seller.server.peers.described(origin(seller)).keys
            new = (await ask(seller, "POST", "/v1/server-keys"))["public"]
            await ask(seller, "DELETE", f"/v1/server-keys/{old.public}")

            def signed_by() -> set[str]:
                shelves = buyer.server.rooms.federation.book.shelves.items()
                return {
                    signed.key.hex()
                    for feed, shelf in shelves if feed.origin == origin(seller)
                    for signed in shelf.signed.values()
                }  # fmt: skip

            await until(lambda: signed_by() == {new} and seen(buyer) == [("plaza", "north")])
            async with asyncio.timeout(5):
                await world.ask(SlotsRemove(ids=("north",)))
            await until(lambda: seen(buyer) == [])
