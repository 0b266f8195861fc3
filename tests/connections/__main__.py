"""`python -m tests.connections [load] [kills] [repeats] [many]`: the whole proofs.

Exit status 1: one fails.
"""

import logging
import sys
import tempfile
from pathlib import Path

import structlog

from tests.connections.kills import killed_in_refresh
from tests.connections.load import under_load
from tests.connections.many import connected

PROOFS = {
    "load": lambda directory: under_load(directory, seconds=60),
    "kills": lambda directory: killed_in_refresh(directory, kills=200, repeats_taken=False),
    "repeats": lambda directory: killed_in_refresh(directory, kills=200, repeats_taken=True),
    "many": lambda directory: connected(directory, companies=10_000),
}


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    good = True
    for name in sys.argv[1:] or PROOFS:
        with tempfile.TemporaryDirectory(prefix="connections-") as directory:
            result = PROOFS[name](Path(directory))
        good &= result.good
        sys.stdout.write(f"{'ok  ' if result.good else 'FAIL'} {result}\n")
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
