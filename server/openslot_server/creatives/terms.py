"""What a slot's own terms ask of a creative that has passed the gate: its kind, its tier, its movement, its room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from openslot_gltf import SCENE, Document, Rule, panel, read_document
from openslot_gltf.bounds import Bounds, content_bounds
from openslot_gltf.fit import fitted
from openslot_gltf.rules import SENTENCES
from openslot_server.creatives.verdict import Finding, Placed, Tier, Verdict
from openslot_spec.errors import OpenSlotError
from openslot_spec.slots import MediaType, SlotTerms

__all__ = ["held_to_slot"]


def held_to_slot(verdict: Verdict, served: bytes, terms: SlotTerms) -> Verdict:
    """Return the accepted `verdict` with how the `served` bytes stand in the slot, or refused by the slot's terms."""
    findings = [*verdict.findings, *_refusals(verdict, terms)]
    placed = None
    try:
        placed = _placed(content_bounds(_hung(verdict.media_type, verdict.poster or served, terms)), terms)
    except OpenSlotError as error:
        findings.append(_finding(Rule.TERMS_FIT, error.detail))
    if any(finding.severity == "error" for finding in findings):
        return verdict.model_copy(
            update={"accepted": False, "findings": tuple(findings), "stats": None, "repaired": b""}
        )
    return verdict.model_copy(update={"findings": tuple(findings), "placed": placed})


def _hung(media_type: MediaType, served: bytes, terms: SlotTerms) -> Document:
    """Return what hangs in the slot: the model, or a panel with the image."""
    return read_document(served, SCENE) if media_type == "model/gltf-binary" else panel(served, terms)


def _refusals(verdict: Verdict, terms: SlotTerms) -> Iterator[Finding]:
    assert verdict.stats is not None  # noqa: S101  an accepted verdict has them
    accepts, tiers, media_type = terms.accepts, get_args(Tier), verdict.media_type
    if media_type not in accepts.media:
        yield _finding(Rule.TERMS_MEDIA, f"{media_type}, {terms.id} takes {', '.join(accepts.media)}")
    if tiers.index(verdict.stats.tier) > tiers.index(accepts.tier):
        yield _finding(Rule.TERMS_TIER, f"tier {verdict.stats.tier}, {terms.id} takes {accepts.tier}")
    if verdict.stats.animated and not accepts.animation:
        yield _finding(Rule.TERMS_ANIMATION, terms.id)


def _placed(bounds: Bounds, terms: SlotTerms) -> Placed:
    fit = fitted(bounds, terms)
    width, height, depth = (bounds.size * fit.scale).tolist()
    return Placed(scale=fit.scale, size=(width, height, depth), covers=fit.covers)


def _finding(rule: Rule, case: str) -> Finding:
    return Finding(code=rule.value, severity="error", message=f"{case}. {SENTENCES[rule]}")
