"""What a sandbox's worker runs: the glTF gate, and the figures the auction needs of a creative that passes it."""

from __future__ import annotations

from itertools import takewhile
from typing import get_args

from openslot_gltf import Finding as GltfFinding
from openslot_gltf import check
from openslot_gltf.budget import Stats as GltfStats
from openslot_server.creatives.verdict import MAX_TEXT, Finding, Stats, Tier, Verdict

__all__ = ["examine"]


def examine(data: bytes, tier: str) -> bytes:
    """Return the JSON of the `Verdict` on `data`: that of the smallest tier that takes it, or else that of `tier`."""
    smaller = takewhile(lambda name: name != tier, get_args(Tier))
    verdicts = (_verdict(data, name) for name in smaller)
    taken = next((verdict for verdict in verdicts if verdict.accepted), None)
    return (taken or _verdict(data, tier)).model_dump_json().encode()


def _verdict(data: bytes, tier: str) -> Verdict:
    checked = check(data, tier)
    findings = tuple(_finding(finding) for finding in checked.findings)
    stats = _stats(checked.stats, tier) if checked.accepted and checked.stats else None
    return Verdict(accepted=checked.accepted, findings=findings, stats=stats)


def _stats(counted: GltfStats, tier: str) -> Stats:
    return Stats(
        tier=next(name for name in get_args(Tier) if name == tier),
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
