"""What a sandbox's worker may not ask of the kernel at all: a seccomp filter, made once, laid on after the fork.

The limits of `zygote` let a worker open nothing; this says it a second time, and also holds where limits do not (a
process of root's may fork whatever its limit is). A refused call fails with EPERM.
Source: seccomp(2), and the kernel's tables of system calls.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterator

__all__ = ["Filter"]

DENIED = {
    "x86_64": {
        "open": 2, "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "fork": 57,
        "vfork": 58, "execve": 59, "kill": 62, "creat": 85, "ptrace": 101, "mount": 165, "openat": 257, "unshare": 272,
        "accept4": 288, "process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319, "bpf": 321,
        "execveat": 322,
    },
    "aarch64": {
        "mount": 40, "openat": 56, "unshare": 97, "ptrace": 117, "kill": 129, "socket": 198, "socketpair": 199,
        "bind": 200, "listen": 201, "accept": 202, "connect": 203, "execve": 221, "accept4": 242,
        "process_vm_readv": 270, "process_vm_writev": 271, "memfd_create": 279, "bpf": 280, "execveat": 281,
    },
}  # fmt: skip
DENIED_EVERYWHERE = {"pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "openat2": 437}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
CLONE_THREAD = 0x10000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
SET_SECCOMP, SET_NO_NEW_PRIVILEGES, FILTER_MODE = 22, 38, 2


class Filter:
    """The filter for this machine; laying it on does nothing where its kernel or processor is not known."""

    def __init__(self) -> None:
        machine = platform.machine()
        known = sys.platform == "linux" and machine in DENIED
        self._code = b"".join(_program(machine)) if known else b""
        self._buffer = ctypes.create_string_buffer(self._code)
        self._program = ctypes.create_string_buffer(
            struct.pack("@HP", len(self._code) // 8, ctypes.addressof(self._buffer))
        )
        self._prctl = ctypes.CDLL(None).prctl if known else None

    def lay_on(self) -> None:
        """Put this process under the filter, for good."""
        if self._prctl is not None:
            self._prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
            self._prctl(SET_SECCOMP, FILTER_MODE, self._program, 0, 0)


def _program(machine: str) -> Iterator[bytes]:
    """Yield the instructions: (code, jump if true, jump if false, operand)."""
    refuse = _step(RETURN, 0, 0, REFUSE | errno.EPERM)
    yield _step(LOAD, 0, 0, ARCHITECTURE_AT)
    yield _step(EQUAL, 1, 0, AUDIT[machine])
    yield refuse
    yield _step(LOAD, 0, 0, NUMBER_AT)
    yield _step(AT_LEAST, 0, 1, X32)
    yield refuse
    for number in (*DENIED[machine].values(), *DENIED_EVERYWHERE.values()):
        yield _step(EQUAL, 0, 1, number)
        yield refuse
    # A C library that is told there is no clone3 asks for clone, whose flags a filter can read.
    yield _step(EQUAL, 0, 1, CLONE3)
    yield _step(RETURN, 0, 0, REFUSE | errno.ENOSYS)
    yield _step(EQUAL, 0, 3, CLONE[machine])
    yield _step(LOAD, 0, 0, FIRST_ARGUMENT_AT)
    yield _step(ANY_BIT, 1, 0, CLONE_THREAD)
    yield refuse
    yield _step(RETURN, 0, 0, ALLOW)


def _step(code: int, yes: int, no: int, operand: int) -> bytes:
    return struct.pack("=HBBI", code, yes, no, operand)
