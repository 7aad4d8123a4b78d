"""What a sandbox's worker runs: the glTF gate, and the figures the auction needs of a creative that passes it."""

from __future__ import annotations

from typing import get_args

from openslot_gltf import Finding as GltfFinding
from openslot_gltf import check
from openslot_gltf.budget import Stats as GltfStats
from openslot_server.creatives.verdict import MAX_TEXT, Finding, Stats, Tier, Verdict

__all__ = ["examine"]


def examine(data: bytes, tier: str) -> bytes:
    """Return the JSON of the `Verdict` on `data` under the budget of `tier`."""
    checked = check(data, tier)
    findings = tuple(_finding(finding) for finding in checked.findings)
    stats = _stats(checked.stats, data) if checked.accepted and checked.stats else None
    return Verdict(accepted=checked.accepted, findings=findings, stats=stats).model_dump_json().encode()


def _stats(counted: GltfStats, data: bytes) -> Stats:
    return Stats(
        tier=next(tier for tier in get_args(Tier) if check(data, tier).accepted),
        triangles=counted.triangles,
        draws=counted.draws,
        animated=counted.animations > 0,
        size=counted.size_m,
    )


def _finding(finding: GltfFinding) -> Finding:
    return Finding(
        code=finding.code.value,
        severity=finding.severity,
        pointer=finding.pointer[:MAX_TEXT],
        message=finding.message[:MAX_TEXT],
    )
