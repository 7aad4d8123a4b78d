import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_server.creatives.library import Library
from openslot_spec.errors import Code, OpenSlotError

DATA = b"glTF" + bytes(1000)

WRITER = """
import sys
from pathlib import Path
from openslot_server.creatives.library import Library
library = Library(Path(sys.argv[1]))
for number in range(100_000):
    print(library.put(number.to_bytes(4, "big") * 250_000), flush=True)
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def place_of(root: Path, sha256: str) -> Path:
    return root / sha256


def code_of(library: Library, sha256: str) -> Code:
    with pytest.raises(OpenSlotError) as refused:
        library.read(sha256)
    return refused.value.code


def test_what_was_put_is_read(library: Library, tmp_path: Path) -> None:
    kept = {}

    @settings(max_examples=50)
    @given(st.binary(max_size=2000))
    def hold(data: bytes) -> None:
        kept[library.put(data)] = data

    hold()
    again = Library(tmp_path)
    assert all(hashlib.sha256(data).hexdigest() == sha256 for sha256, data in kept.items())
    assert all(again.read(sha256) == data for sha256, data in kept.items())


def test_the_same_bytes_are_kept_once(library: Library, tmp_path: Path) -> None:
    assert library.put(DATA) == library.put(DATA)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_bytes_that_were_swapped_on_disk_are_not_served(library: Library, tmp_path: Path) -> None:
    sha256 = library.put(DATA)
    place_of(tmp_path, sha256).write_bytes(b"other")
    assert code_of(library, sha256) is Code.CREATIVE_HASH_MISMATCH


def test_a_damaged_file_is_healed_by_the_next_upload(library: Library, tmp_path: Path) -> None:
    sha256 = library.put(DATA)
    place_of(tmp_path, sha256).write_bytes(DATA[:100])
    library.put(DATA)
    assert library.read(sha256) == DATA


@pytest.mark.parametrize("name", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "incoming"])
def test_a_name_that_is_no_kept_hash_is_unknown(library: Library, name: str) -> None:
    assert code_of(library, name) is Code.CREATIVE_UNKNOWN


def test_a_disk_that_cannot_write_leaves_nothing_behind(library: Library, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(DATA).hexdigest()
    place_of(tmp_path, sha256).mkdir(parents=True)  # a rename onto a folder fails as a full disk would
    with pytest.raises(OpenSlotError) as failed:
        library.put(DATA)
    assert failed.value.code is Code.STORAGE_FAILED
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("files_before_kill", [1, 2, 5])
def test_a_process_killed_while_writing_leaves_whole_files_only(tmp_path: Path, files_before_kill: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(files_before_kill)]
    time.sleep(0.003 * files_before_kill)  # into the next file, at no special point
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    library = Library(tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= set(acknowledged)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in kept)
    assert all(library.read(name) for name in acknowledged)
