"""`python -m tests.ledger`: random invoices through real workers while 30 % of the requests fail; then the ledgers are
compared with what was billed, to the öre. Exit status 1: something is not as it was billed.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.ledger.run import run, to_stderr


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ledger", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="invoices and credit notes (2000)")
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be done again")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if wanted.seed is None else wanted.seed
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="ledger-") as directory:
        report = run(wanted.count, seed, Path(directory), say=to_stderr)
    sys.stdout.write(f"\n{report}\n")
    return 1 if report.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
