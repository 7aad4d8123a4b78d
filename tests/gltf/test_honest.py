"""Real models: the 82 of npm `@webxr-input-profiles/assets`, and those of `../shared/gltf` where that folder is."""

from dataclasses import replace
from pathlib import Path

import pytest

from openslot_gltf import SCENE, TIERS, Rule, add_slot, check, embed, read_document, write_glb
from openslot_gltf.document import Document
from openslot_gltf.read import examined
from openslot_spec.slots import SlotTerms
from tests.gltf.build import room
from tests.gltf.khronos import TOOLS, shared_models, verdicts

ASSETS = TOOLS / "node_modules" / "@webxr-input-profiles" / "assets" / "dist"
MODELS = {f"{path.parent.name} {path.name}": path for path in (*sorted(ASSETS.rglob("*.glb")), *shared_models())}
WIDE = replace(TIERS["L"], file_bytes=64_000_000, side_px=16_384, pixels=1_000_000_000)
"""Budgets beyond all of them."""
BUDGETS = {rule for rule in Rule if rule.startswith("budget.")} | {Rule.FILE_SIZE, Rule.IMAGE_SIDE, Rule.IMAGE_PIXELS}
COUNTED = ("meshes", "materials", "textures", "animations", "skins")


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    judged = {name: examined(path.read_bytes(), WIDE) for name, path in MODELS.items()}
    return {name: verdict.document for name, verdict in judged.items() if verdict.document is not None}


def test_what_the_validator_finds_clean_is_accepted(documents: dict[str, Document], tmp_path: Path) -> None:
    assert len(MODELS) >= 82, "`make test` installs the models"
    said = verdicts({name: path.read_bytes() for name, path in MODELS.items()}, tmp_path)
    clean = {name for name, verdict in said.items() if not verdict["errors"]}
    assert len(clean) >= 82
    assert clean - documents.keys() == set()


def test_what_is_accepted_has_no_error_as_it_is_served(documents: dict[str, Document], tmp_path: Path) -> None:
    said = verdicts({name: write_glb(document) for name, document in documents.items()}, tmp_path)
    assert {name: verdict["errors"] for name, verdict in said.items() if verdict["errors"]} == {}


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_refuses_them_for_its_budget_alone(tier: str) -> None:
    refused = {name: check(path.read_bytes(), tier).refusal() for name, path in MODELS.items()}
    assert {name: why for name, why in refused.items() if why is not None and why.code not in BUDGETS} == {}
    if tier == "L":
        assert sum(why is None for why in refused.values()) >= 78


def test_embedding_keeps_every_count_exactly(documents: dict[str, Document], tmp_path: Path) -> None:
    scene = add_slot(read_document(room().glb(), SCENE), SlotTerms(id="board", size=(2, 1)), (0, 1.5, 0))
    hung = {name: embed(scene, "board", document) for name, document in documents.items()}
    for name, document in hung.items():
        for array in COUNTED:
            both = len(scene.array(array)) + len(documents[name].array(array))
            assert len(document.array(array)) == both, (name, array)
    files = {name: write_glb(document) for name, document in hung.items()}
    alone = verdicts({name: write_glb(document) for name, document in documents.items()}, tmp_path)
    said = verdicts(files | {"scene": write_glb(scene)}, tmp_path)
    assert {name: verdict["errors"] for name, verdict in said.items() if verdict["errors"]} == {}
    for count in ("totalTriangleCount", "drawCallCount", "animationCount", "materialCount"):
        base = said["scene"]["info"][count]
        assert {name: said[name]["info"][count] - base for name in hung} == {
            name: alone[name]["info"][count] for name in hung
        }, count
