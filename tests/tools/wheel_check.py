"""Builds the wheel, installs it alone in a clean environment, and runs the README's example against its own server.

The example is the README's first ```python block, as it stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openslot_demo.market import Market
from openslot_demo.worlds import build_world

ROOT = Path(__file__).resolve().parents[2]
OPERATOR_KEY = "ok_operator_wheel_check_0123456789"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def main() -> None:
    """Exit non-zero, with what went wrong, unless the example ends well and its views are in the ledger."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _installed(folder)
        (folder / "plaza.glb").write_bytes(build_world("plaza"))
        (folder / "example.py").write_text(_example(), "utf-8")
        with _server(python, folder) as url:
            market = Market(url, OPERATOR_KEY)
            asyncio.run(market.open())
            world = {"OPENSLOT_SERVER": url, "OPENSLOT_KEY": asyncio.run(market.world_key("plaza"))}
            _run([python, "example.py"], cwd=folder, env=CLEAN | world)
            totals = asyncio.run(market.report())["totals"]
    if not totals["rendered"]:
        sys.exit(f"the example's views did not reach the ledger: {totals}")
    sys.stdout.write(f"wheel: the README's example ran, {totals['rendered']} views are in the ledger\n")


def _installed(folder: Path) -> str:
    """Return the Python of a new environment that has the wheel with its server, and nothing of this tree."""
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)], cwd=folder, env=CLEAN)
    wheel = next(folder.glob("*.whl"))
    _run([sys.executable, "-m", "venv", str(folder / "venv")], cwd=folder, env=CLEAN)
    python = str(folder / "venv" / "bin" / "python")
    _run([python, "-m", "pip", "install", "--quiet", f"{wheel}[server]"], cwd=folder, env=CLEAN)
    return python


def _example() -> str:
    found = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit("the README has no ```python block")
    return found.group(1)


@contextmanager
def _server(python: str, folder: Path) -> Iterator[str]:
    """Yield the address of the wheel's own server."""
    command = [
        python,
        "-m",
        "openslot_server",
        "serve",
        "--json",
        "--port",
        "0",
        "--database",
        str(folder / "ledger.db"),
    ]
    environment = CLEAN | {"OPENSLOT_OPERATOR_KEY": OPERATOR_KEY}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)
    try:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["ready"])
    finally:
        process.terminate()
        process.wait(timeout=30)


def _run(command: list[str], *, cwd: Path, env: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=400, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
