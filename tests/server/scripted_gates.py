"""Gates that behave as a gate must not; the tests run them in the real sandbox. Imported by the zygote alone."""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ACCEPTED = (
    b'{"accepted": true, "stats": {"tier": "S", "triangles": 2, "draws": 1, "animated": false, "size": [2, 1, 0]}}'
)


def by_order(data: bytes, tier: str) -> bytes:
    """Do what the file's first word says."""
    word, _, rest = data.partition(b" ")
    return BEHAVIOURS[word.decode()](rest, tier)


def _echo(data: bytes, tier: str) -> bytes:
    return _said(f"{tier} {len(data)} {os.getpid()}")


def _said(text: str) -> bytes:
    finding = {"code": "test.echo", "severity": "error", "message": text}
    return json.dumps({"accepted": False, "findings": [finding]}).encode()


def _hang(_: bytes, __: str) -> bytes:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        pass


def _hog(data: bytes, _: str) -> bytes:
    return bytes(np.ones(int(data), np.uint8)[:1])


def _fault(data: bytes, _: str) -> bytes:
    return bytes(int.from_bytes(data) // 0)


def _attempt(action: Callable[[], object]) -> bytes:
    try:
        action()
    except OSError as error:
        return _said(type(error).__name__)
    return ACCEPTED


BEHAVIOURS: dict[str, Callable[[bytes, str], bytes]] = {
    "accept": lambda _, __: ACCEPTED,
    "echo": _echo,
    "hang": _hang,
    "hog": _hog,
    "fault": _fault,
    "abort": lambda _, __: os.abort(),
    "exit": lambda _, __: sys.exit(0),
    "flood": lambda data, _: bytes(int(data)),
    "half": lambda _, __: ACCEPTED[:-4],
    "lie": lambda _, __: ACCEPTED.replace(b"}}", b'}, "admin": true}'),
    "contradict": lambda _, __: b'{"accepted": false}',
    "read": lambda _, __: _attempt(lambda: Path(__file__).read_bytes()),
    "write": lambda data, _: _attempt(lambda: Path(data.decode()).write_bytes(b"x")),
    "connect": lambda _, __: _attempt(socket.socket),
    "pipe": lambda _, __: _attempt(os.pipe),
    "fork": lambda _, __: _attempt(os.fork),
    "execute": lambda _, __: _attempt(lambda: os.execv(sys.executable, [sys.executable, "-c", "pass"])),  # noqa: S606  it must fail
    "filter": lambda _, __: _said(f"mode {ctypes.CDLL(None).prctl(21)}"),
    "kill_parent": lambda _, __: _attempt(lambda: os.kill(int(os.environ["OPENSLOT_TEST_SERVER"]), signal.SIGTERM)),
}
