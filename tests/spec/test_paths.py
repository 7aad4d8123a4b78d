import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.paths import MAX_TOTAL_MS, Paths

SCHEMA = Path(__file__).resolve().parents[2] / "spec" / "schema" / "paths.json"


def point(t_ms: float, **fields: Any) -> dict[str, Any]:
    return {"t_ms": t_ms, "position": [0, 1.6, t_ms / 1000], "target": [0, 1.6, -9]} | fields


GOOD = {"paths": [[point(0), point(500.5)], [point(20), point(40), point(60)]]}


def test_a_file_of_paths_is_read_and_written_back() -> None:
    paths = Paths.parse(GOOD)
    assert [len(path) for path in paths.paths] == [2, 3]
    assert Paths.parse(paths.plain()) == paths
    jsonschema.validate(GOOD, json.loads(SCHEMA.read_text("utf-8")))


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ([], ""),
        ({}, "paths"),
        ({"paths": []}, "paths"),
        ({"paths": [[point(0)]]}, "paths/0"),
        ({"paths": [[point(0), point(0)]]}, ""),
        ({"paths": [[point(9), point(3)]]}, ""),
        ({"paths": [[point(0), point(-1)]]}, "paths/0/1/t_ms"),
        ({"paths": [[point(0), point(float("nan"))]]}, "paths/0/1/t_ms"),
        ({"paths": [[point(0), point(9, position=[0, 1])]]}, "paths/0/1/position"),
        ({"paths": [[point(0), point(9, position=[0, 1, 1e300])]]}, "paths/0/1/position"),
        ({"paths": [[point(0), point(9, target=[0, 1.6, 0.009])]]}, "paths/0/1"),
        ({"paths": [[point(0), point(9, target=None)]]}, "paths/0/1/target"),
        ({"paths": [[point(0), point(9, speed=3)]]}, "paths/0/1/speed"),
        ({"paths": [[point(0), point(MAX_TOTAL_MS)]] * 2}, ""),
        ({**GOOD, "fov_y_deg": 180}, "fov_y_deg"),
        ({**GOOD, "viewport_px": [1280, 0]}, "viewport_px/1"),
    ],
)
def test_what_is_no_path_is_refused_with_its_place(bad: Any, where: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Paths.parse(bad, Code.PATHS_INVALID)
    assert refused.value.code is Code.PATHS_INVALID
    assert refused.value.where.startswith(where)
    assert bool(refused.value.where) == bool(where)
