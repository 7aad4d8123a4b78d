import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gltf.build import HONEST

SMALL = ("box", "spinning")


def fuzzed(folder: Path, runs: int, seed: int, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer in a process of its own: libFuzzer ends the one it runs in."""
    for name in SMALL:
        (folder / f"{name}.glb").write_bytes(HONEST[name]().glb())
    (folder / "text.gltf").write_bytes(HONEST["box"]().gltf())
    for number in range(9):
        (folder / f"mutant{number}").write_bytes(b"m%d" % number)
    options = [f"-atheris_runs={runs}", f"-seed={seed}", "-max_len=2048", "-timeout=10", "-rss_limit_mb=2048"]
    return subprocess.run(
        [sys.executable, "-m", "tests.gltf.fuzz_reader", *options, f"-artifact_prefix={folder}/", str(folder)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def check(run: subprocess.CompletedProcess[str], runs: int) -> None:
    assert run.returncode == 0, run.stderr[-3000:]
    done = re.search(r"Done (\d+)", run.stderr)
    assert done is not None
    assert int(done.group(1)) >= runs


def test_twenty_thousand_inputs_raise_nothing(tmp_path: Path) -> None:
    check(fuzzed(tmp_path, 20_000, seed=1, timeout_s=300), 20_000)


@pytest.mark.soak
def test_a_million_inputs_raise_nothing(tmp_path: Path) -> None:
    check(fuzzed(tmp_path, 1_000_000, seed=2, timeout_s=7200), 1_000_000)
