"""`openslot plan` on rooms made here: files in, figures out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openslot_gltf import Document, add_slot, read_document, write_glb
from openslot_server.cli.forecast import Crowd
from openslot_spec.slots import SlotTerms
from tests.gltf.build import Maker
from tests.server.test_commands import Run, run

__all__ = ["run"]

BOXES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "floor": ((6, 0.2, 14), (0, -0.1, 0)),
    "north wall": ((6, 3, 0.2), (0, 1.5, -7.1)),
    "south wall": ((6, 3, 0.2), (0, 1.5, 7.1)),
    "west wall": ((0.2, 3, 14), (-3.1, 1.5, 0)),
    "east wall": ((0.2, 3, 14), (3.1, 1.5, 0)),
}
PILLAR = ((1.0, 3, 0.3), (0.3, 1.5, -4.5))
QUICK = ("--backend", "numpy", "--json")


def room(**more: Any) -> Document:
    maker = Maker()
    for name, (size, centre) in (BOXES | more).items():
        maker.node(mesh=maker.box(size, centre), name=name)
    return read_document(maker.glb())


def with_board(document: Document, at: tuple[float, float, float], facing: tuple[float, float, float]) -> Document:
    name = f"board-{len(document.json['nodes'])}"
    return add_slot(document, SlotTerms.parse({"id": name, "size": [2.0, 1.0]}), at, facing)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A hall with a board at its north end, a pillar before that, and a board that faces the wall."""
    document = with_board(room(pillar=PILLAR), (0, 1.6, -6.98), (0, 0, 1))
    path = tmp_path / "hall.glb"
    path.write_bytes(write_glb(with_board(document, (2.9, 1.6, 0), (1, 0, 0))))
    return path


@pytest.fixture
def aisle(tmp_path: Path) -> Path:
    """The hall with a curtain before one half of its board."""
    curtain = ((2.0, 3, 0.1), (-1.0, 1.5, -6.9))
    path = tmp_path / "aisle.glb"
    path.write_bytes(write_glb(with_board(room(curtain=curtain), (0, 1.6, -6.98), (0, 0, 1))))
    return path


@pytest.fixture
def paths(tmp_path: Path) -> Path:
    """Six people who walk towards the north end and look at it."""
    ways = [
        [{"t_ms": t, "position": [x, 1.6, z], "target": [0.0, 1.6, -7.0]} for t, z in ((0, 2.0), (4000, -3.0))]
        for x in (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0)
    ]
    path = tmp_path / "paths.json"
    path.write_text(json.dumps({"paths": ways}))
    return path


def test_figures_reasons_and_what_is_in_the_way(run: Run, scene: Path, paths: Path) -> None:
    ended = run("plan", scene, "--paths", paths, *QUICK)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    north, turned = said["slots"]
    assert said["visits"] == 6
    figures = north["impressions_per_1000_visits"]
    assert 0 < figures["low"] < figures["mean"] < figures["high"] < 1000
    assert figures["mean"] == pytest.approx(1000 * north["counted_share"])
    # 41 samples of 100 ms a visit, six people always there
    assert north["impressions_per_hour"]["mean"] == pytest.approx(6 * 3600 / 4.1 * north["counted_share"], abs=0.01)
    assert north["why_not"]["obstructed"] > 0
    assert sum(north["why_not"].values()) + north["counted_share"] == pytest.approx(1)
    assert north["occluders"][0]["name"] == "pillar"
    assert figures["mean"] + north["occluders"][0]["impressions_per_1000_visits"] == pytest.approx(1000)
    assert (turned["counted_share"], turned["why_not"]) == (0, {"back_facing": 1.0})
    assert "what stands before" in ended.stderr


def test_the_table_says_the_same_in_a_narrow_window(
    run: Run, scene: Path, paths: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = run("plan", scene, "--paths", paths, "--backend", "numpy", "--suggest", "1", "--size", "1.5,0.8")
    assert ended.returncode == 0
    assert "pillar" in ended.stdout
    assert "back facing" in " ".join(ended.stdout.split())
    assert "openslot scene add-slot" in ended.stdout
    assert "# suggested-1, " in ended.stdout
    assert max(len(line) for line in ended.stdout.splitlines() if "add-slot" not in line) <= 80


def test_the_same_seed_says_the_same_and_another_does_not(run: Run, scene: Path) -> None:
    words = ("plan", scene, "--walkers", "6", "--seconds", "15", *QUICK)
    first, again, other = (run(*words, "--seed", seed).stdout for seed in ("4", "4", "5"))
    assert first == again
    assert first != other


def test_a_suggested_board_can_be_hung_as_it_is_written_and_brings_what_was_said(
    run: Run, paths: Path, tmp_path: Path
) -> None:
    scene, hung = tmp_path / "room.glb", tmp_path / "hung.glb"
    scene.write_bytes(write_glb(room()))
    (board,) = json.loads(run("plan", scene, "--paths", paths, "--suggest", "1", *QUICK).stdout)["suggestions"]
    assert board["facing"][2] > 0.7
    assert board["position"][2] < -4
    command = board["command"].split()
    assert command[0] == "openslot"
    assert run(*command[1:-1], hung).returncode == 0
    (planned,) = json.loads(run("plan", hung, "--paths", paths, *QUICK).stdout)["slots"]
    assert planned == {name: board[name] for name in planned}
    assert planned["counted_share"] == 1


def test_walkers_of_any_scene_find_their_way_and_a_place_for_a_board(run: Run, tmp_path: Path) -> None:
    scene = tmp_path / "room.glb"
    scene.write_bytes(write_glb(room()))
    words = ("--walkers", "10", "--seconds", "30", "--suggest", "2", "--size", "1.5,1", *QUICK)
    ended = run("plan", scene, *words)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["slots"] == []
    assert [board["slot"] for board in said["suggestions"]] == ["suggested-1", "suggested-2"]
    assert all(board["counted_share"] > 0 for board in said["suggestions"])
    assert all(board["size"] == [1.5, 1.0] for board in said["suggestions"])


def test_a_scene_with_nothing_in_it_has_no_place_for_a_board(run: Run, tmp_path: Path) -> None:
    scene = tmp_path / "empty.glb"
    maker = Maker()
    maker.node(name="nothing")
    scene.write_bytes(write_glb(read_document(maker.glb())))
    ended = run("plan", scene, "--suggest", "1", "--backend", "numpy")
    assert (ended.returncode, "no place was found" in ended.stdout) == (0, True)
    alone = run("plan", scene)
    assert (alone.returncode, "scene.without_slots" in alone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[", 2, "run.file_invalid"),
        ("[]", 2, "paths.invalid"),
        ('{"paths": [[{"t_ms": 0, "position": [0, 1, 2], "target": [0, 1, 3]}]]}', 2, "paths.invalid at paths/0"),
        ('{"paths": [[{"t_ms": "0"}, {}]]}', 2, "paths.invalid at paths/0/0"),
        (None, 2, "run.file_not_found"),
    ],
)
def test_bad_paths_are_refused_by_their_code(run: Run, scene: Path, text: str | None, code: int, says: str) -> None:
    paths = scene.with_name("bad.json")
    if text is not None:
        paths.write_text(text)
    ended = run("plan", scene, "--paths", paths)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "nobodys"], "profile.unknown"),
        (["--suggest", "1", "--size", "2"], "run.argument_invalid at --size"),
        (["--suggest", "1", "--size", "2,0"], "run.argument_invalid at --size"),
        (["--suggest", "1", "--size", "nan,1"], "run.argument_invalid at --size"),
        (["--walkers", "9999", "--seconds", "3600"], "run.argument_invalid at --walkers"),
    ],
)
def test_words_that_make_no_sense_are_refused(run: Run, scene: Path, words: list[str], says: str) -> None:
    ended = run("plan", scene, "--backend", "numpy", *words)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert ended.stdout == ""


def test_paths_and_walkers_together_are_refused(run: Run, scene: Path, paths: Path) -> None:
    ended = run("plan", scene, "--paths", paths, "--walkers", "3")
    assert "run.argument_invalid" in ended.stderr


def test_a_crowd_counts_its_visits() -> None:
    assert Crowd(None, 7, 30, 0).visits == 7


def test_a_picture_shows_which_part_of_a_board_is_seen(run: Run, aisle: Path, paths: Path, tmp_path: Path) -> None:
    words = ("plan", aisle, "--paths", paths, "--profile", "mrc-display", "--heat", tmp_path / "heat", *QUICK)
    (file,) = json.loads(run(*words).stdout)["heat"].values()
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("L"), np.float64)
    board = pixels[8:328, 8:648]
    assert board[:, :300].max() < 60 < 200 < board[:, 340:].min()
    free = ("--hides", "curtain=ignore")
    (file,) = json.loads(run(*words, *free).stdout)["heat"].values()
    with Image.open(file) as picture:
        assert np.asarray(picture.convert("L"))[8:328, 8:648].min() > 200


@pytest.mark.parametrize(
    ("word", "says"),
    [("curtain", "NODE=MODE"), ("door=ignore", "no node is called 'door'"), ("curtain=glass", "'glass' is no mode")],
)
def test_a_node_that_hides_as_nothing_does_is_refused(run: Run, aisle: Path, paths: Path, word: str, says: str) -> None:
    refused = run("plan", aisle, "--paths", paths, "--hides", word, *QUICK)
    assert refused.returncode == 2
    assert says in refused.stderr
