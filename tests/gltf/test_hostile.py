import subprocess
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from openslot_gltf import Rule, check, read_document
from openslot_gltf.limits import TIERS
from openslot_gltf.rules import NOT_READ, REPAIRED, WARNED
from openslot_spec.errors import Code, OpenSlotError
from tests.gltf.build import HONEST
from tests.gltf.hostile import HOSTILE, Hostile
from tests.gltf.khronos import SHARED

HARMLESS = {"35_missing_minmax.glb"}
"""Shared files that are mended rather than refused."""


def shared_hostile_files() -> Iterator[Any]:
    if (SHARED / "hostile.zip").exists():
        with zipfile.ZipFile(SHARED / "hostile.zip") as archive:
            for member in archive.namelist():
                yield pytest.param(member, archive.read(member), id=member)


@pytest.mark.parametrize("hostile", [pytest.param(hostile, id=name) for name, hostile in HOSTILE.items()])
def test_each_hostile_file_is_refused_by_its_rule_first(hostile: Hostile) -> None:
    refusal = check(hostile.data(), "L").refusal()
    assert refusal is not None
    assert refusal.code is hostile.rule, refusal


@pytest.mark.parametrize(("name", "data"), list(shared_hostile_files()))
@pytest.mark.parametrize("tier", ["S", "L"])
def test_the_shared_hostile_files_are_refused_or_mended(name: str, data: bytes, tier: str) -> None:
    assert check(data, tier).accepted == (name in HARMLESS)


def test_every_rule_that_refuses_is_shown_by_a_hostile_file() -> None:
    shown = {hostile.rule for hostile in HOSTILE.values()}
    # What a slot asks is no reader's, what is compressed is decoded in test_compressed, pictures in their own tests.
    elsewhere = {rule for rule in Rule if rule.startswith(("terms.", "video."))}
    elsewhere |= {Rule.COMPRESSED_DAMAGED, Rule.IMAGE_DAMAGED}
    assert set(Rule) - REPAIRED - WARNED - shown - elsewhere == set()


def test_a_refusal_says_what_is_wrong_where_and_what_to_do() -> None:
    with pytest.raises(OpenSlotError) as caught:
        read_document(HOSTILE["index_beyond_the_vertices"].data(), TIERS["L"])
    assert caught.value.code is Code.GLTF_REFUSED
    assert caught.value.where == "/meshes/0/primitives/0/indices"
    assert caught.value.detail.startswith("mesh.indices: index 24 of 24 vertices. ")
    assert "export the file again" in caught.value.detail


@pytest.mark.parametrize("name", ["html_page", "cut_json", "version_3", "bytes_after_the_end"])
def test_what_is_not_gltf_2_is_not_read(name: str) -> None:
    assert HOSTILE[name].rule in NOT_READ
    with pytest.raises(OpenSlotError) as caught:
        read_document(HOSTILE[name].data())
    assert caught.value.code is Code.GLTF_NOT_READ


WATCHED = """
import sys
from openslot_gltf import check
files = [bytes.fromhex(line) for line in sys.stdin]
seen = []
inside = ("open", "socket", "subprocess", "os.", "shutil", "urllib", "ctypes.dlopen", "import")
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(inside) else None)
for data in files:
    check(data, "L")
sys.exit(str(seen) if seen else 0)
"""


def test_no_file_is_opened_and_no_socket_whatever_is_read() -> None:
    files = [hostile.data() for hostile in HOSTILE.values()] + [make().glb() for make in HONEST.values()]
    text = "\n".join(data.hex() for data in files if len(data) < 1_100_000)
    run = subprocess.run([sys.executable, "-c", WATCHED], input=text, text=True, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
