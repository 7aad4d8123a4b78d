"""`openslot measure` and `openslot exposure`: the core's answers to files."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from openslot_server.cli.files import print_json, read, read_json
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.profiles import profile

__all__ = ["exposure", "measure"]

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object a line (always so when piped).")]


def measure(
    cases: Annotated[Path, typer.Argument(help="cases.json: cameras and slots.")],
    occluders: Annotated[Path | None, typer.Option(help="occluders.npz: the triangles of each case.")] = None,
    backend: Annotated[str, typer.Option(help="auto, numpy or numba.")] = "auto",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say for each case how much of the slot can be seen."""
    from openslot_view.cases import answer_cases  # the command line starts without numpy

    answers = answer_cases(read_json(cases), _arrays(occluders), backend=backend)
    _print(answers, as_json=as_json)


def exposure(
    trace: Annotated[Path, typer.Argument(help="TRACE.jsonl: one sample a line.")],
    profile_name: Annotated[str, typer.Option("--profile", help="The viewability profile.")] = "iig-2.0-display",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Run the exposure machine on a trace of one viewer and one placement."""
    from openslot_view.trace import replay

    _print(replay(_lines(trace), profile(profile_name)), as_json=as_json)


def _lines(path: Path) -> list[Any]:
    samples = []
    for number, line in enumerate(read(path).decode("utf-8", "replace").splitlines(), 1):
        try:
            samples += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise OpenSlotError(Code.FILE_INVALID, f"not JSON: {error}", where=f"{path}:{number}") from None
    return samples


def _arrays(path: Path | None) -> Mapping[str, Any]:
    import numpy as np

    if path is None:
        return {}
    try:
        with np.load(io.BytesIO(read(path)), allow_pickle=False) as archive:
            return dict(archive.items())
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise OpenSlotError(Code.FILE_INVALID, f"not an .npz file: {error}", where=str(path)) from None


def _print(rows: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        for row in rows:
            print_json(row)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in found:
        table.add_row(*(_cell(row.get(name, "")) for name in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
