"""The demo's processes: a placement server that may be killed and comes back, and worlds that talk in JSON lines.

Each is a session of its own, so that Ctrl-C reaches the demo alone, which then ends them in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["ServerProcess", "WorldProcess"]

SETTINGS = {"OPENSLOT_PLACEMENT_MS": "8000", "OPENSLOT_SETTLE_GRACE_MS": "15000"}
"""Boards change often, so that a short demo shows it."""
START_S = 30.0
STARTS = 3
STOP_S = 10.0
LINE_BYTES = 4 * 1024 * 1024


class ServerProcess:
    """`openslot serve` on one database and one port, started again when it dies."""

    def __init__(self, folder: Path, operator_key: str) -> None:
        self.folder = folder
        self.operator_key = operator_key
        self.port = 0
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Return once the server is ready; raises `OpenSlotError(SERVER_AWAY)` with what it said if it does not start.

        A server that is killed while it starts is started again.
        """
        for _ in range(STARTS):
            process = await self._spawn()
            assert process.stdout is not None  # noqa: S101  PIPE was asked for
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(process.stdout.readline(), START_S)
                if line:
                    self.port = int(json.loads(line)["ready"].rsplit(":", 1)[1])
                    return
            if process.returncode is None and not process.stdout.at_eof():
                await self.kill()
                break
            if await process.wait() >= 0:
                break
        said = (self.folder / "server.log").read_text("utf-8", "replace")[-500:]
        raise OpenSlotError(Code.SERVER_AWAY, f"it did not start: {said.strip()}")

    async def _spawn(self) -> Process:
        command = [sys.executable, "-m", "openslot_server", "serve", "--json", "--port", str(self.port)]
        command += ["--database", str(self.folder / "openslot.db")]
        environment = {**os.environ, "OPENSLOT_OPERATOR_KEY": self.operator_key, **SETTINGS}
        with (self.folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=PIPE, stderr=log, env=environment, start_new_session=True
            )
        return self._process

    async def kill(self) -> None:
        """Kill the server as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop the server in good order."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        await _end(self._process, how)


class WorldProcess:
    """One world with its walkers: `python -m openslot_demo.world`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Process | None = None

    async def start(self, arguments: Sequence[str], log: Path) -> None:
        """Start the process; `arguments` are those of `openslot_demo.world`."""
        command = [sys.executable, "-m", "openslot_demo.world", *arguments]
        with log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=errors, limit=LINE_BYTES, start_new_session=True
            )

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the world says, until it ends."""
        assert self._process is not None  # noqa: S101  started before it is read
        assert self._process.stdout is not None  # noqa: S101  PIPE was asked for
        async for line in self._process.stdout:
            yield json.loads(line)

    async def leave(self) -> None:
        """Ask the walkers to go home: views end, the spool drains, the process says its figures and ends."""
        assert self._process is not None  # noqa: S101  started before it is stopped
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def stop(self) -> None:
        """End the process whatever it does."""
        if self._process is not None:
            await _end(self._process, signal.SIGTERM)


async def _end(process: Process, how: signal.Signals) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
