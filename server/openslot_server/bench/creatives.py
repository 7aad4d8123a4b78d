"""`openslot bench creatives`: what it costs to judge a creative and to hang it up, on real models.

The models are the 82 of npm `@webxr-input-profiles/assets`, and those of `../shared/gltf` where that folder is. The
Khronos validator runs in one warm Node process, each file several times, so that its start does not count; the best of
the rounds counts for both sides, which are asked in turns.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from openslot_gltf import SCENE, TIERS, Document, add_slot, embed, read_document, write_glb
from openslot_gltf.read import examined
from openslot_server.bench.hostile import hostile_jobs
from openslot_server.bench.pictures import optimising, previews
from openslot_server.creatives.khronos import folder_with
from openslot_server.creatives.sandbox import Sandbox
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms

__all__ = ["run"]

Progress = Callable[[str], None]
Row = dict[str, Any]
Part = tuple[dict[str, float], list[Row]]

ASSETS = "@webxr-input-profiles/assets"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "gltf"
ROOM = "webxr_garage.glb"
ROUNDS = 5
PAUSE_S = 0.02
"""Between two uploads: the sandbox has its next worker ready by then."""
WIDE = replace(TIERS["L"], file_bytes=64_000_000, side_px=16_384, pixels=1_000_000_000)
"""Budgets beyond any of the models: all of them are read to the end."""
PROGRAM = """
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { validateBytes } = createRequire(process.argv[1] + "/")("gltf-validator");
const files = JSON.parse(process.argv[2]).map((name) => new Uint8Array(readFileSync(name)));
require("node:readline").createInterface({ input: process.stdin }).on("line", async () => {
  const taken = [];
  for (const bytes of files) {
    const start = performance.now();
    await validateBytes(bytes, { maxIssues: 1000 });
    taken.push(performance.now() - start);
  }
  console.log(JSON.stringify(taken));
});
"""


@dataclass(frozen=True, slots=True)
class Models:
    """The files: by name of those in `../shared`, and all of them in order of their paths."""

    paths: tuple[Path, ...]
    shared: dict[str, Path]


def run(progress: Progress) -> Part:
    """Return figures by name and a table of what was measured."""
    models = _models()
    figures: dict[str, float] = {}
    table: list[Row] = []
    for part in PARTS:
        found, rows = part(models, progress)
        figures |= found
        table += rows
    return figures, table


def _models() -> Models:
    folder = folder_with(ASSETS)
    if folder is None or folder_with("gltf-validator") is None:
        raise OpenSlotError(
            Code.FILE_NOT_FOUND, f"run `npm install {ASSETS} gltf-validator` here, or this in a clone after `make test`"
        )
    shared = {path.name: path for path in sorted(SHARED.glob("*.glb"))}
    assets = sorted((folder / "node_modules" / ASSETS / "dist").rglob("*.glb"))
    return Models((*assets, *shared.values()), shared)


def _against_the_validator(models: Models, progress: Progress) -> Part:
    """The gate in this process against the validator in its own, file by file."""
    progress(f"the gate and the Khronos validator on {len(models.paths)} models")
    files = [path.read_bytes() for path in models.paths]
    command = ["node", "-e", PROGRAM, str(folder_with("gltf-validator")), json.dumps([str(p) for p in models.paths])]
    theirs, ours = [], []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:  # noqa: S603
        assert node.stdin is not None  # noqa: S101  both are pipes
        assert node.stdout is not None  # noqa: S101
        for _ in range(ROUNDS):
            node.stdin.write("\n")
            node.stdin.flush()
            theirs.append(json.loads(node.stdout.readline()))
            ours.append([_timed_ms(partial(examined, data, WIDE)) for data in files])
    best, peer = ([min(each) for each in zip(*rounds, strict=True)] for rounds in (ours, theirs))
    figures = {"gate_over_validator_time": sum(best) / sum(peer), "gate_median_ms": median(best)}
    rows = [
        {
            "what": f"{len(files)} models: gate, Khronos validator",
            "measured": f"{sum(best):.0f}, {sum(peer):.0f} ms",
        },
        {"what": "median of a model: gate, validator", "measured": f"{median(best):.2f}, {median(peer):.2f} ms"},
        {"what": "slowest model: gate, validator", "measured": f"{max(best):.1f}, {max(peer):.1f} ms"},
    ]
    if models.shared:
        at = len(models.paths) - len(models.shared)
        figures["gate_over_validator_time_shared"] = sum(best[at:]) / sum(peer[at:])
    return figures, rows


def _through_the_sandbox(models: Models, progress: Progress) -> Part:
    """The same through the warm sandbox: sending, forking, judging by every tier in turn, answering, ending."""
    progress("the gate through the warm sandbox")
    files = [data for data in (path.read_bytes() for path in models.paths) if len(data) <= TIERS["L"].file_bytes]
    taken = sorted(asyncio.run(_sandboxed(files)))
    rows = [{"what": "sandboxed, p50, p95, slowest", "measured": " ".join(
        f"{ms:.1f}" for ms in (median(taken), taken[len(taken) * 95 // 100], taken[-1])) + " ms"}]  # fmt: skip
    return {"gate_sandboxed_ms": median(taken)}, rows


async def _sandboxed(files: list[bytes]) -> list[float]:
    """Return what the better of two calls took for each file, in milliseconds."""
    sandbox, taken = Sandbox(), []
    try:
        await sandbox.check(files[0], "L")
        for data in files:
            both = []
            for _ in range(2):
                await asyncio.sleep(PAUSE_S)
                start = time.perf_counter()
                await sandbox.check(data, "L")
                both.append((time.perf_counter() - start) * 1e3)
            taken.append(min(both))
    finally:
        await sandbox.close()
    return taken


def _embedding(models: Models, progress: Progress) -> Part:
    """Creatives into a slot of a room: fitted, merged and written."""
    progress("embedding")
    chosen = [path for path in models.shared.values() if path.name != ROOM] or list(models.paths[::8])
    room = models.shared.get(ROOM, models.paths[0])
    stage = add_slot(read_document(room.read_bytes()), SlotTerms(id="board", size=(2, 1)), (0, 1.5, 0))
    documents = [read_document(path.read_bytes(), SCENE) for path in chosen]
    taken = [min(_timed_ms(partial(_hung, stage, document)) for _ in range(ROUNDS)) for document in documents]
    rows = [{"what": f"embedding of {len(chosen)} models in {room.name}: p50, slowest", "measured":
             f"{median(taken):.2f}, {max(taken):.2f} ms"}]  # fmt: skip
    return {"embed_median_ms": median(taken)}, rows


def _hung(stage: Document, creative: Document) -> bytes:
    return write_glb(embed(stage, "board", creative))


def _hostile(_: Models, progress: Progress) -> Part:
    progress("a thousand hostile jobs")
    return hostile_jobs()


def _previews(models: Models, progress: Progress) -> Part:
    return previews([*models.shared.values()] or models.paths, progress)


def _optimising(models: Models, progress: Progress) -> Part:
    return optimising([*models.shared.values()] or models.paths, progress)


def _timed_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


PARTS: tuple[Callable[[Models, Progress], Part], ...] = (
    _against_the_validator,
    _through_the_sandbox,
    _embedding,
    _hostile,
    _previews,
    _optimising,
)
"""Each measures one thing, in this order; a new one is a function here."""
