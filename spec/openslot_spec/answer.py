"""The reference answers to the conformance vectors, over stdin and stdout.

One JSON object a line comes in, `{"area": ..., "input": ...}`; one a line goes out, `{"ok": ...}` or `{"code": ...}`.
A foreign implementation that does the same can be driven by `tests/conformance/drive.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from openslot_spec.codec import JSON, MSGPACK, SUBPROTOCOLS
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import Evidence, commitment, commitments
from openslot_spec.exposures import EVIDENCE, ExposureColumns, batch_digest
from openslot_spec.geometry import Geometry
from openslot_spec.ids import make_id
from openslot_spec.limits import MAX_FRAME_BYTES
from openslot_spec.messages import MESSAGES
from openslot_spec.profiles import profile
from openslot_spec.session import Session
from openslot_spec.slots import Slot, SlotTerms
from openslot_spec.tickets import Ticket, mint, redeem

__all__ = ["answer", "answer_lines"]


def answer(area: str, given: Any) -> dict[str, Any]:
    """Return `{"ok": value}` or `{"code": code}` for one vector of `area`."""
    try:
        return {"ok": AREAS[area](given)}
    except OpenSlotError as error:
        return {"code": error.code.value}


def _slot(given: Any) -> Any:
    slot = Slot.parse(given, Code.SLOT_INVALID)
    for name in (slot.profile, *slot.also_profiles):
        profile(name)
    return {"slot": slot.plain(), "revision": slot.revision()}


def _slot_terms(given: Any) -> Any:
    return SlotTerms.parse(given, Code.SLOT_INVALID).plain()


def _creative(given: Any) -> Any:
    return CreativeRef.parse(given).plain()


def _codec(given: Any) -> Any:
    codec = SUBPROTOCOLS[given["subprotocol"]]
    envelope = codec.decode(bytes.fromhex(given["hex"]), given.get("limit_bytes", MAX_FRAME_BYTES))
    return {"json": json.loads(JSON.encode(envelope)), "msgpack_hex": MSGPACK.encode(envelope).hex()}


def _session(given: Any) -> Any:
    """Feed a session the steps `[direction, envelope]` from its own side; return the state's name after the last."""
    session = Session(given["role"], JSON)
    for direction, envelope in given["steps"]:
        if direction == "receive":
            session.receive(json.dumps(envelope).encode())
        else:
            session.send(MESSAGES[envelope["type"]].parse(envelope["body"]), envelope.get("re"))
    return {"state": session.state.name}


def _columns(given: Any) -> Any:
    packed = {name: bytes.fromhex(data) for name, data in given["columns"].items()}
    tickets = tuple(bytes.fromhex(ticket) for ticket in given["tickets"])
    columns = ExposureColumns.unpack(packed, tickets=len(tickets))
    committed = commitments(packed.get(EVIDENCE, b""), columns.kind)
    found = {"events": len(columns), "digest": batch_digest(tickets, packed).hex()}
    return {**found, "committed": list(committed)} if committed else found


def _evidence(given: Any) -> Any:
    packed = bytes.fromhex(given["hex"])
    evidence = Evidence.unpack(packed)
    return {
        "commitment": commitment(bytes.fromhex(given["salt"]), packed).hex(),
        "placement": evidence.placement.hex(),
        "viewer": evidence.viewer,
        "at_ms": evidence.at_ms,
        "before_ms": evidence.before_ms.tolist(),
    }


def _geometry(given: Any) -> Any:
    packed = bytes.fromhex(given["hex"])
    geometry = Geometry.unpack(packed)
    return {
        "sha256": Geometry.digest(packed).hex(),
        "vertices": geometry.points.tolist(),
        "triangles": geometry.triangles.tolist(),
        "owners": dict(geometry.owners),
    }


def _ticket(given: Any) -> Any:
    keys = {bytes.fromhex(name): bytes.fromhex(secret) for name, secret in given["keys"].items()}
    if "mint" in given:
        fields = {**given["mint"], "placement": bytes.fromhex(given["mint"]["placement"])}
        return {"hex": mint(Ticket.parse(fields), keys, bytes.fromhex(given["key_id"])).hex()}
    ticket = redeem(bytes.fromhex(given["hex"]), keys).model_dump(exclude_none=True)
    return {**ticket, "placement": ticket["placement"].hex()}


def _id(given: Any) -> Any:
    return make_id(given["now_ms"], bytes.fromhex(given["randomness"])).hex()


AREAS: dict[str, Callable[[Any], Any]] = {
    "creative": _creative,
    "slot": _slot,
    "slot_terms": _slot_terms,
    "codec": _codec,
    "session": _session,
    "columns": _columns,
    "ticket": _ticket,
    "id": _id,
    "evidence": _evidence,
    "geometry": _geometry,
}


def answer_lines(answer: Callable[[str, Any], dict[str, Any]]) -> None:
    """Answer each line of stdin on stdout until it ends."""
    for line in sys.stdin:
        vector = json.loads(line)
        sys.stdout.write(json.dumps(answer(vector["area"], vector["input"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    answer_lines(answer)
