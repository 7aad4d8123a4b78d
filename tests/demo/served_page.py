"""A tiny server of the live page with a made-up state, for the page's tests."""

from __future__ import annotations

import json
import math
import mimetypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from openslot_demo import creatives, page, worlds
from openslot_demo.worlds import scenery

PAGE = Path(page.__file__).parent
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'"
STATES = ("viewable", "rendered", "filled", "empty")
State = dict[str, Any]


def made_up_state() -> State:
    return {
        "phase": "walking",
        "elapsed_s": 21.4,
        "seconds": 60,
        "server": "up",
        "message": "",
        "worlds": [_world(name) for name in worlds.NAMES],
        "totals": {
            "requests": 240,
            "filled": 186,
            "rendered": 171,
            "viewable": 118,
            "spend_micros": 472_000,
            "currency": "USD",
        },
        "funnel": {
            "viewport": 4210,
            "back_facing": 1630,
            "too_small": 1404,
            "obstructed": 733,
            "too_oblique": 518,
            "too_short": 204,
        },
        "agreement": {"sdk_viewable": 118, "ledger_viewable": 118, "agree": True},
    }


def _world(name: str) -> State:
    boards = worlds.boards(name)
    points = worlds.waypoints(name).points
    walkers = [
        {"id": f"w{k}", "x": float(p[0]), "y": float(p[1]), "z": float(p[2]), "yaw_deg": 51.0 * k}
        for k, p in enumerate(points[::4])
    ]
    slots = [_slot(board, at) for at, board in enumerate(boards)]
    return {
        "name": name,
        "title": worlds.title(name),
        "scene_url": f"scenes/{name}.glb",
        "slots": slots,
        "walkers": walkers,
    }


def _slot(board: scenery.Board, at: int) -> State:
    state = STATES[0] if at < 3 else STATES[at % 4]
    half = math.radians(board.yaw_deg) / 2
    slot: State = {
        "id": board.terms.id,
        "name": board.terms.name,
        "size": list(board.terms.size),
        "position": list(board.position),
        "rotation": [0.0, math.sin(half), 0.0, math.cos(half)],
        "state": state,
        "requests": 30 - at,
        "filled": 28 - at,
        "rendered": 25 - at,
        "viewable": max(0, 20 - 3 * at),
        "mean_exposure_ms": 2400 - 130 * at,
        "spend_micros": max(0, 20 - 3 * at) * 4000,
        "currency": "USD",
        "seen_now": at % 3,
    }
    if state != "empty":
        name = best_creative(board.terms.size, at % 2)
        slot |= {"creative": creatives.CREATIVES[name].title, "advertiser": creatives.CREATIVES[name].advertiser}
        slot |= {"creative_url": f"creatives/{name}.glb"}
    return slot


def best_creative(size: tuple[float, float], turn: int = 0) -> str:
    ratio = size[0] / size[1]

    def misfit(name: str) -> float:
        width, height = creatives.CREATIVES[name].size
        return abs(math.log(width / height / ratio))

    return sorted(creatives.CREATIVES, key=misfit)[turn]


@contextmanager
def served(state: Callable[[], State] = made_up_state, *, events: bool = True) -> Iterator[str]:
    """Yield the address of a server of the page and of `state()`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].lstrip("/") or "index.html"
            if path == "events" and events:
                self._stream()
                return
            found = _body(path, state)
            if found is None:
                self.send_error(404)
                return
            kind, body = found
            self._head(kind, len(body))
            self.wfile.write(body)

        def _stream(self) -> None:
            self._head("text/event-stream", None)
            try:
                while not closing.wait(0.2):
                    self.wfile.write(f"data: {json.dumps(state())}\n\n".encode())
                    self.wfile.flush()
            except OSError:
                return

        def _head(self, kind: str, length: int | None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    closing = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _body(path: str, state: Callable[[], State]) -> tuple[str, bytes] | None:
    folder, _, name = path.rpartition("/")
    if path == "state":
        return "application/json", json.dumps(state()).encode()
    if (PAGE / path).is_file():
        return mimetypes.guess_type(path)[0] or "text/plain", (PAGE / path).read_bytes()
    if folder == "scenes":
        return "model/gltf-binary", worlds.build_world(name.removesuffix(".glb"))
    if folder == "creatives":
        return "model/gltf-binary", creatives.build_creative(name.removesuffix(".glb"))
    return None
