"""What commands read and write: a clear refusal, and never half a file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["numbers", "print_json", "read", "read_json", "read_lines", "write"]

MAX_FILE_BYTES = 512 * 1024 * 1024


def read(path: Path) -> bytes:
    """Return the file's bytes; raises `OpenSlotError(FILE_NOT_FOUND)`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OpenSlotError(Code.FILE_NOT_FOUND, f"larger than {MAX_FILE_BYTES >> 20} MiB", where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or "unreadable", where=str(path)) from None


def read_lines(path: Path, longest_bytes: int = 64 * 1024) -> Iterator[tuple[str, bytes]]:
    """Yield where each line that is not blank stands, and the line; a file of any length, or a pipe.

    Raises:
        OpenSlotError: `FILE_NOT_FOUND`, or `FILE_INVALID` for a line that is too long.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(longest_bytes + 1), b""), 1):
                if len(line) > longest_bytes:
                    raise OpenSlotError(
                        Code.FILE_INVALID, f"longer than {longest_bytes} bytes", where=f"{path}:{number}"
                    )
                if line.strip():
                    yield f"{path}:{number}", line
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or "unreadable", where=str(path)) from None


def read_json(path: Path) -> Any:
    """Return the JSON in the file; raises `OpenSlotError` with `FILE_NOT_FOUND` or `FILE_INVALID`."""
    try:
        return json.loads(read(path))
    except (ValueError, RecursionError) as error:
        raise OpenSlotError(Code.FILE_INVALID, f"not JSON: {error}", where=str(path)) from None


def numbers(text: str, count: int, option: str) -> list[float]:
    """Return the numbers in `x,y,z`; raises `OpenSlotError(ARGUMENT_INVALID)` that names the option."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"{text!r} is not {count} numbers with commas between", where=option)
    return numbers


def write(path: Path, data: bytes) -> None:
    """Write the file whole or not at all: to a temporary name beside it, then renamed."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(data)
        Path(file.name).chmod(0o666 & ~_umask())
        Path(file.name).replace(path)
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or "not writable", where=str(path)) from None


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
