"""The disk under a real server is full: it promises nothing that it does not keep, and goes on with more room."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.programs import PATIENCE_S, Town
from tests.faults.witness import Witness, check, stored

ROOM_BYTES = 96 * 1024


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a disk of 1 MiB, which only root may have."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def run_as_root(test: pytest.Item) -> None:
    """Run a test once more, as root of a namespace of its own."""
    pytest_again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.nodeid]
    subprocess.run(["unshare", "--map-root-user", "--mount", *pytest_again], cwd=test.config.rootpath, check=True)


def fill(disk: Path) -> Path:
    """Leave little room, and return the file that takes it."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - ROOM_BYTES))
    return ballast


def limit_files(town: Town) -> None:
    """Let no file of the running server grow by more than a little."""
    size = town.database.with_name(town.database.name + "-wal").stat().st_size + ROOM_BYTES
    resource.prlimit(town.server.number, resource.RLIMIT_FSIZE, (size, size))


def until_it_ends(town: Town) -> Witness:
    """Wait until the server ends by itself; all that it acknowledged is there."""
    witness, end_s = Witness(town.spool), time.monotonic() + PATIENCE_S
    while town.server.is_there():
        assert time.monotonic() < end_s, "the disk never was full"
        witness.look()
        time.sleep(0.1)
    assert town.server.wait() == "ended with 3\n"
    witness.look()
    assert witness.acknowledged <= stored(town).keys()
    return witness


def go_on(town: Town, witness: Witness) -> None:
    """Start the server again, and let all come to rest."""
    town.server.start()
    assert town.is_ready()
    town.come_to_rest()
    witness.look()
    check(town, witness)


def test_a_server_whose_disk_is_full_promises_nothing_and_goes_on_with_more_room(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if os.geteuid() != 0:
        run_as_root(request.node)
        return
    with small_disk(tmp_path) as disk, closing(Town(tmp_path, disk)) as town:
        town.server.start()
        town.world.start()
        town.go_on()
        ballast = fill(disk)
        witness = until_it_ends(town)
        ballast.unlink()
        go_on(town, witness)


def test_a_server_whose_files_may_not_grow_promises_nothing_and_goes_on_once_they_may(tmp_path: Path) -> None:
    with closing(Town(tmp_path, tmp_path)) as town:
        town.server.start()
        town.world.start()
        town.go_on()
        limit_files(town)
        go_on(town, until_it_ends(town))
