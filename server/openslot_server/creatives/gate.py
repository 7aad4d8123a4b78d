"""What a sandbox's worker runs: the glTF gate, and the figures the auction needs of a creative that passes it."""

from __future__ import annotations

from typing import get_args

from openslot_gltf import Document, check
from openslot_gltf import Finding as GltfFinding
from openslot_gltf.bounds import content_bounds
from openslot_gltf.geometry import scene_geometry
from openslot_server.creatives.verdict import MAX_TEXT, Box, Finding, Stats, Tier, Verdict

__all__ = ["examine"]


def examine(data: bytes, tier: str) -> bytes:
    """Return the JSON of the `Verdict` on `data` under the budget of `tier`."""
    checked = check(data, tier)
    findings = tuple(_finding(finding) for finding in checked.findings)
    stats = None if checked.document is None else _stats(checked.document, data)
    return Verdict(accepted=checked.accepted, findings=findings, stats=stats).model_dump_json().encode()


def _stats(document: Document, data: bytes) -> Stats:
    bounds = content_bounds(document)
    return Stats(
        tier=next(name for name in get_args(Tier) if check(data, name).accepted),
        triangles=len(scene_geometry(document).triangles),
        animated=bool(document.array("animations")),
        bounds=Box(low=tuple(bounds.low.tolist()), high=tuple(bounds.high.tolist())),
    )


def _finding(finding: GltfFinding) -> Finding:
    return Finding(
        code=finding.code.value,
        severity=finding.severity,
        pointer=finding.pointer[:MAX_TEXT],
        message=finding.message[:MAX_TEXT],
    )
