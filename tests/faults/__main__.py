"""Plays one seed again and says what was found: `python -m tests.faults SEED`."""

from __future__ import annotations

import sys

from tests.faults.judgement import judge
from tests.faults.simulation import play
from tests.faults.storm import storm


def main(seed: int) -> int:
    """Print the seed, its state hash and every complaint; return how many there are."""
    after = play(seed, storm)
    complaints = judge(after)
    sys.stdout.write("\n".join([f"seed {seed}: {after.state_hash()}", *complaints, ""]))
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
