"""Writes spec/vectors/traffic: what is expected is worked out here from `spec/measurement.md`, not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.profiles import profile

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
START_MS = 1_790_000_000_000
LIFE_MS = 30_000
RENDERED, VIEWABLE, END, PAUSE = EventKind.RENDERED, EventKind.VIEWABLE, EventKind.END, EventKind.PAUSE
NOTHING_YET = {"continuous_ms": 0, "cumulative_ms": 0, "half_continuous_ms": 0, "half_cumulative_ms": 0}
Json = dict[str, Any]


def slot(name: str, place: int = 0, **terms: Any) -> Json:
    return {"id": name, "size": [4, 2], "pose": {"position": [10 * place, 2, 0], "rotation": [0, 0, 0, 1]}, **terms}


def placed(at_ms: int = 0, name: str = "north", **terms: Any) -> Json:
    times = {"issued_ms": START_MS + at_ms, "expires_ms": START_MS + at_ms + LIFE_MS}
    return {
        "slot": name,
        "session": "s1",
        "profile": "iig-2.0-display",
        "audience": "shared",
        "viewers": 5,
        **times,
        **terms,
    }


def events(**columns: Any) -> Json:
    """Return the columns of looks; what is left out is a good look's at ten seconds."""
    looks: Json = {"kind": int(VIEWABLE), "profile": 0, "ticket": 0, "viewer": 1, "at_ms": 10_000, "why": 0}
    looks |= {"continuous_ms": 1_000, "cumulative_ms": 1_000, "half_continuous_ms": 1_000, "half_cumulative_ms": 1_000}
    looks |= {"full_continuous_ms": 0, "full_cumulative_ms": 0}
    looks |= {"visible_fraction": 0.75, "coverage": 0.125, "angle_deg": 10.0, **columns}
    at_ms = looks["at_ms"]
    looks["at_ms"] = [START_MS + each for each in at_ms] if isinstance(at_ms, list) else START_MS + at_ms
    return looks


def sent(*batches: Json, came_ms: int = 20_000, **given: Any) -> Json:
    told = [{"came_ms": START_MS + came_ms, "columns": batch} for batch in batches]
    return {"skew_ms": 5_000, "slots": [slot("north")], "placements": [placed()], **given, "batches": told}


Case = tuple[str, Json, str]
"""Name, input, and the code of the last event, or nothing if it is valid."""


def by_themselves() -> list[Case]:
    end = {"kind": int(END), "at_ms": 15_000}
    large, own = profile("mrc-large").number, profile("iig-2.0-display").number
    longer = {"half_continuous_ms": 999, "half_cumulative_ms": 999}
    return [
        ("a look", sent(events()), ""),
        ("a look at the bounds", sent(events(visible_fraction=0.5, coverage=0.015, angle_deg=55.0)), ""),
        ("a look 1 ms too short", sent(events(continuous_ms=999, half_continuous_ms=999)), "event.out_of_range"),
        ("a look at less than half", sent(events(visible_fraction=0.49)), "event.out_of_range"),
        ("a look from the side", sent(events(angle_deg=55.5)), "event.out_of_range"),
        ("a look in the future", sent(events(at_ms=25_001)), "event.out_of_range"),
        ("a look of clocks that differ", sent(events(at_ms=25_000)), ""),
        ("a look before its ticket", sent(events(at_ms=-4_001)), "event.out_of_range"),
        ("a look after its ticket", sent(events(at_ms=35_001), came_ms=90_000), "ticket.expired"),
        ("a profile nobody knows", sent(events(profile=255)), "event.out_of_range"),
        ("by another profile", sent(events(profile=large, visible_fraction=0.4, **NOTHING_HALF)), ""),
        ("its own profile by number", sent(events(profile=own)), "traffic.absurd"),
        ("rendered by another profile", sent(events(profile=large, kind=int(RENDERED))), "traffic.absurd"),
        ("a look with a reason", sent(events(why=int(WhyNot.IDLE))), "traffic.absurd"),
        ("a pause with a reason", sent(events(kind=int(PAUSE), why=int(WhyNot.IDLE))), ""),
        ("less at half than of the profile", sent(events(**longer)), "traffic.absurd"),
        (
            "an end that counted too soon",
            sent(events(**end, continuous_ms=999, half_continuous_ms=999)),
            "traffic.absurd",
        ),
        ("time of nothing", sent(events(**end, why=int(WhyNot.TOO_SHORT), visible_fraction=0.0)), "traffic.absurd"),
    ]


NOTHING_HALF = {"half_continuous_ms": 0, "half_cumulative_ms": 0}


def long_views() -> list[Case]:
    def lasting(time_ms: int, **more: Any) -> Json:
        return events(kind=int(END), at_ms=20_000, cumulative_ms=time_ms, half_cumulative_ms=time_ms, **more)

    rendered = events(kind=int(RENDERED), at_ms=12_000, **NOTHING_YET)
    return [
        ("as long as since its ticket", sent(lasting(25_000)), ""),
        ("longer than since its ticket", sent(lasting(25_001)), "traffic.too_long"),
        ("as long as since it was rendered", sent(rendered, lasting(9_000)), ""),
        ("longer than since it was rendered", sent(rendered, lasting(9_001)), "traffic.too_long"),
    ]


def together() -> list[Case]:
    rendered, changed = events(kind=int(RENDERED), at_ms=11_001, **NOTHING_YET), slot("north", size=[5, 2])
    complete, start = events(kind=int(EventKind.COMPLETE), at_ms=5_000), events(kind=int(EventKind.START), at_ms=6_001)
    twice: Json = {"placements": [placed(), placed(1_000)]}
    stretch_ms = 900 - START_MS % 900  # a stretch begins so long after the start
    crowd = {"viewer": [*range(1_001)]}
    stale: Json = {"changes": [{"at_ms": START_MS + 4_000, "slots": [changed]}]}
    return [
        ("a look again", sent(events(), events(at_ms=12_000)), "event.duplicate"),
        ("a look by another viewer", sent(events(), events(viewer=2)), ""),
        ("rendered after it was seen", sent(events(), rendered), "traffic.backwards"),
        ("rendered a second after it was seen", sent(events(), rendered | {"at_ms": START_MS + 11_000}), ""),
        ("a video starts after it is complete", sent(complete, start), "traffic.backwards"),
        (
            "two looks in one stretch",
            sent(events(at_ms=stretch_ms + 9_000), events(ticket=1, at_ms=stretch_ms + 9_899), **twice),
            "traffic.too_often",
        ),
        (
            "two looks in two",
            sent(events(at_ms=stretch_ms + 9_000), events(ticket=1, at_ms=stretch_ms + 9_900), **twice),
            "",
        ),
        ("the thousandth viewer", sent(events(viewer=[*range(1_000)])), ""),
        ("the thousand and first viewer", sent(events(**crowd)), "traffic.crowd"),
        ("a slot that was changed", sent(events(), **stale), "slot.stale"),
        ("a slot that was changed since", sent(events(at_ms=9_000), **stale), ""),
    ]


def of_one_viewer() -> list[Case]:
    """Return looks at a new placement each, every one of them 6 s long or so."""
    rounds: Json = {"came_ms": 1_200_000}

    def visit(at_ms: list[int], **figures: Any) -> Json:
        placements = [placed(each // LIFE_MS * LIFE_MS, f"board-{number % 10}") for number, each in enumerate(at_ms)]
        boards = [slot(f"board-{number}", number) for number in range(10)]
        looks = events(at_ms=at_ms, ticket=[*range(len(at_ms))], **figures)
        return sent(looks, slots=boards, placements=placements, **rounds)

    even = [9_000 + 7_000 * number for number in range(30)]
    uneven = [each + (number * number * 613) % 2_900 for number, each in enumerate(even)]
    moving = [0.0625 + number / 256 for number in range(30)]
    sides = [number % 40 + 1.5 for number in range(30)]
    still = [9_000 + 60_000 * number + (number * number * 613) % 2_900 for number in range(12)]
    whole: Json = {"visible_fraction": 1.0, "full_continuous_ms": 1_000, "full_cumulative_ms": 1_000}
    return [
        ("thirty looks in time", visit(even, coverage=moving, angle_deg=sides), "traffic.periodic"),
        ("thirty looks out of time", visit(uneven, coverage=moving, angle_deg=sides), ""),
        ("thirty perfect looks", visit(uneven, coverage=moving, angle_deg=1.0, **whole), "traffic.perfect"),
        ("thirty whole looks from the side", visit(uneven, coverage=moving, angle_deg=sides, **whole), ""),
        ("a frozen camera", frozen(still), "traffic.frozen"),
        ("a camera that moves by a hair", frozen(still, angle_deg=[10 + number / 512 for number in range(12)]), ""),
    ]


def frozen(at_ms: list[int], **figures: Any) -> Json:
    placements = [placed(each // LIFE_MS * LIFE_MS) for each in at_ms]
    looks = events(at_ms=at_ms, ticket=[*range(len(at_ms))], **figures)
    return sent(looks, placements=placements, came_ms=1_200_000)


def of_several() -> list[Case]:
    count = 8
    at_ms = [9_000 + 2_500 * number for number in range(count)]
    boards = [slot(f"board-{number}", number) for number in range(count)]
    figures: Json = {
        "coverage": [0.0625 + number / 64 for number in range(count)],
        "angle_deg": [3.5 * n for n in range(count)],
    }

    def trace(number: int, late_ms: int = 0) -> Json:
        return events(
            at_ms=[each + late_ms * n for n, each in enumerate(at_ms)],
            ticket=[*range(number * count, (number + 1) * count)],
            **figures,
        )

    def visits(*batches: Json) -> Json:
        sessions = [placed(0, f"board-{place}", session=f"s{number}") for number in range(3) for place in range(count)]
        return sent(*batches, slots=boards, placements=sessions, came_ms=60_000)

    front, back = slot("north"), slot("south", size=[3, 1.5])
    back["pose"] = {"position": [0, 2, -0.2], "rotation": [0, 0, 0, 1]}
    behind: Json = {"slots": [front, back], "placements": [placed(), placed(name="south")]}
    far = back | {"pose": {"position": [0, 2, -0.3], "rotation": [0, 0, 0, 1]}}
    return [
        ("one trace of three sessions", visits(trace(0), trace(1), trace(2)), "traffic.copied"),
        ("one trace of two sessions", visits(trace(0), trace(1)), ""),
        ("three traces", visits(trace(0), trace(1), trace(2, late_ms=900)), ""),
        ("a board behind a board", sent(events(ticket=1), **behind), "traffic.stacked"),
        ("the board before it", sent(events(), **behind), ""),
        ("a board far behind a board", sent(events(ticket=1), **(behind | {"slots": [front, far]})), ""),
    ]


def document() -> Json:
    """Return the vector file."""
    cases = [*by_themselves(), *long_views(), *together(), *of_one_viewer(), *of_several()]
    return {
        "area": "traffic",
        "section": "measurement.md#views-that-are-not-believed",
        "cases": [
            {"name": name, "input": given, "expect": {"code": code} if code else {"ok": "valid"}}
            for name, given, code in cases
        ],
    }


def main() -> None:
    """Write the file."""
    whole = document()
    cases = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in whole.pop("cases"))
    head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in whole.items())
    path = VECTORS / "traffic" / "events.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{\n{head},\n  "cases": [\n{cases}\n  ]\n}}\n', "utf-8")


if __name__ == "__main__":
    main()
