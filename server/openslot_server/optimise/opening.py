"""What a sandbox's worker runs before optimising: a file of any tier becomes a plain one that a strict reader takes."""

from __future__ import annotations

from dataclasses import replace

from openslot_gltf import TIERS
from openslot_gltf.expand import loaded
from openslot_gltf.prune import pruned
from openslot_gltf.read import examined
from openslot_gltf.rules import Report
from openslot_gltf.write import write_glb
from openslot_server.creatives.images import read_picture
from openslot_server.creatives.kinds import is_image
from openslot_server.creatives.verdict import MAX_TEXT, Finding, Stats, Verdict

__all__ = ["SANDBOX", "WIDE", "opened"]

SANDBOX = "openslot_server.optimise.opening:opened"
WIDE = replace(
    TIERS["L"],
    name="wide",
    file_bytes=64_000_000,
    triangles=2_000_000,
    triangles_advised=2_000_000,
    draws=4_000,
    draws_advised=4_000,
    vertices=8_000_000,
    side_px=8192,
    pixels=8192 * 8192,
    json_bytes=16_000_000,
    array_items=200_000,
    accessor_items=10_000_000,
    decoded_bytes=256_000_000,
    decodes=True,
)
"""What may be made smaller."""
loaded(WIDE)  # a worker can open no file to load anything


def opened(data: bytes, _asked: str) -> bytes:
    """Return the JSON of a `Verdict` that brings the file plain: a GLB that is read strictly, or a clean image."""
    verdict = _image(data) if is_image(data) else _model(data)
    return verdict.model_dump_json().encode()


def _model(data: bytes) -> Verdict:
    checked = examined(data, WIDE)
    findings = _findings(Report(findings=list(checked.findings)))
    if checked.document is None or checked.stats is None:
        return Verdict(accepted=False, findings=findings)
    plain = write_glb(pruned(checked.document))
    counted = checked.stats
    stats = Stats(
        tier="L",
        triangles=counted.triangles,
        draws=counted.draws,
        animated=counted.animations > 0,
        size=counted.size_m,
    )
    return Verdict(accepted=True, findings=findings, stats=stats, repaired=plain)


def _image(data: bytes) -> Verdict:
    report = Report()
    picture = read_picture(data, WIDE, report)
    if picture is None:
        return Verdict(accepted=False, findings=_findings(report))
    size = (picture.header.width_px / picture.header.height_px, 1.0, 0.0)
    stats = Stats(tier="L", triangles=2, draws=1, animated=False, size=size)
    return Verdict(
        accepted=True,
        findings=_findings(report),
        stats=stats,
        repaired=picture.data,
        media_type=picture.header.media_type,
    )


def _findings(report: Report) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code=found.code.value,
            severity=found.severity,
            pointer=found.pointer[:MAX_TEXT],
            message=found.message[:MAX_TEXT],
        )
        for found in report.findings
    )
