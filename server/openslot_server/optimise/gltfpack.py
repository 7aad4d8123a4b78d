"""gltfpack (npm, meshoptimizer's own), where Node has it: it joins meshes and shortens all numbers, clips too."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from openslot_gltf import TIERS, Document, read_document, write_glb
from openslot_gltf.document import Json
from openslot_spec.errors import OpenSlotError

__all__ = ["repacked"]

TIME_S = 30.0
PLACES = (Path.cwd, lambda: Path(__file__).resolve().parents[3] / "tests" / "tools")
"""Where npm may have put it: the folder one works in, then that of a clone's own tests."""
UNSAFE = frozenset({"KHR_animation_pointer", "EXT_mesh_gpu_instancing", "KHR_materials_variants"})
"""What it drops or changes."""
WIDE = replace(TIERS["L"], file_bytes=64_000_000, side_px=16384, pixels=10**9, decodes=False)


def repacked(document: Document) -> Document | None:
    """Return the creative as gltfpack writes it; None where it is not installed, or would not keep its meaning."""
    node, program = shutil.which("node"), _program()
    if node is None or program is None or UNSAFE.intersection(document.json.get("extensionsUsed", ())):
        return None
    with tempfile.TemporaryDirectory() as name:
        source, made = Path(name) / "in.glb", Path(name) / "out.glb"
        source.write_bytes(write_glb(document))
        environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        command = [node, str(program), "-i", str(source), "-o", str(made), "-ke"]
        try:
            subprocess.run(command, capture_output=True, timeout=TIME_S, env=environment, check=True)  # noqa: S603
            found = read_document(made.read_bytes(), WIDE)
        except (OSError, subprocess.SubprocessError, OpenSlotError):
            return None
    return _kept(document, found)


def _kept(before: Document, after: Document) -> Document | None:
    """Return what came out with the author's credit, if as many clips and skins did."""
    if any(len(before.array(name)) != len(after.array(name)) for name in ("animations", "skins")):
        return None
    asset: Json = {**before.json["asset"], "generator": after.json["asset"].get("generator", "gltfpack")}
    return Document({**after.json, "asset": asset}, after.binary)


def _program() -> Path | None:
    found = (place() / "node_modules" / "gltfpack" / "cli.js" for place in PLACES)
    return next((path for path in found if path.is_file()), None)
