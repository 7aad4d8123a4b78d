"""The rules of invalid traffic as named, versioned data with its provenance; `traffic.json` holds every threshold.

| rules | are about | and their events are |
|---|---|---|
| order, length, rate, crowd | what cannot have happened | refused |
| periodic, copied, frozen, perfect, stacked | what people and honest scenes hardly do | marked |
| decided | how much must be known of a viewer to call a view valid | – |

A *look* is a viewable event of one viewer. See `spec/measurement.md`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import Field

from openslot_spec.records import Record

__all__ = ["Copied", "Periodic", "Stacked", "TrafficRules", "traffic_rules"]

Span = Annotated[int, Field(ge=0, le=24 * 3_600_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Step = Annotated[float, Field(gt=0)]


class Rule(Record):
    """What every rule has."""

    provenance: Annotated[str, Field(min_length=1, max_length=1000)]


class Slack(Rule):
    """A bound that physics gives, and by how much clocks and frames may miss it."""

    slack_ms: Span


class Crowd(Rule):
    """How many more viewers may look than were expected: `times` as many, or `viewers_min` in all."""

    times: Count
    viewers_min: Count


class Periodic(Rule):
    """Looks at even intervals, unless at least `renewed_share` of them began within `renewal_ms` of their placement.

    That spares whom renewals time, so the intervals must then be at least `life_share` of a placement's life.
    """

    looks: Count
    gap_variation_max: Share
    """Standard deviation ÷ mean."""
    gap_ms_min: Span
    renewal_ms: Span
    renewed_share: Share
    life_share: Share


class Copied(Rule):
    """The same coarse looks, at the same coarse intervals, of several viewers."""

    looks: Count
    figures_min: Count
    """Different ones among the looks."""
    viewers: Annotated[int, Field(ge=2, le=1000)]
    visible_fraction_step: Step
    coverage_step: Step
    angle_step_deg: Step
    time_step_ms: Count


class Frozen(Rule):
    """Looks whose figures stay the same to all digits, slot by slot, for so long."""

    looks: Count
    span_ms: Span


class Perfect(Rule):
    """Moving looks that are never from the side and never cut off."""

    looks: Count
    visible_fraction_min: Share
    angle_max_deg: Annotated[float, Field(ge=0, le=180)]
    figures_min: Count
    """Different coverages among the looks."""


class Stacked(Rule):
    """Boards that hang in front of one another."""

    distance_m: Step
    angle_max_deg: Annotated[float, Field(ge=0, le=90)]
    covered_min: Share


class Decided(Rule):
    """How many looks of a viewer must be known."""

    looks: Count


class TrafficRules(Record):
    """One version of all rules."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    version: Annotated[int, Field(ge=1)]
    order: Slack
    length: Slack
    rate: Slack
    crowd: Crowd
    periodic: Periodic
    copied: Copied
    frozen: Frozen
    perfect: Perfect
    stacked: Stacked
    decided: Decided


@cache
def traffic_rules() -> TrafficRules:
    """Return the rules in force."""
    text = (resources.files("openslot_server.impressions") / "traffic.json").read_text("utf-8")
    return TrafficRules.parse(json.loads(text))
