"""Writes `spec/creative-codes.md`, the table of all that the gate may say. `make schema` runs it; a test compares."""

from __future__ import annotations

import sys
from pathlib import Path

from openslot_gltf.rules import NOT_READ, REPAIRED, SENTENCES, WARNED, Rule
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


def table() -> str:
    """Return the document."""
    rows = [f"| `{rule}` | {_follows(rule)} | {SENTENCES[rule]} |" for rule in Rule]
    rows += [f"| `{fault}` | refused | {sentence} |" for fault, sentence in FAULT_SENTENCES.items()]
    return HEAD + "\n".join(rows) + "\n" + REVIEWS + "\n".join(f"| `{why}` | {WHY[why]} |" for why in Why) + "\n"


def _follows(rule: Rule) -> str:
    if rule in REPAIRED | WARNED:
        return "repaired" if rule in REPAIRED else "warning"
    return "not read" if rule in NOT_READ else "refused"


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_text(table(), "utf-8")
