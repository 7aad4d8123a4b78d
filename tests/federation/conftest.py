from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest

from openslot_spec import signing


@pytest.fixture(autouse=True, scope="package")
def _verified_once() -> Iterator[None]:
    """Let servers of one play share what a verification says: it depends on the bytes alone."""
    remembered = lru_cache(100_000)(signing.verify)
    with pytest.MonkeyPatch.context() as patch:
        for room in ("feeds", "servers"):
            patch.setattr(f"openslot_spec.{room}.verify", remembered)
        yield
