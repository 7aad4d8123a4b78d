"""The warm process that forks one worker for each untrusted file.

    server ── control socket ──▶ zygote: START n (with one end of a job socket, and memory) · END n
    server ── memory n ────────▶ worker n: what is asked, newline, file; a half-close of socket n says that it is there
    server ◀── job socket n ──── worker n: a kind and the gate's bytes

It imports the gate once, so that a worker is ready within a millisecond. A worker ends by `os._exit` alone: it never
returns into this module's loop. The zygote alone signals its workers, and only while they are unreaped, so that a
process number which was used again is never hit. When the server goes away, so do all of them.

Held by limits of the kernel: memory, processor time, no child processes, no core dumps, no file growth, and no new
file descriptor of any kind. The last one means no file, no socket and no pipe: what a gate needs, it must have imported
before. A seccomp filter refuses the calls themselves. Started as root, the zygote becomes `nobody`.
"""

from __future__ import annotations

import gc
import os
import pwd
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Final

from openslot_server.creatives.syscalls import Filter

__all__ = ["CRASHED", "END", "JUDGED", "ORDER", "OUT_OF_MEMORY", "READY", "START", "Gate", "main"]

Gate = Callable[[bytes, str], bytes]
"""From a file and what is asked of it (a tier, and a slot's terms in JSON if it is for one) to the verdict's JSON."""

ORDER: Final = struct.Struct("<cI")
START: Final = b"S"
END: Final = b"E"
READY: Final = b"ready"

JUDGED: Final = b"V"
OUT_OF_MEMORY: Final = b"M"
CRASHED: Final = b"X"

FILTER: Final = Filter()
HEAD_BYTES = 1 << 16
DESCRIPTORS = 1024
"""More than a zygote ever has open."""


def main(arguments: list[str]) -> None:
    """Serve orders until the server closes the control socket: descriptor, gate as `module:name`, bytes, seconds."""
    descriptor, gate_name, memory_bytes, cpu_s = arguments
    module, _, name = gate_name.partition(":")
    gate: Gate = getattr(import_module(module), name)
    sample: bytes = getattr(import_module(module), "SAMPLE", b"")
    with suppress(OSError):  # Linux: when memory runs out, a worker goes before the server does
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    _drop_privileges()
    control = socket.socket(fileno=int(descriptor))
    gc.collect()
    gc.freeze()  # a worker's collections then leave the shared pages shared
    control.sendall(READY)
    _serve(control, gate, sample, _limits(int(memory_bytes), int(cpu_s)))


def _serve(control: socket.socket, gate: Gate, sample: bytes, limits: dict[int, int]) -> None:
    workers: dict[int, int] = {}
    while True:
        order, descriptors = _next_order(control)
        if not order:
            break
        kind, number = ORDER.unpack(order)
        if kind == START:
            workers[number] = _fork((descriptors[0], descriptors[1]), gate, sample, limits)
        else:
            _end(workers.pop(number))
    for process in workers.values():
        _end(process)


def _next_order(control: socket.socket) -> tuple[bytes, list[int]]:
    try:
        order, descriptors, _, _ = socket.recv_fds(control, ORDER.size, 2)
    except ConnectionError:
        return b"", []
    return order, descriptors


def _fork(descriptors: tuple[int, int], gate: Gate, sample: bytes, limits: dict[int, int]) -> int:
    process = os.fork()
    if process == 0:
        _work(descriptors, gate, sample, limits)
    for descriptor in descriptors:
        os.close(descriptor)
    return process


def _end(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _work(descriptors: tuple[int, int], gate: Gate, sample: bytes, limits: dict[int, int]) -> None:
    try:
        job, paper = _confine(descriptors, limits)
        _answer(gate, sample, "L")  # what it touches is its own before the file comes, not while one waits
        asked, data = _question(job, paper)
        job.sendall(_answer(gate, data, asked))
    finally:
        os._exit(0)


def _answer(gate: Gate, data: bytes, asked: str) -> bytes:
    try:
        return JUDGED + gate(data, asked)
    except MemoryError:
        return OUT_OF_MEMORY
    except BaseException as error:  # whatever a hostile file raises, the answer says so
        return CRASHED + type(error).__name__.encode()


def _confine(descriptors: tuple[int, int], limits: dict[int, int]) -> tuple[socket.socket, int]:
    low, high = sorted(descriptors)
    os.closerange(0, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, DESCRIPTORS)
    job = socket.socket(fileno=descriptors[0])
    for name, limit in limits.items():
        resource.setrlimit(name, (limit, limit))
    FILTER.lay_on()
    return job, descriptors[1]


def _limits(memory_bytes: int, cpu_s: int) -> dict[int, int]:
    memory = {resource.RLIMIT_AS: memory_bytes} if sys.platform == "linux" else {}  # others refuse to set it
    return {
        **memory,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,
    }


def _drop_privileges() -> None:
    if os.geteuid() != 0:
        return
    nobody = pwd.getpwnam("nobody")
    with suppress(OSError):  # a container may map no other user; then the limits above stand alone
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def _question(job: socket.socket, paper: int) -> tuple[str, bytes]:
    """Wait for the half-close, then return what is asked and the file."""
    job.recv(1)
    size = os.fstat(paper).st_size
    head = os.pread(paper, min(size, HEAD_BYTES), 0)
    end = head.index(b"\n")
    return head[:end].decode(), os.pread(paper, size - end - 1, end + 1)


if __name__ == "__main__":
    main(sys.argv[1:])
