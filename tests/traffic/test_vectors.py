from __future__ import annotations

import json

from openslot_server.impressions.verdicts import REASONS, Verdict
from tests.traffic.make_vectors import VECTORS, document


def test_the_file_is_what_the_maker_writes() -> None:
    expected = json.loads(json.dumps(document()))
    assert json.loads((VECTORS / "traffic" / "events.json").read_text("utf-8")) == expected


def test_every_refusal_and_mark_of_an_event_has_a_case() -> None:
    found = {case["expect"].get("code") for case in document()["cases"]}
    elsewhere = {Verdict.REPLAYED, Verdict.TICKET_INVALID, Verdict.TICKET_FOREIGN, Verdict.ACTION_UNKNOWN}
    codes = {code for verdict, code in REASONS.items() if verdict not in elsewhere and not code.startswith("audit.")}
    assert found - {None} == codes
