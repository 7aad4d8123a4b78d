"""The README's pictures: the live page of a running demo, and a creative as its viewers see it. `make screenshots`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openslot_demo.creatives import build_creative
from openslot_demo.page.screenshots import Shot, browser, take
from openslot_demo.web import bound

START_S = 60.0
WALK_S = 40.0
"""Long enough for every state of a slot to show."""
AGREED = "#agreement[data-state='agreed']"
SHOTS = {
    "plaza": Shot("plaza", settle_ms=300, once=AGREED),
    "gallery": Shot("gallery", dark=True, once=AGREED),
    "arcade": Shot("arcade", dark=True, once=AGREED),
    "phone": Shot("gallery", size=(420, 900), once=AGREED),
}


def main() -> None:
    """Write the pictures into the folder named on the command line."""
    folder = Path(sys.argv[1])
    with _demo() as url, browser() as chromium:
        time.sleep(WALK_S)
        for name, shot in SHOTS.items():
            path = take(url, folder / f"{name}.png", shot, chromium=chromium)
            sys.stdout.write(f"{path}: {path.stat().st_size >> 10} KiB\n")
    _preview("nimbus-cloud", folder / "creative.png")


def _preview(name: str, picture: Path) -> None:
    """Draw one of the demo's creatives, as an advertiser would."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / f"{name}.glb"
        model.write_bytes(build_creative(name))
        openslot = Path(sys.executable).with_name("openslot")
        subprocess.run([openslot, "creative", "preview", model, "-o", picture], check=True)  # noqa: S603  our command


@contextlib.contextmanager
def _demo() -> Iterator[str]:
    """Run a demo for as long as the block lasts, and yield its page's address."""
    with bound(0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "openslot_demo", "--seconds", "600", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  our own module
    try:
        _wait(f"http://127.0.0.1:{port}/state", lambda state: state["phase"] == "walking")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, ready: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:  # noqa: S310  this machine
            if ready(json.load(answer)):
                return
        time.sleep(0.2)
    raise TimeoutError(f"{url} was not ready within {START_S:.0f} s")


if __name__ == "__main__":
    main()
