"""Runs the gate on untrusted bytes in a process that may be lost.

A file can cost its worker's limits and nothing else: the server waits with a deadline, reads a bounded answer, believes
only a valid `Verdict`, and has the worker ended whichever way the job went. See `zygote` for the other side.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Self

from openslot_gltf import TIERS
from openslot_server.creatives import zygote
from openslot_server.creatives.kinds import VIDEO_TIERS
from openslot_server.creatives.verdict import SandboxFault, Tier, Verdict
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms

__all__ = ["GATE", "Sandbox", "SandboxLimits"]

GATE = "openslot_server.creatives.gate:examine"
START_DEADLINE_S = 30.0
PROBE_S = 5.0
SPARES = 2
INHERITED = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
"""All a worker sees of the server's environment; keys and passwords stay here."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one file may cost.

    Args:
        wall_s: from the first byte sent to the last byte received.
        memory_bytes: a worker's whole address space.
        result_bytes: a longer answer is not read to its end.
        workers: files examined at once.
        waiting: files waiting for a worker; one more is refused.
    """

    wall_s: float = 4.0
    memory_bytes: int = 1 << 30
    result_bytes: int = 256 * 1024 + 2 * max(
        TIERS["L"].file_bytes, VIDEO_TIERS["L"].file_bytes
    )  # with a repaired file, in base64
    workers: int = 2
    waiting: int = 32


class Sandbox:
    """The gate behind a process boundary; one for the whole server, started at its first file."""

    def __init__(self, limits: SandboxLimits | None = None, gate: str = GATE) -> None:
        self.limits = limits or SandboxLimits()
        self._gate = gate
        self._free = asyncio.Semaphore(self.limits.workers)
        self._starting = asyncio.Lock()
        self._present = 0
        self._zygote: _Zygote | None = None

    async def check(self, data: bytes, tier: Tier, slot: SlotTerms | None = None) -> Verdict:
        """Return what the gate says of `data`; a file that cannot be contained in the limits is a refused one.

        With a slot, its own rules hold too: the media and the movement it takes, its fit and its room.

        Raises:
            OpenSlotError: `RATE_LIMITED` when too many files wait already.
        """
        if self._present >= self.limits.workers + self.limits.waiting:
            raise OpenSlotError(Code.RATE_LIMITED, f"{self._present} creatives wait for the gate", retry_after_ms=1000)
        self._present += 1
        try:
            async with self._free:
                return await self._judge(_question(data, tier, slot))
        finally:
            self._present -= 1

    async def close(self) -> None:
        """End the zygote and with it every worker."""
        if self._zygote is not None:
            self._zygote.stop()
            self._zygote = None

    async def _judge(self, question: bytes) -> Verdict:
        running = await self._running()
        with running.worker() as worker:
            try:
                async with asyncio.timeout(self.limits.wall_s):
                    answer = await worker.ask(question, self.limits.result_bytes)
            except TimeoutError:
                return Verdict.contained(SandboxFault.TIME, f"more than {self.limits.wall_s:g} s")
            finally:
                running.prepare()
                running.end(worker.number)
        return _read(answer, self.limits.result_bytes)

    async def _running(self) -> _Zygote:
        async with self._starting:
            if self._zygote is not None and not self._zygote.alive:
                await self.close()
            if self._zygote is None:
                self._zygote = await _Zygote.started(self._gate, self.limits)
            return self._zygote


class _Worker:
    """The server's end of one worker: a socket for the answer, and memory in which the question lies.

    Through the socket a file of megabytes would take as many turns of both processes as it has buffers full.
    """

    def __init__(self, number: int, job: socket.socket, paper: int) -> None:
        self.number = number
        self.paper = paper
        self._job = job
        job.settimeout(0)

    async def ask(self, question: bytes, limit_bytes: int) -> bytes:
        """Return what the worker answers, at most a little more than `limit_bytes`."""
        loop = asyncio.get_running_loop()
        answer = bytearray()
        with suppress(ConnectionError):  # the worker died; what it said until then is judged
            _write_all(self.paper, question)
            self._job.shutdown(socket.SHUT_WR)
            while len(answer) <= limit_bytes and (chunk := await loop.sock_recv(self._job, 1 << 16)):
                answer += chunk
        return bytes(answer)

    def close(self) -> None:
        """Let go of the worker; it is the zygote that ends it."""
        self._job.close()
        os.close(self.paper)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _memory() -> int:
    """Return the descriptor of a file without a name."""
    if sys.platform == "linux":
        return os.memfd_create("openslot-creative")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class _Zygote:
    """The server's end of the warm process."""

    def __init__(self, gate: str, limits: SandboxLimits) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(0)
        self._numbers = count(1)
        self._spares: deque[_Worker] = deque()
        with theirs:
            self._process = _spawn(theirs, gate, limits)

    @classmethod
    async def started(cls, gate: str, limits: SandboxLimits) -> Self:
        """Return a zygote that has imported its gate."""
        fresh = cls(gate, limits)
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                said = await asyncio.get_running_loop().sock_recv(fresh._control, len(zygote.READY))
            if said != zygote.READY:
                raise OpenSlotError(Code.INTERNAL, f"the sandbox could not load {gate}")
        except BaseException:  # cancelled, too
            fresh.stop()
            raise
        return fresh

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def worker(self) -> _Worker:
        """Return a worker, the spare one if there is."""
        return self._spares.popleft() if self._spares else self._forked()

    def prepare(self) -> None:
        """Have workers forked and warm before there are files for them: the next ones then do not wait for that."""
        with suppress(OSError):  # a zygote that died: the next check starts another
            while len(self._spares) < SPARES:
                self._spares.append(self._forked())

    def _forked(self) -> _Worker:
        number = next(self._numbers)
        ours, theirs = socket.socketpair()
        worker = _Worker(number, ours, _memory())
        try:
            with theirs:
                order, descriptors = zygote.ORDER.pack(zygote.START, number), [theirs.fileno(), worker.paper]
                socket.send_fds(self._control, [order], descriptors)
        except OSError:
            worker.close()
            raise
        return worker

    def end(self, number: int) -> None:
        """Kill and reap a worker, finished or not."""
        with suppress(OSError):  # a zygote that died took its workers' numbers with it; the next check starts another
            self._control.send(zygote.ORDER.pack(zygote.END, number))

    def stop(self) -> None:
        """Kill the zygote's whole process group, workers included."""
        while self._spares:
            self._spares.pop().close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._control.close()
        self._process.wait()


@cache
def _walls() -> tuple[str, ...]:
    """Return bubblewrap's command where it is there and works: no network, and a file system that is read alone.

    It may be installed and yet not be allowed, as in many containers; then the kernel's limits and filter stand alone.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return ()
    walls: tuple[str, ...] = (bwrap, "--ro-bind", "/", "/", "--unshare-net", "--unshare-ipc", "--die-with-parent")
    # What the zygote needs to become nobody; where it is nobody's already, bubblewrap gives it to no one.
    walls += ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--")
    try:
        tried = subprocess.run([*walls, "true"], capture_output=True, timeout=PROBE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return walls if tried.returncode == 0 else ()


def _spawn(control: socket.socket, gate: str, limits: SandboxLimits) -> subprocess.Popen[bytes]:
    cpu_s = math.ceil(limits.wall_s) + 1  # holds when nobody is left to watch the clock
    options = [str(control.fileno()), gate, str(limits.memory_bytes), str(cpu_s)]
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return subprocess.Popen(  # noqa: S603  our own interpreter and module, and numbers
        [*_walls(), sys.executable, "-P", "-m", zygote.__name__, *options],
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C is the server's to handle, and one signal ends them all
    )


def _question(data: bytes, tier: Tier, slot: SlotTerms | None) -> bytes:
    terms = "" if slot is None else slot.model_dump_json()
    return f"{tier}{terms}\n".encode() + data


def _read(answer: bytes, limit_bytes: int) -> Verdict:
    kind, body = answer[:1], answer[1:]
    if len(answer) > limit_bytes:
        return Verdict.contained(SandboxFault.RESULT, f"more than {limit_bytes} bytes")
    if kind == zygote.OUT_OF_MEMORY:
        return Verdict.contained(SandboxFault.MEMORY)
    if kind == zygote.JUDGED:
        with suppress(ValueError):
            return Verdict.model_validate_json(body)
    return Verdict.contained(SandboxFault.CRASH, body[:64].decode("ascii", "replace") if kind == zygote.CRASHED else "")
