"""What the gate says of a file, as it comes back from the sandbox and goes out to the advertiser."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from openslot_spec.creatives import VideoFacts
from openslot_spec.records import Record, Vec3
from openslot_spec.slots import MediaType

__all__ = ["MAX_FINDINGS", "MAX_TEXT", "Finding", "Placed", "SandboxFault", "Stats", "Tier", "Verdict"]

MAX_FINDINGS = 101
"""The gate stops at 100 and adds the first error if none was among them."""
MAX_TEXT = 1000
Tier = Literal["S", "M", "L"]
Count = Annotated[int, Field(ge=0, le=2**53)]


class SandboxFault(StrEnum):
    """Why a file was refused without a verdict of the gate."""

    TIME = "sandbox.time"
    MEMORY = "sandbox.memory"
    CRASH = "sandbox.crash"
    RESULT = "sandbox.result"


FAULT_SENTENCES = {
    SandboxFault.TIME: "Examining the file took too long; simplify it.",
    SandboxFault.MEMORY: "Examining the file took too much memory; simplify it.",
    SandboxFault.CRASH: "The gate failed on this file; export it again with another tool.",
    SandboxFault.RESULT: "The file has more faults than can be listed; export it again.",
}


class Finding(Record):
    """One thing the gate found, where in the file, and what to do about it."""

    code: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z0-9_]+$", max_length=64)]
    severity: Literal["error", "repaired", "warning"]
    pointer: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    """A JSON pointer into the file."""
    message: Annotated[str, Field(max_length=MAX_TEXT)]


class Stats(Record):
    """What a creative costs to draw and the space it takes: its default scene, instances counted."""

    tier: Tier
    """The smallest whose budget it keeps."""
    triangles: Count
    draws: Count
    animated: bool
    size: Vec3
    """Width, height and depth of its box at rest, metres; an image is one high."""
    likeness: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")], ...], Field(max_length=16)] | None = (
        None
    )
    """What its pictures look like (see `likeness`); absent where nobody looked."""


class Placed(Record):
    """How a creative stands in the slot it was checked for."""

    scale: Vec3
    """Along its own x, y and z."""
    size: Vec3
    """Width, height and depth of all it reaches in the slot, clips included, metres."""
    covers: Annotated[tuple[float, float], Field(strict=False)]
    """The parts of the slot's width and height that it takes; above 1 it overhangs."""


class Verdict(Record):
    """Whether a file may be shown: with its figures if it may, with an error among the findings if not."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    accepted: bool
    findings: Annotated[tuple[Finding, ...], Field(strict=False, max_length=MAX_FINDINGS)] = ()
    stats: Stats | None = None
    placed: Placed | None = None
    """Only of an accepted file that was checked for a slot."""
    repaired: bytes = b""
    """What to serve in place of the file; empty where the file is sound as it came."""
    media_type: MediaType = "model/gltf-binary"
    """What is served, by its own bytes."""
    video: VideoFacts | None = None
    poster: bytes = b""
    """Of a video: one of its frames, a JPEG."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        refused = any(finding.severity == "error" for finding in self.findings)
        if self.accepted == refused or self.accepted == (self.stats is None):
            raise ValueError("accepted means figures and no error, refused means an error")
        return self

    @classmethod
    def contained(cls, fault: SandboxFault, case: str = "") -> Self:
        """Return the refusal of a file on which the sandbox had to end the gate."""
        sentence = FAULT_SENTENCES[fault]
        message = f"{case}. {sentence}" if case else sentence
        return cls(accepted=False, findings=(Finding(code=fault.value, severity="error", message=message),))

    def first_error(self) -> Finding:
        """Return the finding a refused file is refused for; the gate lists them in the order it examines."""
        return next(finding for finding in self.findings if finding.severity == "error")
