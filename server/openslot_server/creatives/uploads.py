"""Uploads in parts, by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): on disk, so that a lost
connection or a restart costs nothing that was acknowledged.

    <folder>/<id>        the bytes so far: how many there are is where the upload stands
    <folder>/<id>.json   whose they are and how many there will be
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Id, Record, TimeMs

__all__ = ["EXPIRES_MS", "ID_BYTES", "Upload", "Uploads"]

EXPIRES_MS = 24 * 3_600_000
"""After its last part."""
OPEN_OF_ONE = 8
OPEN = 1_000
ID_BYTES = 16


class Upload(Record):
    """An upload on its way."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    account: Id
    length_bytes: Annotated[int, Field(ge=1, le=2**40)]
    began_ms: TimeMs


@dataclass(slots=True)
class _Coming:
    upload: Upload
    offset: int
    touched_ms: int
    is_busy: bool = False


class Uploads:
    """The uploads below one folder. Methods that take bytes or remove files block on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._coming = {found.upload.id: found for found in _kept(folder)}

    def begin(self, account: str, length_bytes: int, randomness: bytes, now_ms: int) -> Upload:
        """Return a new upload of `account`; raises `RATE_LIMITED` where too many are on their way."""
        own = sum(one.upload.account == account for one in self._coming.values())
        if own >= OPEN_OF_ONE or len(self._coming) >= OPEN:
            raise OpenSlotError(Code.RATE_LIMITED, f"{own} uploads are open; end some of them", retry_after_ms=60_000)
        upload = Upload(id=randomness[:ID_BYTES].hex(), account=account, length_bytes=length_bytes, began_ms=now_ms)
        self._coming[upload.id] = _Coming(upload, 0, now_ms)
        with _failing(upload.id):
            _write(self._data(upload.id), b"")
            _write(self._said(upload.id), upload.model_dump_json().encode())
            _sync(self._folder)
        return upload

    def find(self, upload: str) -> Upload:
        """Return an upload; raises `UPLOAD_UNKNOWN`."""
        return self._find(upload).upload

    def offset(self, upload: str) -> int:
        """Return how many bytes of it are durable."""
        return self._find(upload).offset

    def expires_ms(self, upload: str) -> int:
        """Return when it is given up unless more of it comes."""
        return self._find(upload).touched_ms + EXPIRES_MS

    def held(self, account: str) -> tuple[int, int]:
        """Return how many uploads of the account are on their way, and how large they will be in all."""
        own = [one.upload.length_bytes for one in self._coming.values() if one.upload.account == account]
        return len(own), sum(own)

    @contextmanager
    def part(self, upload: str, offset: int) -> Iterator[int]:
        """Hold the upload for one part, and return how many bytes are still to come.

        Raises:
            OpenSlotError: `UPLOAD_UNKNOWN`, or `UPLOAD_CONFLICT` unless it stands at `offset` and nobody else sends.
        """
        coming = self._find(upload)
        if coming.is_busy:
            raise OpenSlotError(Code.UPLOAD_CONFLICT, "another part is coming just now", where=upload)
        if offset != coming.offset:
            raise OpenSlotError(Code.UPLOAD_CONFLICT, f"it stands at {coming.offset}, not at {offset}", where=upload)
        coming.is_busy = True
        try:
            yield coming.upload.length_bytes - offset
        finally:
            coming.is_busy = False

    def append(self, upload: str, data: bytes, now_ms: int) -> int:
        """Return where the upload stands once `data` is durable; raises `STORAGE_FAILED`, and takes nothing then."""
        coming = self._find(upload)
        with _failing(upload), self._data(upload).open("r+b") as file:
            file.truncate(coming.offset)  # what an earlier failure left was never acknowledged
            file.seek(coming.offset)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        coming.offset += len(data)
        coming.touched_ms = now_ms
        return coming.offset

    def read(self, upload: str) -> bytes:
        """Return all of a finished upload; raises `UPLOAD_UNKNOWN`, `UPLOAD_CONFLICT` before its end."""
        coming = self._find(upload)
        if coming.offset != coming.upload.length_bytes:
            detail = f"{coming.offset} of {coming.upload.length_bytes} bytes are here"
            raise OpenSlotError(Code.UPLOAD_CONFLICT, detail, where=upload)
        with _failing(upload):
            return self._data(upload).read_bytes()

    def end(self, upload: str) -> None:
        """Forget an upload and its bytes."""
        self._find(upload)
        with _failing(upload):
            for place in (self._said(upload), self._data(upload)):  # without its first file it is none
                place.unlink(missing_ok=True)
        self._coming.pop(upload, None)

    def expire(self, now_ms: int) -> None:
        """Give up the uploads of which nothing came for long."""
        due = [name for name, one in self._coming.items() if one.touched_ms + EXPIRES_MS <= now_ms and not one.is_busy]
        for name in due:
            self.end(name)

    def _find(self, upload: str) -> _Coming:
        try:
            return self._coming[upload]
        except KeyError:
            raise OpenSlotError(Code.UPLOAD_UNKNOWN, where=upload[:64]) from None

    def _data(self, upload: str) -> Path:
        return self._folder / upload

    def _said(self, upload: str) -> Path:
        return self._folder / f"{upload}.json"


def _kept(folder: Path) -> Iterator[_Coming]:
    """Yield what an earlier run left; what is not whole is removed."""
    for place in sorted(folder.iterdir()):
        data = place.with_suffix("")
        if place.suffix == ".json" and data.exists():
            with suppress(OpenSlotError, ValueError):
                upload = Upload.model_validate_json(place.read_bytes())
                found = data.stat()
                offset = min(found.st_size, upload.length_bytes)
                yield _Coming(upload, offset, max(upload.began_ms, found.st_mtime_ns // 1_000_000))
                continue
        if place.suffix == ".json" or not place.with_suffix(".json").exists():
            place.unlink(missing_ok=True)


@contextmanager
def _failing(upload: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OpenSlotError(Code.STORAGE_FAILED, error.strerror or "the disk failed", where=upload) from error


def _write(place: Path, data: bytes) -> None:
    with place.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
