"""The live page: static files that the demo's server hands out, and how to take pictures of them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FILES", "FOLDER"]

FOLDER = Path(__file__).parent
"""The folder to serve; the page lies at `index.html` and asks for `state`, `events` and what the state names."""

FILES = {
    "index.html": "text/html; charset=utf-8",
    "live.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("live.js", "feed.js", "panel.js", "gltf.js", "slots.js", "stage.js", "walkers.js", "vendor/three.min.js"),
        "text/javascript; charset=utf-8",
    ),
    "vendor/three.LICENSE": "text/plain; charset=utf-8",
}
"""Every file of the page and its content type; nothing else is served."""
