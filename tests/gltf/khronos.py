"""The Khronos glTF validator as an oracle: one Node process for a batch of files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "gltf"


def verdicts(files: Mapping[str, bytes], folder: Path) -> dict[str, dict[str, Any]]:
    """Return the validator's {errors, warnings, info} of each named file."""
    if not (TOOLS / "node_modules" / "gltf-validator").exists():
        pytest.fail("npm gltf-validator is not installed: `make test` installs it")
    paths = {}
    for number, (name, data) in enumerate(files.items()):
        path = folder / f"{number}{'.glb' if data[:4] == b'glTF' else '.gltf'}"
        path.write_bytes(data)
        paths[str(path)] = name
    listing = folder / "files.txt"
    listing.write_text("\n".join(paths))
    run = subprocess.run(
        ["node", str(TOOLS / "validate.mjs"), str(listing)], capture_output=True, text=True, check=True, timeout=120
    )
    return {paths[path]: verdict for path, verdict in json.loads(run.stdout).items()}


def shared_models() -> list[Path]:
    """Return the real models beside the clone; none in a user's clone."""
    return sorted(SHARED.glob("*.glb"))
