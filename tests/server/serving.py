"""A whole server in one process for tests: the real rooms and store, the API and the assets, without a port."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from openslot_server.app import build
from openslot_server.config import Settings
from openslot_server.creatives.gate import examine
from openslot_server.creatives.intake import Intake
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Tier, Verdict
from openslot_server.keys import Principal, Role
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_spec.servers import Sealed
from openslot_spec.slots import SlotTerms
from tests.federation.mesh import description
from tests.server.glbs import board

NOW_MS = 1_790_000_000_000
OPERATOR_KEY = "ok_operator_" + "o" * 32
ACCOUNTS: dict[str, Role] = {
    "aurora": "advertiser",
    "borealis": "advertiser",
    "plaza": "world",
    "mall": "world",
    "judge": "reviewer",
}
MODEL = {"Content-Type": "model/gltf-binary"}


class InProcess(Sandbox):
    """The gate without its process: for tests that are about something else."""

    async def check(self, data: bytes, tier: Tier, slot: SlotTerms | None = None) -> Verdict:
        terms = "" if slot is None else slot.model_dump_json()
        return Verdict.model_validate_json(examine(data, tier + terms))


@dataclass(frozen=True)
class Serving:
    """The server and a client; `who` is the name of an account, `operator`, or empty for nobody."""

    server: Server
    client: httpx2.AsyncClient
    keys: dict[str, str]

    async def ask(self, who: str, method: str, path: str, **request: Any) -> httpx2.Response:
        headers = request.pop("headers", {})
        if who:
            headers = headers | {"Authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, path, headers=headers, **request)

    async def upload(self, who: str, data: bytes, **said: str) -> httpx2.Response:
        params = {"label": "Ad · Aurora"} | said
        return await self.ask(who, "POST", "/v1/creatives", params=params, content=data, headers=MODEL)

    async def campaign(self, who: str = "aurora") -> str:
        made = await self.ask(who, "POST", "/v1/campaigns", json={"name": "Spring"})
        return str(made.json()["id"])

    async def line_item(self, who: str = "aurora") -> str:
        data = board(name=who)
        await self.upload(who, data)
        draft = line_item_draft(await self.campaign(who), data)
        made = await self.ask(who, "POST", "/v1/line-items", json=draft)
        return str(made.json()["id"])


def line_item_draft(campaign: str, creative: bytes) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "name": "Boards",
        "creatives": [hashlib.sha256(creative).hexdigest()],
        "cpm": {"micros": 2_000_000},
        "budget": {"micros": 10_000_000},
        "from_ms": NOW_MS,
        "to_ms": NOW_MS + 86_400_000,
    }


@asynccontextmanager
async def serving(folder: Path, *, sandboxed: bool = False, **changes: Any) -> AsyncIterator[Serving]:
    """Yield a server on a new database with one key for each of `ACCOUNTS`."""
    app, keys = await application(folder, **changes)
    if sandboxed:
        app.state.intake = Intake(app.state.sandbox, app.state.library)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Serving(app.state.server, client, keys)
    await app.state.sandbox.close()
    app.state.server.store.close()


async def application(folder: Path, **changes: Any) -> tuple[Starlette, dict[str, str]]:
    """Return the application, its gate in this process, and the keys by account; close the store after it."""
    known: dict[str, Any] = {"requests_per_second": 1_000_000, "requests_per_second_of_address": 1_000_000}
    settings = Settings(database=folder / "test.sqlite3", operator_key=OPERATOR_KEY, **known | changes)
    server = Server(settings, SqliteStore(settings.database), lambda: NOW_MS, counting_entropy())
    operator = Principal("operator", "operator")
    keys = {name: await server.keys.add(operator, role, name) for name, role in ACCOUNTS.items()}
    app = build(server)
    app.state.intake = Intake(InProcess(), app.state.library)
    app.state.described_at = _described_at
    return app, keys | {"operator": OPERATOR_KEY}


async def _described_at(_: str) -> Sealed:
    """Stand for any server that may be asked who it is: nothing leaves the test."""
    return description(1)


def counting_entropy() -> Any:
    """Return a source of bytes that never repeat and are the same in every run."""
    drawn = 0

    def entropy(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(drawn.to_bytes(8, "big")).digest(size)

    return entropy
