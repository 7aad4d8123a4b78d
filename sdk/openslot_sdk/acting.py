"""What viewers do with ads and say of them, as the batches that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from openslot_spec.actions import Action
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.ids import make_id
from openslot_spec.messages import Feedback, FeedbackPut, Interaction, InteractionsPut, Placement, ReportReason

__all__ = ["FeedbackKind", "feedback", "interaction", "offered"]

FeedbackKind = Literal["like", "not_for_me", "report"]
Entropy = Callable[[int], bytes]


def offered(placement: Placement, action: str) -> Action:
    """Return the action with this id; raises `ACTION_UNKNOWN`."""
    for one in placement.creative.actions or ():
        if one.id == action:
            return one
    raise OpenSlotError(Code.ACTION_UNKNOWN, action, where=placement.slot)


def interaction(placement: Placement, viewer: int, action: Action, at_ms: int, entropy: Entropy) -> InteractionsPut:
    """Return the batch that says that a viewer, by number, used an action."""
    event = Interaction(ticket=0, viewer=viewer, at_ms=at_ms, action=action.id)
    return InteractionsPut(batch=make_id(at_ms, entropy(10)), tickets=(placement.ticket,), events=(event,))


def feedback(
    placement: Placement, kind: FeedbackKind, reason: ReportReason | None, at_ms: int, entropy: Entropy
) -> FeedbackPut:
    """Return the batch that says what somebody thinks of an ad."""
    event = Feedback(ticket=0, at_ms=at_ms, kind=kind, reason=reason)
    return FeedbackPut(batch=make_id(at_ms, entropy(10)), tickets=(placement.ticket,), events=(event,))
