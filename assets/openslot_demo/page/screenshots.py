"""Pictures of the live page, taken with the system's Chromium and its software GL."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["CHROMIUM_ARGS", "Shot", "browser", "open_page", "take"]

CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_READY_MS = 60_000
_MOST_BYTES = 300_000


@dataclass(frozen=True)
class Shot:
    """How a picture is taken: which world, how large, in which colours, how long the page runs before it.

    With `slot` the view goes to that slot, with `once` the picture waits for that selector; `ratio` is
    the canvas's pixels per page pixel.
    """

    world: str = "plaza"
    size: tuple[int, int] = (1400, 960)
    dark: bool = False
    settle_ms: int = 1500
    slot: str | None = None
    once: str | None = None
    ratio: float = 1.0


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium; raises FileNotFoundError where none is installed."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise FileNotFoundError("pictures need Chromium: sudo apt-get install chromium")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=CHROMIUM_ARGS)
        try:
            yield chromium
        finally:
            chromium.close()


def open_page(chromium: Browser, url: str, shot: Shot, *, watch: Callable[[Page], None] = lambda _page: None) -> Page:
    """Return the live page at `url` with the shot's world and its creatives drawn; `watch` sees it before it loads."""
    width, height = shot.size
    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if shot.dark else "light")
    watch(page)
    page.goto(f"{url.rstrip('/')}/?world={shot.world}&ratio={shot.ratio}")
    page.wait_for_selector(f"#canvas[data-world='{shot.world}'][data-pending='0']", timeout=_READY_MS)
    return page


def take(url: str, out_png: Path, shot: Shot | None = None, *, chromium: Browser | None = None) -> Path:
    """Write a picture of the live page at `url`, under 300 KB, and return its path."""
    if chromium is None:
        with browser() as own:
            return take(url, out_png, shot, chromium=own)
    shot = shot or Shot()
    page = open_page(chromium, url, shot)
    if shot.slot is not None:
        page.click(f"tr[data-slot='{shot.slot}'] button")
    page.wait_for_timeout(shot.settle_ms)
    if shot.once is not None:
        page.wait_for_selector(shot.once, timeout=_READY_MS)
    out_png.parent.mkdir(parents=True, exist_ok=True)
    out_png.write_bytes(_small(page.screenshot()))
    page.close()
    return out_png


def _small(png: bytes) -> bytes:
    """Return a PNG as it is or, where it would be too large, with fewer shades of each colour."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for shades in (255, 127, 63, 31, 15):
        table = [round(round(value * shades / 255) * 255 / shades) for value in range(256)]
        out = io.BytesIO()
        image.point(table * 3).save(out, "PNG", optimize=True)
        if out.tell() < _MOST_BYTES:
            break
    return out.getvalue()
