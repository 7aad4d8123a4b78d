"""A process that has loaded what servers and worlds need, and forks one for each line that it reads.

A line is JSON, {"words": […], "environment": {…}, "out": "a FIFO"}; the answer is the number of the process. So a
life costs milliseconds, and a test can afford to end many of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import uvloop  # noqa: F401  the server's loop, loaded before there is anything to lose

from openslot_server.cli import keys, ledger, report, serve  # noqa: F401  what the command loads when it is run
from openslot_server.cli.main import main as openslot
from tests.faults import world_program


def main() -> None:
    """Fork until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        order = json.loads(line)
        number = os.fork()
        if not number:
            _live(order)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def _live(order: dict[str, Any]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, replaced in ((nothing, 0), (os.open(order["out"], os.O_WRONLY), 1), (nothing, 2)):
        os.dup2(number, replaced)
    os.closerange(3, 1_024)
    os.environ.update(order["environment"])
    program, *words = order["words"]
    status = 1
    try:
        sys.argv = [program, *words]
        openslot() if program == "openslot" else world_program.main(*words)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        if status:
            sys.stdout.write(f"ended with {status}\n")
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
