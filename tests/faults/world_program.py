"""A world as a program: a crowd that comes and goes before four boards, until SIGTERM.

`python -m tests.faults.world_program ADDRESS KEY SPOOL CACHE` says `ready`, and at its end what it has counted.
Whatever it writes into its spool stands in `SPOOL.….journal` too, one file for each life, and stays there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path

from openslot_sdk import Camera, Settings
from openslot_sdk.blocking import World
from openslot_sdk.disk import FileDisk
from openslot_sdk.outside import Outside
from tests.sdk.scenes import board_scene

TICK_S = 0.1
CROWD = 24
BOARDS = ("north", "east", "south", "west")
LOOKING = Camera.perspective((6.0, 1.6, 14.0), target=(6.0, 1.6, 0.0))


class JournalDisk(FileDisk):
    """The real disk; what is appended to a file is appended to its journal of this life as well."""

    def append(self, name: str, data: bytes) -> None:
        super().append(name, data)
        with Path(f"{name}.{os.getpid()}.journal").open("ab", buffering=0) as journal:
            journal.write(data)


def crowd() -> Iterator[dict[str, Camera]]:
    """Yield who is there; at each step one leaves and somebody new comes."""
    for first in count():
        yield {f"viewer {number}": LOOKING for number in range(first, first + CROWD)}


def main(address: str, key: str, spool: str, cache: str) -> None:
    """Be a world until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    settings = Settings(viewers=500, backend="numpy", cache=Path(cache), outside=Outside(disk=JournalDisk))
    with World(address, key=key, name="plaza", spool=spool, settings=settings) as world:
        world.load(board_scene(*BOARDS))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for viewers in crowd():
            world.tick(viewers)
            if ended.wait(TICK_S):
                break
    sys.stdout.write(json.dumps(asdict(world.stats.events)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
