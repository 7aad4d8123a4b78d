"""Writes `spec/creative-codes.md`, the table of all that the gate may say. `make schema` runs it; a test compares."""

from __future__ import annotations

import sys
from pathlib import Path

from openslot_gltf import TIERS, Limits
from openslot_gltf.rules import NOT_READ, REPAIRED, SENTENCES, WARNED, Rule
from openslot_server.creatives.kinds import VIDEO_TIERS
from openslot_server.creatives.review import SENTENCES as WHY
from openslot_server.creatives.review import Why
from openslot_server.creatives.verdict import FAULT_SENTENCES

__all__ = ["NAME", "table"]

NAME = "creative-codes.md"
HEAD = """# Codes of the creatives' gate
Generated from `openslot_gltf/rules.py`. `openslot creative check --json` and the answer to an upload list findings with
one of these codes, a JSON pointer into the file, and a sentence on the case. *Not read* and *refused* keep a file out
(exit codes 2 and 1), *repaired* was mended in the file that is served, a *warning* changes nothing. Codes `khronos.*`
are those of the Khronos glTF validator, where it is installed.

| code | what follows | what it means, and what to do |
|---|---|---|
"""


REVIEWS = """
## Reasons of a review
What passed the gate may still wait, or be refused, on the platform or in a world: `/v1/creatives/{sha256}/reviews` says
where. Only what both the platform and a world approve of is shown there.

| reason | what it means, and what to do |
|---|---|
"""


TIERED = """
## Tiers
What a slot takes of each kind, by `accepts.tier`; a creative is told the smallest that takes it. In brackets: advised.

| | models | images | videos |
|---|---|---|---|
"""


def table() -> str:
    """Return the document."""
    rows = [f"| `{rule}` | {_follows(rule)} | {SENTENCES[rule]} |" for rule in Rule]
    rows += [f"| `{fault}` | refused | {sentence} |" for fault, sentence in FAULT_SENTENCES.items()]
    return (
        HEAD
        + "\n".join(rows)
        + "\n"
        + TIERED
        + _tiers()
        + REVIEWS
        + "\n".join(f"| `{why}` | {WHY[why]} |" for why in Why)
        + "\n"
    )


def _tiers() -> str:
    return "".join(f"| {name} | {_model(TIERS[name])} | {_image(TIERS[name])} | {_video(name)} |\n" for name in TIERS)


def _model(limits: Limits) -> str:
    triangles = f"{limits.triangles:,} ({limits.triangles_advised:,}) triangles"
    draws = f"{limits.draws} ({limits.draws_advised}) draws"
    return f"{limits.file_bytes / 1e6:g} MB, {triangles}, {draws}, textures of {limits.side_px} px"


def _image(limits: Limits) -> str:
    return f"{limits.file_bytes / 1e6:g} MB, {limits.side_px} px"


def _video(tier: str) -> str:
    limits = VIDEO_TIERS[tier]
    return f"{limits.file_bytes / 1e6:g} MB, {limits.side_px} px, {limits.seconds:g} s, 60 frames a second"


def _follows(rule: Rule) -> str:
    if rule in REPAIRED | WARNED:
        return "repaired" if rule in REPAIRED else "warning"
    return "not read" if rule in NOT_READ else "refused"


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_text(table(), "utf-8")
