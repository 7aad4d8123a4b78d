"""The demo's demand: three advertisers upload their creatives and buy, over the REST API as anybody would."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx2

from openslot_demo.creatives import ADVERTISERS, CREATIVES, build_creative
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Market", "Uploaded"]

DAY_MS = 24 * 3600 * 1000
TIMEOUT_S = 20.0
TERMS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "Aurora Coffee": (("opening week", 9_000_000, 400_000), ("everywhere", 8_000_000, 40_000_000)),
    "Nimbus Shoes": (("everywhere", 8_000_000, 40_000_000),),
    "Tern Airlines": (("everywhere", 8_000_000, 40_000_000), ("last seats", 6_500_000, 1_000_000)),
}
"""Line items by advertiser: name, price for a thousand viewable impressions and budget, in micros of a dollar. The best
price runs dry first; after it three equal bids take turns."""


class Uploaded(NamedTuple):
    """A creative that the gate approved."""

    title: str
    data: bytes


@dataclass
class Market:
    """A client of one server with an operator's key."""

    url: str
    operator_key: str

    async def open(self) -> dict[str, Uploaded]:
        """Open the advertisers' accounts, upload, and book; return the creatives by sha-256."""
        uploaded: dict[str, Uploaded] = {}
        for name in ADVERTISERS:
            account = name.lower().replace(" ", "-")
            key = (await self._call("POST", "/v1/advertisers", json={"id": account}))["key"]
            mine = await self._upload(name, key)
            await self._book(name, key, list(mine))
            uploaded |= mine
        return uploaded

    async def world_key(self, world: str) -> str:
        """Return a new key for a world."""
        return str((await self._call("POST", "/v1/worlds", json={"id": world}))["key"])

    async def report(self) -> dict[str, Any]:
        """Return the server's report of everything; raises `OpenSlotError(SERVER_AWAY)` when it does not answer."""
        report: dict[str, Any] = await self._call("GET", "/v1/reports")
        return report

    async def _upload(self, advertiser: str, key: str) -> dict[str, Uploaded]:
        mine = {}
        for name, creative in CREATIVES.items():
            if creative.advertiser != advertiser:
                continue
            said = {"label": f"Ad · {advertiser}", "landing_url": creative.landing_url}
            data = build_creative(name)
            headers = {"content-type": "model/gltf-binary"}
            answer = await self._call("POST", "/v1/creatives", key=key, params=said, content=data, headers=headers)
            mine[answer["creative"]["sha256"]] = Uploaded(creative.title, data)
        return mine

    async def _book(self, advertiser: str, key: str, creatives: list[str]) -> None:
        campaign = await self._call("POST", "/v1/campaigns", key=key, json={"name": f"{advertiser}: opening"})
        now = time.time_ns() // 1_000_000
        for name, cpm, budget in TERMS[advertiser]:
            draft = {
                "campaign": campaign["id"],
                "name": name,
                "creatives": creatives,
                "cpm": {"micros": cpm, "currency": "USD"},
                "budget": {"micros": budget, "currency": "USD"},
                "from_ms": now,
                "to_ms": now + DAY_MS,
            }
            await self._call("POST", "/v1/line-items", key=key, json=draft)

    async def _call(self, method: str, path: str, key: str = "", **rest: Any) -> Any:
        headers = {"authorization": f"Bearer {key or self.operator_key}", **rest.pop("headers", {})}
        try:
            async with httpx2.AsyncClient(base_url=self.url, timeout=TIMEOUT_S) as client:
                answer = await client.request(method, path, headers=headers, **rest)
        except httpx2.HTTPError as error:
            raise OpenSlotError(Code.SERVER_AWAY, f"{method} {path}: {error}") from error
        if answer.is_error:
            raise OpenSlotError(Code.INTERNAL, f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()
