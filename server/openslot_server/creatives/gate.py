"""What a sandbox's worker runs: the gate of glTF or of images, and the figures the auction needs of what passes it."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import takewhile
from typing import get_args

from openslot_gltf import TIERS, write_glb
from openslot_gltf import Finding as GltfFinding
from openslot_gltf import Verdict as Checked
from openslot_gltf.budget import Stats as GltfStats
from openslot_gltf.document import Document
from openslot_gltf.expand import loaded
from openslot_gltf.read import examined
from openslot_gltf.rules import Report
from openslot_gltf.strip import stripped
from openslot_server.creatives.images import read_picture
from openslot_server.creatives.kinds import VIDEO_TIERS, is_image, is_video
from openslot_server.creatives.terms import held_to_slot
from openslot_server.creatives.verdict import MAX_TEXT, Finding, Stats, Tier, Verdict
from openslot_server.creatives.videos import read_video
from openslot_spec.slots import SlotTerms

__all__ = ["examine"]

DECODING = {name: replace(limits, decodes=True) for name, limits in TIERS.items()}
SAMPLE = write_glb(
    Document(
        {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
            "materials": [{}],
            "accessors": [
                {
                    "bufferView": 0,
                    "componentType": 5126,
                    "count": 3,
                    "type": "VEC3",
                    "min": [0, 0, 0],
                    "max": [1, 1, 0],
                },
                {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"},
            ],
            "bufferViews": [
                {"buffer": 0, "byteLength": 36, "target": 34962},
                {"buffer": 0, "byteOffset": 36, "byteLength": 12, "target": 34963},
            ],
            "buffers": [{"byteLength": 48}],
        },
        struct.pack("<9f6H", 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 2, 0, 1, 2),
    )
)
"""A file that takes a worker once through all that the next one will: see `zygote`."""
loaded(DECODING["M"])  # a worker of the sandbox can open no file to load anything


def examine(data: bytes, asked: str) -> bytes:
    """Return the JSON of the `Verdict` on `data`: that of the smallest tier that takes it, or else that of its own.

    `asked` is the tier, with the terms of a slot in JSON behind it if the creative is for one.
    """
    tier, terms = asked[:1], asked[1:]
    smaller = takewhile(lambda name: name != tier, get_args(Tier))
    verdicts = (_verdict(data, name) for name in smaller)
    verdict = next((verdict for verdict in verdicts if verdict.accepted), None) or _verdict(data, tier)
    if terms and verdict.accepted:
        verdict = held_to_slot(verdict, verdict.repaired or data, SlotTerms.model_validate_json(terms))
    return verdict.model_dump_json().encode()


def _verdict(data: bytes, tier: str) -> Verdict:
    if is_video(data):
        return _of_video(data, tier)
    return _of_image(data, tier) if is_image(data) else _of_gltf(data, tier)


def _of_video(data: bytes, tier: str) -> Verdict:
    report = Report()
    clip = read_video(data, VIDEO_TIERS[tier], report)
    findings = tuple(_finding(finding) for finding in report.findings)
    if clip is None:
        return Verdict(accepted=False, findings=findings)
    size = (clip.facts.width_px / clip.facts.height_px, 1.0, 0.0)
    return Verdict(
        accepted=True,
        findings=findings,
        stats=Stats(tier=_named(tier), triangles=2, draws=1, animated=True, size=size),
        repaired=b"" if clip.data == data else clip.data,
        media_type=clip.media_type,
        video=clip.facts,
        poster=clip.poster,
    )


def _of_image(data: bytes, tier: str) -> Verdict:
    report = Report()
    picture = read_picture(data, TIERS[tier], report)
    findings = tuple(_finding(finding) for finding in report.findings)
    if picture is None:
        return Verdict(accepted=False, findings=findings)
    size = (picture.header.width_px / picture.header.height_px, 1.0, 0.0)
    stats = Stats(tier=_named(tier), triangles=2, draws=1, animated=False, size=size)
    served = b"" if picture.data == data else picture.data
    media_type = picture.header.media_type
    return Verdict(accepted=True, findings=findings, stats=stats, repaired=served, media_type=media_type)


def _of_gltf(data: bytes, tier: str) -> Verdict:
    checked = examined(data, DECODING[tier])
    repaired = b"" if _is_sound(data, checked) else _repaired(checked)
    if repaired:
        checked = _checked_again(repaired, tier, checked)
    findings = tuple(_finding(finding) for finding in checked.findings)
    stats = _stats(checked.stats, tier) if checked.accepted and checked.stats else None
    return Verdict(accepted=checked.accepted, findings=findings, stats=stats, repaired=repaired)


def _repaired(checked: Checked) -> bytes:
    if checked.document is None:
        return b""
    return write_glb(Document(stripped(checked.document.json), checked.document.binary))


def _checked_again(repaired: bytes, tier: str, before: Checked) -> Checked:
    """Return the verdict on what would be served; what was found in the file as it came stays said."""
    again = examined(repaired, TIERS[tier])
    if not again.accepted:
        return again
    if not _is_sound(repaired, again):
        raise ValueError("a repair that does not last")
    return replace(again, findings=before.findings)


def _is_sound(data: bytes, checked: Checked) -> bool:
    """Return whether these bytes may be served as they are: an accepted GLB in which nothing was repaired."""
    is_repaired = any(finding.severity == "repaired" for finding in checked.findings)
    return checked.accepted and data.startswith(b"glTF") and not is_repaired


def _stats(counted: GltfStats, tier: str) -> Stats:
    return Stats(
        tier=_named(tier),
        triangles=counted.triangles,
        draws=counted.draws,
        animated=counted.animations > 0,
        size=counted.size_m,
    )


def _named(tier: str) -> Tier:
    return next(name for name in get_args(Tier) if name == tier)


def _finding(finding: GltfFinding) -> Finding:
    return Finding(
        code=finding.code.value,
        severity=finding.severity,
        pointer=finding.pointer[:MAX_TEXT],
        message=finding.message[:MAX_TEXT],
    )
