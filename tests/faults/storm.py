"""The faults, and the storm that a seed makes of some of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.faults.devices import COMMIT_S
from tests.faults.ghosts import cheat, disown, overtake, replay
from tests.faults.network import DELAY_S
from tests.faults.simulation import Simulation

Fault = Callable[[Simulation], Coroutine[Any, Any, None]]


async def drop(play: Simulation) -> None:
    """A connection ends; what is under way to the server still arrives."""
    if play.network.open:
        play.chance.choice(play.network.open).cut()


async def stall(play: Simulation) -> None:
    """On one connection messages take seconds, more than anyone waits for."""
    if play.network.open:
        connection = play.chance.choice(play.network.open)
        connection.delay_s = play.chance.uniform(1, 12)
        await asyncio.sleep(play.chance.uniform(0.5, 3))
        connection.delay_s = DELAY_S


async def away(play: Simulation) -> None:
    """Nobody reaches the server for a while."""
    play.network.is_away = True
    play.network.cut_all()
    await asyncio.sleep(play.chance.uniform(0.3, 4))
    play.network.is_away = False


async def kill_server(play: Simulation) -> None:
    """The server's process is killed and started again."""
    if play.server is not None:
        play.kill_server()
        await asyncio.sleep(play.chance.uniform(0.05, 2))
        if play.server is None:
            play.start_server()


async def kill_world(play: Simulation) -> None:
    """A world's machine loses power."""
    walker = play.chance.choice(play.walkers)
    if not walker.is_down:
        walker.kill()


async def power_cut(play: Simulation) -> None:
    """The same, in the middle of an operation of its disk."""
    play.chance.choice(play.walkers).disk.power_cut_in = play.chance.randrange(8)


async def fail_store(play: Simulation) -> None:
    """The server's next commit fails; nobody knows what of it is on the platter."""
    play.store.fails_at = 1


async def slow_store(play: Simulation) -> None:
    """Commits take long."""
    store = play.store
    store.commit_s = play.chance.uniform(0.2, 3)
    await asyncio.sleep(play.chance.uniform(0.5, 3))
    store.commit_s = COMMIT_S


async def fail_disk(play: Simulation) -> None:
    """Some writes and fsyncs of a world fail."""
    disk = play.chance.choice(play.walkers).disk
    disk.failing = play.chance.uniform(0.1, 0.6)
    await asyncio.sleep(play.chance.uniform(0.5, 3))
    disk.failing = 0.0


async def fill_disk(play: Simulation) -> None:
    """A world's disk is full for a while."""
    disk = play.chance.choice(play.walkers).disk
    disk.failing = 1.0
    await asyncio.sleep(play.chance.uniform(0.5, 3))
    disk.failing = 0.0


async def haunt(play: Simulation) -> None:
    """Batches come from nobody's spool; what they have begun they end."""
    play.errand(play.chance.choice((replay, overtake, disown, cheat))(play))


FAULTS: tuple[Fault, ...] = (
    *(drop, stall, away, kill_server, kill_world, power_cut),
    *(fail_store, slow_store, fail_disk, fill_disk),
    *(haunt, haunt),
)


async def storm(play: Simulation) -> None:
    """Let some kinds of fault happen, again and again, over one another."""
    kinds = play.chance.sample(FAULTS, play.chance.randint(0, len(FAULTS)))
    async with asyncio.TaskGroup() as raging:
        while kinds:
            await asyncio.sleep(play.chance.uniform(0.05, 1.2))
            raging.create_task(play.chance.choice(kinds)(play))
