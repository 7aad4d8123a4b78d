"""`openslot measure` and `openslot exposure`: the core's answers to files."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openslot_server.cli.files import print_json, read, read_json, read_lines
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.profiles import profile

if TYPE_CHECKING:
    from openslot_view.trace import TraceSample

__all__ = ["exposure", "measure"]

MAX_SAMPLES = 1_000_000
"""Of one trace: more than a day at ten a second."""

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
    profiles: Annotated[
        list[str], typer.Option("--profile", help="The viewability profile; several, each for itself.")
    ] = ["iig-2.0-display"],  # noqa: B006  typer reads it, nobody changes it
    *,
    as_json: JsonFlag = False,
) -> None:
    """Run the exposure machine on a trace of one viewer and one placement."""
    from openslot_view.trace import replay_samples

    asked = [profile(name) for name in dict.fromkeys(profiles)]
    _print(replay_samples(_samples(trace), asked), as_json=as_json)


def _samples(path: Path) -> Iterator[TraceSample]:
    from openslot_view.trace import TraceSample

    for number, (where, line) in enumerate(read_lines(path)):
        if number == MAX_SAMPLES:
            raise OpenSlotError(Code.FILE_INVALID, f"more than {MAX_SAMPLES} samples", where=where)
        try:
            yield TraceSample.parse(json.loads(line, object_pairs_hook=_distinct), Code.FILE_INVALID)
        except OpenSlotError as error:
            field = f"/{error.where}" if error.where else ""
            raise OpenSlotError(error.code, error.detail, where=f"{where}{field}") from None
        except (ValueError, RecursionError) as error:
            raise OpenSlotError(Code.FILE_INVALID, f"not JSON: {error}", where=where) from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


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
