"""`openslot bench NAME`: figures as ratios within one run, with the machine they were measured on."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from openslot_server.cli.files import print_json
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["bench", "machine"]

BENCHES = {
    "visibility": "openslot_view.bench",
    "ingest": "openslot_server.bench.ingest",
    "decisions": "openslot_server.bench.decisions",
    "creatives": "openslot_server.bench.creatives",
}
"""Each module has `run(progress) -> (figures, table)`: figures by name, and a table as a list of rows (dicts)."""


def bench(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(BENCHES)}.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure one part of OpenSlot against its peers, in one run."""
    if name not in BENCHES:
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"no bench {name!r}; there are: {', '.join(BENCHES)}", where="NAME")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        figures, table = importlib.import_module(BENCHES[name]).run(_progress)
    if as_json:
        print_json({"bench": name, "machine": machine(), "figures": figures, "table": table})
    else:
        _show(name, figures, table)


def machine() -> dict[str, Any]:
    """Return what figures depend on: processor, cores, memory, Python and the libraries that do the work."""
    libraries = ("numpy", "numba", "embreex", "trimesh", "open3d", "pyroaring", "duckdb")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: _version(name) for name in libraries},
        "three-mesh-bvh": _node_version("three-mesh-bvh"),
        "gltf-validator": _node_version("gltf-validator"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _node_version(name: str) -> str:
    package = Path(__file__).resolve().parents[3] / "tests" / "tools" / "node_modules" / name / "package.json"
    try:
        return str(json.loads(package.read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return "not installed"


def _progress(text: str) -> None:
    typer.echo(text, err=True)


def _show(name: str, figures: dict[str, float], table: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]{name}[/bold] · " + " · ".join(f"{key} {value}" for key, value in machine().items()))
    if table:
        columns = list(dict.fromkeys(column for row in table for column in row))
        shown = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
        for row in table:
            shown.add_row(*(str(row.get(column, "")) for column in columns))
        console.print(shown)
    for key, value in figures.items():
        console.print(f"{key:40} {value:.4g}")
