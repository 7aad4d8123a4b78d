"""Previews and optimising in `openslot bench creatives`: time, colours, bytes, looks."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from openslot_gltf import TIERS, check, panel, read_document, write_glb
from openslot_server.creatives.khronos import second_opinion
from openslot_server.optimise.search import cost_of, smaller_model
from openslot_server.previews.preview import drawn, turned
from openslot_server.previews.renderer import Renderer, Shot
from openslot_server.previews.sheet import sheet
from openslot_spec.slots import SlotTerms

__all__ = ["optimising", "previews"]

Row = dict[str, Any]
Part = tuple[dict[str, float], list[Row]]
ROUNDS = 3
MOST = 12
SIDE_PX, COLOURS = 512, 8


def previews(paths: Sequence[Path], progress: Callable[[str], None]) -> Part:
    """Return what whole sheets of tier M creatives take once the renderer is warm, and what their colours are worth."""
    progress("warm previews")
    files = {path.name: data for path in paths if check(data := path.read_bytes(), "M").accepted}
    chosen = dict(list(files.items())[:MOST])
    with Renderer() as renderer, Renderer() as other:
        taken = {name: _best_s(renderer, data) for name, data in chosen.items()}
        first = next(iter(chosen.values()))
        same = sheet(drawn(renderer, first, "model/gltf-binary"), "", "") == sheet(
            drawn(other, first, "model/gltf-binary"), "", ""
        )
        worst = _colour_error(renderer)
    seconds = sorted(taken.values())
    figures = {"preview_warm_s": median(seconds), "preview_slowest_s": seconds[-1]}
    figures |= {"preview_colour_error_of_255": float(worst), "preview_same_bytes": float(same)}
    rows = [{"what": f"preview of {len(seconds)} tier M creatives, warm: p50, slowest", "measured":
             f"{median(seconds):.2f}, {seconds[-1]:.2f} s"}]  # fmt: skip
    return figures, rows


def optimising(paths: Sequence[Path], progress: Callable[[str], None]) -> Part:
    """Return what optimising for tier L does to models that fit it: bytes, looks, and what the validator says."""
    progress("optimising")
    before, after, changes, errors = [], [], [], 0
    with Renderer() as renderer:
        for path in [path for path in paths if path.stat().st_size <= TIERS["L"].file_bytes][:MOST]:
            data = path.read_bytes()
            if not check(data, "L").accepted:
                continue
            made = smaller_model(data, "L", lambda _: True)
            errors += sum(finding.severity == "error" for finding in second_opinion(made) or ())
            pictures = zip(*(turned(renderer, read_document(each), 4, 170) for each in (data, made)), strict=True)
            changes.append(float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pictures])))
            before.append(cost_of(data, "model/gltf-binary"))
            after.append(cost_of(made, "model/gltf-binary"))
    ratios = [small.bytes / large.bytes for small, large in zip(after, before, strict=True)]
    figures = {
        "optimised_over_input_bytes": sum(cost.bytes for cost in after) / sum(cost.bytes for cost in before),
        "optimised_over_input_bytes_worst": max(ratios),
        "optimised_change_of_255": max(changes),
        "optimised_validator_errors": float(errors),
    }
    rows = [{"what": f"optimising {len(ratios)} models: bytes left, p50, most; picture changed at most", "measured":
             f"{median(ratios):.0%}, {max(ratios):.0%}; {max(changes):.2f} of 255"}]  # fmt: skip
    return figures, rows


def _best_s(renderer: Renderer, data: bytes) -> float:
    """Return the seconds of the best of some sheets after a first one."""
    taken = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        sheet(drawn(renderer, data, "model/gltf-binary"), "", "")
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def _colour_error(renderer: Renderer) -> int:
    """Return the largest difference between a colour of an image and of its panel, both at the middle of a field."""
    fields = np.random.default_rng(0).integers(0, 256, (COLOURS, COLOURS, 3), dtype=np.uint8)
    side = SIDE_PX // COLOURS
    out = io.BytesIO()
    Image.fromarray(fields.repeat(side, axis=0).repeat(side, axis=1)).save(out, "PNG")
    glb = write_glb(panel(out.getvalue(), SlotTerms(id="chart", size=(2.0, 2.0))))
    shot = Shot((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), (SIDE_PX, SIDE_PX), across_m=(2.0, 2.0))
    (picture,) = renderer.draw(glb, [shot])
    middles = picture[side // 2 :: side, side // 2 :: side].astype(int)
    return int(np.abs(middles - fields).max())
