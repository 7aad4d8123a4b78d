"""The main job, as a user runs it: real server, real sockets, real processes; and what a dead server costs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from openslot_demo.web import bound
from openslot_demo.worlds import build_world

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "gltf"
DEMO = [sys.executable, "-m", "openslot_demo", "--no-browser", "--json", "--walkers", "4"]
ROOM_SLOTS = {"back": ("0,1.4,-3.2", "0,0,1"), "door": ("2.6,1.5,0", "-1,0,0")}


def openslot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openslot_server", *words], capture_output=True, text=True, timeout=60, check=False
    )


def demo(*options: str) -> dict[str, Any]:
    done = subprocess.run([*DEMO, *options], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def assert_nothing_lost_or_doubled(result: dict[str, Any]) -> None:
    agreement = result["agreement"]
    assert agreement["agree"], agreement
    assert agreement["sdk_rendered"] == agreement["ledger_rendered"], agreement
    for world in result["worlds"]:
        stats = world["stats"]
        assert stats["spooled"] == stats["acknowledged"], stats
        assert (stats["dropped"], stats["refused"]) == (0, {}), stats
    totals = result["report"]["totals"]
    assert totals["rendered"] > 0
    assert totals["spend_micros"] == totals["revenue_micros"] + totals["fee_micros"]


def test_a_server_dead_for_five_seconds_loses_and_doubles_nothing() -> None:
    result = demo("--seconds", "16", "--outage", "5")
    assert_nothing_lost_or_doubled(result)
    assert len(result["worlds"]) == 3


def test_a_server_killed_from_outside_again_and_again_loses_and_doubles_nothing() -> None:
    with bound(0) as free:
        port = free.getsockname()[1]
    command = [*DEMO, "--seconds", "300", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killed, rendered = set(), 0
    for _ in range(3):
        rendered = wait_for_more_than(rendered, port)
        (server,) = servers_below(process.pid)
        os.kill(server, signal.SIGKILL)
        killed.add(server)
    wait_for_more_than(rendered, port)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert len(killed) == 3
    assert_nothing_lost_or_doubled(json.loads(out))


def wait_for_more_than(rendered: int, port: int) -> int:
    """Wait until the server is up and more views were rendered, and return how many."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.5)
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/state") as answer:
            state = json.load(answer)
            now: int = state["agreement"]["sdk_rendered"]
            if now > rendered and state["server"] == "up":
                return now
    raise TimeoutError(f"no more than {rendered} views were rendered in a minute")


def test_a_scene_of_ones_own_is_measured_with_its_own_furniture(tmp_path: Path) -> None:
    garage = SHARED / "webxr_garage.glb"
    scene = tmp_path / "room.glb"
    scene.write_bytes(garage.read_bytes() if garage.exists() else build_world("gallery"))
    for name, (at, facing) in ROOM_SLOTS.items():
        added = openslot(
            "scene", "add-slot", str(scene), "--id", name, f"--at={at}", f"--facing={facing}", "--size", "1.2,0.8",
            "-o", str(scene),
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
    result = demo("--seconds", "12", "--scene", str(scene))
    assert_nothing_lost_or_doubled(result)
    assert {slot["id"] for slot in result["worlds"][0]["slots"]} >= set(ROOM_SLOTS)
    assert sum(result["report"]["totals"]["funnel"].values()) > 0


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (["--scene", "nowhere.glb"], 2, "run.file_not_found"),
        (["--scene", str(Path(__file__))], 2, "gltf.not_read"),
        (["--seconds", "0"], 2, "seconds"),
    ],
)
def test_what_cannot_run_is_said_in_a_line(options: list[str], exit_code: int, said: str) -> None:
    done = subprocess.run([*DEMO, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == exit_code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def servers_below(pid: int) -> list[int]:
    """Return the ids of the server processes that the demo started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"openslot_server" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
