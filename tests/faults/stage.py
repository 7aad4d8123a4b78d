"""What the simulation starts from: two worlds with two slots each, three line items, one of them soon spent."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from openslot_sdk import Camera, Pose, Slot
from openslot_server.demand.model import Creative
from openslot_server.keys import new_key
from openslot_spec.records import Money
from tests.sdk.scenes import creative
from tests.server.market import NOW_MS, Market, MemoryStore

CREATIVE = creative()
SHA256 = hashlib.sha256(CREATIVE).hexdigest()
KEYS = {name: f"ok_world_{name:0>32}" for name in ("plaza", "arcade")}
SETTINGS: dict[str, Any] = {
    "placement_ms": 6_000,
    "settle_grace_ms": 4_000,
    "operator_key": "ok_operator_" + "s" * 24,
    "platform_fee_ppm": 123_457,
}
UPRIGHT = (0.0, 0.0, 0.0, 1.0)
SLOTS = (
    Slot(id="board", size=(3.0, 2.0), profile="mrc-display", pose=Pose(position=(0.0, 1.6, 0.0), rotation=UPRIGHT)),
    Slot(
        id="kiosk",
        size=(1.0, 2.0),
        audience="per_viewer",
        profile="mrc-display",
        pose=Pose(position=(3.0, 1.6, 0.0), rotation=UPRIGHT),
    ),
)
EYE = (1.5, 1.6, 4.0)
CAMERAS = (
    Camera.perspective(EYE, target=(1.5, 1.6, 0.0)),  # sees both
    Camera.perspective(EYE, target=(1.4, 1.6, 0.0)),  # does too
    Camera.perspective(EYE, target=(-3.0, 1.6, 0.0)),  # sees a part of one
    Camera.perspective(EYE, target=(1.5, 1.6, 9.0)),  # looks away
)


def opening() -> MemoryStore:
    """Return a store of its own that holds the keys and the orders."""
    store = MemoryStore()
    store.tables = {kind: list(rows) for kind, rows in _orders().tables.items()}
    return store


@cache
def _orders() -> MemoryStore:
    market = Market(platform_fee_ppm=SETTINGS["platform_fee_ppm"])
    market.store.commit([new_key(key, "world", name, NOW_MS) for name, key in KEYS.items()])
    known = Creative(
        sha256=SHA256,
        media_type="model/gltf-binary",
        size_bytes=len(CREATIVE),
        advertiser="aurora",
        label="Ad · Aurora",
    )
    market.store.commit([market.rooms.orders.keep_creative(known, NOW_MS)])
    for price, impressions in ((5_003, 7), (2_001, 40), (999, 10_000)):
        market.line_item(price, impressions, creatives=(SHA256,), budget=Money(micros=price * impressions + price // 2))
    return market.store
