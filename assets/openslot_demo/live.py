"""What the demo knows at this moment, in the shape that the live page reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Live", "LiveWorld"]

Phase = Literal["starting", "walking", "draining", "done"]


@dataclass
class LiveWorld:
    """One world as its process last told: `told` is a state line of `openslot_demo.world`."""

    name: str
    title: str
    slots: list[dict[str, Any]]
    """Static: id, name, size, position, rotation."""
    told: dict[str, Any] = field(default_factory=dict)

    def plain(self, rows: dict[str, dict[str, Any]], titles: dict[str, str]) -> dict[str, Any]:
        """Return the page's view; `rows` are the ledger's figures by slot, `titles` the creatives' by sha-256."""
        shown = {
            slot: {**state, "creative": titles.get(state.get("creative", ""), "")}
            for slot, state in self.told.get("slots", {}).items()
        }
        return {
            "name": self.name,
            "title": self.title,
            "scene_url": f"scenes/{self.name}.glb",
            "slots": [
                {**slot, **FRESH, **rows.get(slot["id"], {}), **shown.get(slot["id"], {})} for slot in self.slots
            ],
            "walkers": self.told.get("walkers", []),
            "stats": self.told.get("stats", {}),
        }


FRESH: dict[str, Any] = {
    "state": "empty",
    "creative": "",
    "advertiser": "",
    "requests": 0,
    "filled": 0,
    "rendered": 0,
    "viewable": 0,
    "mean_exposure_ms": 0,
    "spend_micros": 0,
    "currency": "USD",
    "seen_now": 0,
}


@dataclass
class Live:
    """The whole demo, now."""

    seconds: float
    phase: Phase = "starting"
    elapsed_s: float = 0.0
    server_up: bool = False
    message: str = ""
    worlds: dict[str, LiveWorld] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    """Creatives' titles by sha-256."""
    report: dict[str, Any] = field(default_factory=dict)
    """The server's report, as last fetched."""

    def counted(self, event: Literal["rendered", "viewable"]) -> tuple[int, int]:
        """Return how many of these events the worlds' SDKs counted, and how many the ledger has."""
        sdk = sum(world.told.get("stats", {}).get(event, 0) for world in self.worlds.values())
        return sdk, self.report.get("totals", {}).get(event, 0)

    @property
    def agrees(self) -> bool:
        """Whether both sides counted the same."""
        return all(sdk == ledger for sdk, ledger in (self.counted("rendered"), self.counted("viewable")))

    def plain(self) -> dict[str, Any]:
        """Return the state as the page reads it."""
        totals = self.report.get("totals", {})
        sdk_viewable, ledger_viewable = self.counted("viewable")
        sdk_rendered, ledger_rendered = self.counted("rendered")
        return {
            "phase": self.phase,
            "elapsed_s": round(self.elapsed_s, 1),
            "seconds": self.seconds,
            "server": "up" if self.server_up else "down",
            "message": self.message,
            "worlds": [world.plain(self._rows(world.name), self.titles) for world in self.worlds.values()],
            "totals": {**totals, "currency": self.report.get("currency", "USD")},
            "funnel": totals.get("funnel", {}),
            "agreement": {
                "sdk_rendered": sdk_rendered,
                "ledger_rendered": ledger_rendered,
                "sdk_viewable": sdk_viewable,
                "ledger_viewable": ledger_viewable,
                "agree": sdk_viewable == ledger_viewable,
            },
        }

    def _rows(self, world: str) -> dict[str, dict[str, Any]]:
        return {row["slot"]: row for row in self.report.get("rows", []) if row["world"] == world}
