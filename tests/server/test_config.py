from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openslot_server.config import Settings
from openslot_spec.errors import Code, OpenSlotError


def written(folder: Path, text: str) -> Path:
    file = folder / "openslot.toml"
    file.write_text(text, "utf-8")
    return file


def test_what_is_given_beats_variables_and_variables_beat_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, 'port = 1\nhost = "file"\ndatabase = "file.db"\n[limits]\nslots_per_world = 7\n')
    monkeypatch.setenv("OPENSLOT_PORT", "2")
    monkeypatch.setenv("OPENSLOT_HOST", "variable")
    settings = Settings.read(file, port=3, host=None)
    assert (settings.port, settings.host, settings.database) == (3, "variable", Path("file.db"))
    assert settings.limits.slots_per_world == 7


def test_creatives_are_kept_beside_the_database_unless_said_otherwise() -> None:
    assert Settings.read(database=Path("x/y.db")).library == Path("x/y.db.assets")
    assert Settings.read(assets=Path("z")).library == Path("z")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("port = 70000", "port"),
        ("port = 'x'", "port"),
        ("prot = 8787", "prot"),
        ("platform_fee_ppm = 1000001", "platform_fee_ppm"),
        ("operator_key = 'letmein'", "operator_key"),
        ("[limits]\nframe_bytes = 0", "limits.frame_bytes"),
        ("[limits]\nevents_per_batch = 10001", "limits"),
        ("port = ", "openslot.toml"),
        ("currency = 'dollars'", "currency"),
    ],
)
def test_a_setting_that_is_not_valid_is_named(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Settings.read(written(tmp_path, text))
    assert refused.value.code is Code.CONFIG_INVALID
    assert refused.value.where.endswith(where)


def test_a_variable_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSLOT_PLACEMENT_MS", "soon")
    with pytest.raises(OpenSlotError) as refused:
        Settings.read()
    assert (refused.value.code, refused.value.where) == (Code.CONFIG_INVALID, "placement_ms")


@pytest.mark.parametrize("given", [{"port": -1}, {"database": 3}])
def test_an_option_that_is_not_valid_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Settings.read(**given)
    assert refused.value.where == next(iter(given))


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Settings.read(tmp_path / "nowhere.toml")
    assert refused.value.code is Code.FILE_NOT_FOUND
