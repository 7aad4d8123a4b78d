"""Which content categories there are: IAB Content Taxonomy 1.0, as OpenRTB 2.6 lists it in 5.1."""

from __future__ import annotations

from difflib import get_close_matches

__all__ = ["CATEGORIES", "nearest_category", "widened"]

SUBCATEGORIES = "7 23 12 11 15 9 45 18 31 9 5 3 12 8 10 7 44 6 36 27 3 4 10 0 7 4"
"""How many of them IAB1, IAB2, … have."""
CATEGORIES = frozenset(
    f"IAB{number}" + (f"-{sub}" if sub else "")
    for number, count in enumerate(SUBCATEGORIES.split(), start=1)
    for sub in range(int(count) + 1)
)


def nearest_category(name: str) -> str:
    """Return the category that is written most like `name`."""
    close = get_close_matches(name.strip().upper().replace("_", "-"), sorted(CATEGORIES), n=1, cutoff=0.0)
    return close[0]


def widened(*names: str | None) -> frozenset[str]:
    """Return names with what they are part of: `DE-BE` is `DE` too, `IAB1-2` is `IAB1`, None is nothing."""
    said = [name for name in names if name is not None]
    return frozenset(said) | {name.partition("-")[0] for name in said}
