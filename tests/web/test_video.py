import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route

from openslot_demo.page.screenshots import browser
from openslot_sdk.ads import Ad
from openslot_sdk.scenes import Scene, with_ads
from openslot_spec.creatives import Video
from tests.sdk.scenes import board_scene
from tests.server.clips import clip

pytestmark = pytest.mark.xdist_group("browser")

ROOT = Path(__file__).resolve().parents[2]
THREE = ROOT / "tests" / "tools" / "node_modules" / "three"
HOST = "http://world.test"
PAGE = """<!doctype html><title>A world</title><canvas width="320" height="200"></canvas>
<script type="importmap">{"imports": {"three": "/three/build/three.module.js"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "/three/examples/jsm/loaders/GLTFLoader.js";
import { playVideos } from "/video.js";
const renderer = new THREE.WebGLRenderer({ canvas: document.querySelector("canvas"), preserveDrawingBuffer: true });
const camera = new THREE.PerspectiveCamera(60, 1.6, 0.1, 50);
camera.position.set(0, 1.6, 2.2);
const { scene } = await new GLTFLoader().loadAsync("/scene.glb");
const draw = () => renderer.render(scene, camera);
draw();
const addressOf = ({ sha256 }) => `/assets/${sha256}`;
window.world = { draw, start() { window.ads = playVideos(THREE, scene, addressOf); }, click(x, y) {
  const ray = new THREE.Raycaster();
  ray.setFromCamera(new THREE.Vector2(x, y), camera);
  return window.ads.click(ray) !== undefined;
} };
</script>"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def scene(folder: Path, sound: bool) -> bytes:
    """Return a board of 3 × 2 m whose poster is green, with a video."""
    out = io.BytesIO()
    Image.new("RGB", (48, 32), (0, 160, 40)).save(out, "JPEG", quality=95)
    (poster := folder / "poster.jpg").write_bytes(out.getvalue())
    facts = {"duration_ms": 2000, "width_px": 96, "height_px": 64, "frames_per_second": 12.0, "sound": sound}
    still = {"sha256": "cd" * 32, "size_bytes": 9, "url": "/assets/poster"}
    video = Video.model_validate({**facts, "poster": still})
    ad = Ad("east", poster, "video/webm", "Ad by Acme", "ab" * 32, "acme", video=video, poster=poster)
    return with_ads(Scene.read(board_scene("east", accepts={"media": ["video/webm"]})), [ad])


def opened(chromium: Browser, glb: bytes, film: bytes) -> tuple[Page, list[str]]:
    page, asked = chromium.new_page(), []
    files = {"/": (PAGE.encode(), "text/html"), "/scene.glb": (glb, "model/gltf-binary")}
    files |= {"/assets/" + "ab" * 32: (film, "video/webm")}
    files |= {"/video.js": ((ROOT / "sdk" / "web" / "video.js").read_bytes(), "text/javascript")}

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(HOST)
        asked.append(path)
        body, kind = files.get(path) or ((THREE / path.removeprefix("/three/")).read_bytes(), "text/javascript")
        route.fulfill(body=body, content_type=kind)

    page.route(f"{HOST}/**", answer)
    page.goto(HOST + "/")
    page.wait_for_function("window.world !== undefined")
    return page, asked


def middle(page: Page) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the colour in the middle of the canvas."""
    page.evaluate("world.draw()")
    data = page.evaluate("document.querySelector('canvas').toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as picture:
        return np.array(picture.convert("RGB").getpixel((160, 100)), np.int64)


def test_a_video_plays_on_its_panel_muted_until_it_is_clicked(chromium: Browser, tmp_path: Path) -> None:
    film = clip("webm", size=(96, 64), sound=True)
    page, asked = opened(chromium, scene(tmp_path, sound=True), film)
    assert np.abs(middle(page) - (0, 160, 40)).max() <= 6
    assert not any("assets" in path for path in asked)  # nothing of it is loaded before a world plays it
    page.evaluate("world.start()")
    page.wait_for_function("ads.panels[0].video.currentTime > 0.1 && ads.panels[0].posters.size === 1")
    assert np.abs(middle(page)[:2] - (230, 60)).max() <= 12
    assert page.evaluate("ads.panels[0].muted")
    assert not page.evaluate("world.click(-0.99, 0.99)")
    assert page.evaluate("ads.panels[0].muted")
    assert page.evaluate("world.click(0, 0)")
    assert not page.evaluate("ads.panels[0].muted")
    page.evaluate("ads.dispose()")
    assert np.abs(middle(page) - (0, 160, 40)).max() <= 6
    page.close()


def test_what_does_not_play_keeps_its_poster_and_stays_silent(chromium: Browser, tmp_path: Path) -> None:
    page, _ = opened(chromium, scene(tmp_path, sound=False), b"no video")
    page.evaluate("world.start()")
    assert page.evaluate("ads.panels[0].playing") is False
    assert np.abs(middle(page) - (0, 160, 40)).max() <= 6
    assert json.loads(page.evaluate("JSON.stringify([world.click(0, 0), ads.panels[0].muted])")) == [True, True]
    page.close()
