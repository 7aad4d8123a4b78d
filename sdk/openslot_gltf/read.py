"""Strict reading: bytes → findings and a document, in the order that keeps every step safe for the next.

Each stage runs only when the ones before found no error, so a stage may trust what they checked: sizes before parsing,
shapes before indices, bounds before data, trees before walks. No URI is ever resolved except `data:`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from openslot_gltf.accessors import Elements
from openslot_gltf.budget import Stats, check_budget, check_extent
from openslot_gltf.clips import check_clips, check_keys
from openslot_gltf.container import opened
from openslot_gltf.data import check_skin_data, check_vertex_data, mended_bounds
from openslot_gltf.document import Document
from openslot_gltf.expand import expanded
from openslot_gltf.images import check_images
from openslot_gltf.limits import SCENE, TIERS, Limits
from openslot_gltf.meshes import check_instances, check_meshes
from openslot_gltf.prune import pruned, unused
from openslot_gltf.resources import packed
from openslot_gltf.rules import Finding, Report, Rule
from openslot_gltf.skins import check_skins
from openslot_gltf.strip import GLOW, glares
from openslot_gltf.structure import (
    check_accessors,
    check_extensions,
    check_graph,
    check_shape,
    mended_lists,
    mended_scenes,
)
from openslot_gltf.uses import Uses

__all__ = ["Verdict", "check", "examined", "read_document"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a file: every finding, the document where none refuses it, and what was counted."""

    findings: tuple[Finding, ...]
    document: Document | None
    stats: Stats | None

    @property
    def accepted(self) -> bool:
        """Whether no finding is an error."""
        return self.document is not None

    def refusal(self) -> Finding | None:
        """Return the first finding that refuses the file."""
        return next((finding for finding in self.findings if finding.severity == "error"), None)


def check(data: bytes, tier: str = "M") -> Verdict:
    """Return the verdict on a creative under tier S, M or L; never raises on any bytes."""
    return examined(data, TIERS[tier])


def examined(data: bytes, limits: Limits) -> Verdict:
    """Return the verdict on `data` under `limits`."""
    report = Report(limits.tolerated)
    document, lost = _structured(data, limits, report)
    if document is not None:
        document = _formatted(document, limits, report)
    if document is not None:
        document = _with_sound_data(document, lost, report)
    stats = None if document is None else _measured(document, limits, report)
    return Verdict(tuple(report.findings), None if report.refused else document, stats)


def read_document(data: bytes, limits: Limits = SCENE) -> Document:
    """Return the document in GLB or .gltf bytes, harmless faults repaired.

    Raises `OpenSlotError` with GLTF_NOT_READ (not glTF 2.0) or GLTF_REFUSED (a rule of `limits` is broken); its detail
    starts with the rule's code and its `where` is a JSON pointer into the file.
    """
    verdict = examined(data, limits)
    refusal = verdict.refusal()
    if refusal is not None:
        raise refusal.error()
    assert verdict.document is not None  # noqa: S101 - without an error there is a document
    return verdict.document


def _structured(data: bytes, limits: Limits, report: Report) -> tuple[Document | None, str]:
    """Bytes to a document whose shape, bounds and tree hold, and of a creative what nothing in it refers to."""
    parts = opened(data, limits, report)
    walk = None if parts is None else check_shape(parts[0], limits, report)
    if parts is None or walk is None or report.refused:
        return None, ""
    json, binary = parts
    check_extensions(json, walk, limits, report)
    document = None if report.refused else packed(mended_lists(json, walk, report), binary, limits, report)
    if document is None:
        return None, ""
    lost = unused(document, json, walk.met) if limits.creative else ""
    plain = expanded(document, limits, report) if limits.decodes else document
    if plain is not document and limits.creative and not report.refused:
        plain, lost = pruned(plain), ""
    if not report.refused:
        check_accessors(plain, limits, report)
        check_graph(plain.json, limits, report)
    if report.refused:
        return None, ""
    return Document(mended_scenes(plain.json, report), plain.binary), lost


def _formatted(document: Document, limits: Limits, report: Report) -> Document | None:
    """Images, meshes, skins and clips: what each refers to has the format it needs."""
    uses = Uses(document, report)
    for index, image in enumerate(document.array("images")):
        uses.view(image["bufferView"], "image", f"/images/{index}")
    check_images(document, limits, report)
    check_meshes(document, uses, report)
    check_instances(document, report)
    check_skins(document, uses, report)
    check_clips(document, uses, report)
    uses.check_sharing()
    for index, material in enumerate(document.array("materials") if limits.creative else ()):
        if glares(material):
            report.add(Rule.MATERIAL_GLARE, f"/materials/{index}/extensions/{GLOW}")
    return None if report.refused else document


def _with_sound_data(document: Document, lost: str, report: Report) -> Document | None:
    """The numbers in the binary chunk; bounds are mended, and what nothing refers to goes (`lost` says what)."""
    elements = Elements(document)
    mended = mended_bounds(document, elements, report)
    if not report.refused:
        check_vertex_data(document, elements, report)
        check_skin_data(document, elements, report)
        check_keys(document, elements, report)
    if report.refused:
        return None
    if not lost:
        return mended
    report.add(Rule.DATA_UNUSED, "", lost)
    return pruned(mended)


def _measured(document: Document, limits: Limits, report: Report) -> Stats:
    """What it costs to draw; a scene's box is not asked for."""
    stats = check_budget(document, limits, report)
    if report.refused or not limits.creative:
        return stats
    return replace(stats, size_m=check_extent(document, limits, report))
