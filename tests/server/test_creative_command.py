import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openslot_server.cli.creative import app
from openslot_server.creatives import khronos
from openslot_server.creatives.verdict import Finding
from openslot_spec.errors import OpenSlotError, exit_code
from tests.server.glbs import board, glb, hostile, parts, turning

SLOT = {"id": "wall", "size": [3, 2], "depth": 0.2}


def checked(tmp_path: Path, data: bytes, *options: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "creative.glb"
    path.write_bytes(data)
    result = CliRunner().invoke(app, ["check", str(path), "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def slot_file(tmp_path: Path, **terms: Any) -> str:
    path = tmp_path / "slot.json"
    path.write_text(json.dumps(SLOT | terms))
    return str(path)


def test_a_sound_creative_is_accepted_with_its_figures_by_both_gates(tmp_path: Path) -> None:
    code, said = checked(tmp_path, board(3, 2))
    assert code == 0
    assert (said["accepted"], said["findings"], said["khronos"], said["tier"]) == (True, [], True, "M")
    figures = {"tier": "S", "triangles": 2, "draws": 1, "animated": False, "size": [3, 2, 0]}
    assert said["stats"].items() >= figures.items()


@pytest.mark.parametrize("name", sorted(hostile())[:4])
def test_a_hostile_file_is_refused_or_not_read(tmp_path: Path, name: str) -> None:
    code, said = checked(tmp_path, hostile()[name], "--no-khronos")
    assert code in (1, 2)
    assert [finding for finding in said["findings"] if finding["severity"] == "error"]


@pytest.mark.parametrize(("data", "code"), [(b"", 2), (b"<html>", 2), (board()[:-4], 2), (board() + bytes(600_000), 1)])
def test_what_is_not_gltf_is_not_read_and_what_is_too_large_is_refused(tmp_path: Path, data: bytes, code: int) -> None:
    assert checked(tmp_path, data)[0] == code


@pytest.mark.parametrize(
    ("data", "terms", "refusal"),
    [
        (board(), {}, None),
        (turning(), {}, None),
        (turning(), {"accepts": {"animation": False}}, "terms.animation"),
        (board(), {"accepts": {"media": ["image/png"]}}, "terms.media"),
        (turning(), {"depth": 0}, "terms.fit"),
        (board(), {"depth": 0}, None),
        (board(name="x" * 300_000), {"accepts": {"tier": "S"}}, "file.size"),
        (board(name="x" * 300_000), {"accepts": {"tier": "L"}}, None),
    ],
)
def test_a_slots_own_rules_hold(tmp_path: Path, data: bytes, terms: dict[str, Any], refusal: str | None) -> None:
    code, said = checked(tmp_path, data, "--slot", slot_file(tmp_path, **terms), "--no-khronos")
    errors = [finding["code"] for finding in said["findings"] if finding["severity"] == "error"]
    assert (code, errors) == ((0, []) if refusal is None else (1, [refusal]))


def test_a_larger_tier_than_the_slots_is_told_apart(tmp_path: Path) -> None:
    slot = slot_file(tmp_path, accepts={"tier": "S"})
    code, said = checked(tmp_path, board(name="x" * 300_000), "--slot", slot, "--tier", "L", "--no-khronos")
    assert (code, said["findings"][-1]["code"]) == (1, "terms.tier")


def test_how_it_stands_in_the_slot_is_said(tmp_path: Path) -> None:
    placed = checked(tmp_path, board(6, 2), "--slot", slot_file(tmp_path))[1]["placed"]
    assert placed == {"scale": [0.5] * 3, "size": [3, 1, 0], "covers": [1, 0.5]}


def test_a_list_of_one_slot_is_that_slot(tmp_path: Path) -> None:
    (tmp_path / "slot.json").write_text(json.dumps({"slots": [SLOT]}))
    assert checked(tmp_path, board(6, 2), "--slot", str(tmp_path / "slot.json"))[1]["placed"]["scale"] == [0.5] * 3


@pytest.mark.parametrize("text", ["{", "[]", "[{}, {}]", '{"slots": 7}', '{"id": "wall"}'])
def test_a_slot_that_is_none_is_not_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "creative.glb").write_bytes(board())
    (tmp_path / "slot.json").write_text(text)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "creative.glb"), "--slot", str(tmp_path / "slot.json")])
    assert isinstance(result.exception, OpenSlotError)
    assert exit_code(result.exception.code) == 2


def test_an_error_of_the_khronos_validator_refuses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Finding(code="khronos.oops", severity="error", message="Oops.")
    monkeypatch.setattr("openslot_server.cli.creative.second_opinion", lambda _: (wrong,))
    code, said = checked(tmp_path, board())
    assert (code, said["accepted"], said["findings"][0]["code"]) == (1, False, "khronos.oops")


def test_the_second_opinion_is_the_validators() -> None:
    document, binary = parts(board())
    document["accessors"][0]["count"] = 400
    opinion = khronos.second_opinion(glb(document, binary))
    assert opinion is not None
    assert opinion[0].code == "khronos.accessor_too_long"
    assert (opinion[0].severity, opinion[0].pointer) == ("error", "/accessors/0")
    assert khronos.second_opinion(board()) == ()


@pytest.mark.parametrize(
    ("program", "code"),
    [("while (true) {}", "khronos.time"), ("process.exit(3)", "khronos.crash"), ("throw 1", "khronos.crash")],
)
def test_a_validator_that_hangs_or_fails_is_said_and_ended(
    monkeypatch: pytest.MonkeyPatch, program: str, code: str
) -> None:
    monkeypatch.setattr(khronos, "PROGRAM", program)
    monkeypatch.setattr(khronos, "TIME_S", 0.5)
    opinion = khronos.second_opinion(board())
    assert opinion is not None
    assert [(finding.code, finding.severity) for finding in opinion] == [(code, "warning")]


def test_without_node_there_is_no_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert khronos.second_opinion(board()) is None
