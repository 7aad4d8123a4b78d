"""Strict reading: bytes → findings and a document, in the order that keeps every step safe for the next.

Each stage runs only when the ones before found no error, so a stage may trust what they checked: sizes before parsing,
shapes before indices, bounds before data, trees before walks. No URI is ever resolved except `data:`.
"""

from __future__ import annotations

from dataclasses import dataclass

from openslot_gltf.container import opened
from openslot_gltf.document import Document
from openslot_gltf.limits import SCENE, TIERS, Limits
from openslot_gltf.resources import packed
from openslot_gltf.rules import Finding, Report
from openslot_gltf.structure import check_accessors, check_extensions, check_graph, check_shape, mended_scenes

__all__ = ["Verdict", "check", "read_document"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a file: every finding, and the document where none of them refuses it."""

    findings: tuple[Finding, ...]
    document: Document | None

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
    document = _document(data, limits, report)
    return Verdict(tuple(report.findings), None if report.refused else document)


def read_document(data: bytes, limits: Limits = SCENE) -> Document:
    """Return the document in GLB or .gltf bytes, harmless faults repaired.

    Raises `OpenSlotError` with GLTF_NOT_READ (not glTF 2.0) or GLTF_REFUSED (a rule of `limits` is broken); its detail
    starts with the rule's code and its `where` is a JSON pointer into the file.
    """
    verdict = examined(data, limits)
    refusal = verdict.refusal()
    if refusal is not None:
        raise refusal.error()
    assert verdict.document is not None  # noqa: S101 - a verdict without an error holds its document
    return verdict.document


def _document(data: bytes, limits: Limits, report: Report) -> Document | None:
    parts = opened(data, limits, report)
    if parts is None:
        return None
    json, binary = parts
    walk = check_shape(json, limits, report)
    if walk is None or report.refused:
        return None
    check_extensions(json, walk, limits, report)
    document = None if report.refused else packed(json, binary, report)
    if document is None:
        return None
    check_accessors(document, limits, report)
    check_graph(document.json, limits, report)
    if report.refused:
        return None
    return Document(mended_scenes(document.json, report), document.binary)
