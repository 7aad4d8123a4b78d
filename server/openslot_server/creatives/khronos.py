"""The Khronos glTF validator as a second opinion, where Node and npm `gltf-validator` are there.

It comes last, on bytes our own gate has accepted and would serve, in a process with a limit on memory and time: on some
hostile files it hangs or overflows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from openslot_server.creatives.verdict import MAX_TEXT, Finding

__all__ = ["folder_with", "second_opinion"]

TIME_S = 5.0
MEMORY_MB = 512
MOST = 20
PLACES = (Path.cwd, lambda: Path(__file__).resolve().parents[3] / "tests" / "tools")
"""Where npm may have put it: the folder one works in, then that of a clone's own tests."""
PROGRAM = """
const { createRequire } = require("node:module");
const { validateBytes } = createRequire(process.argv[1] + "/")("gltf-validator");
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk)).on("end", async () => {
  const report = await validateBytes(new Uint8Array(Buffer.concat(chunks)), { maxIssues: 200 });
  process.stdout.write(JSON.stringify(report.issues.messages.filter((issue) => issue.severity < 2)));
});
"""


def second_opinion(data: bytes) -> tuple[Finding, ...] | None:
    """Return the validator's errors and warnings on a glTF file, codes `khronos.*`; None where it is not installed."""
    node, place = shutil.which("node"), folder_with("gltf-validator")
    if node is None or place is None:
        return None
    command = [node, f"--max-old-space-size={MEMORY_MB}", "-e", PROGRAM, str(place)]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        run = subprocess.run(  # noqa: S603  our own program, and a folder
            command, input=data, capture_output=True, timeout=TIME_S, env=environment, check=True
        )
    except subprocess.TimeoutExpired:
        return (_finding("khronos.time", f"The Khronos validator did not end within {TIME_S:g} s."),)
    except (OSError, subprocess.CalledProcessError):
        return (_finding("khronos.crash", "The Khronos validator failed on this file."),)
    issues = sorted(json.loads(run.stdout), key=lambda issue: issue["severity"])
    return tuple(
        Finding(
            code=f"khronos.{issue['code'].lower()}"[:64],
            severity="error" if issue["severity"] == 0 else "warning",
            pointer=issue.get("pointer", "")[:MAX_TEXT],
            message=issue["message"][:MAX_TEXT],
        )
        for issue in issues[:MOST]
    )


def folder_with(package: str) -> Path | None:
    """Return the folder from which Node finds an npm package, None where it is not installed."""
    return next((place() for place in PLACES if (place() / "node_modules" / package).is_dir()), None)


def _finding(code: str, message: str) -> Finding:
    return Finding(code=code, severity="warning", message=message)
