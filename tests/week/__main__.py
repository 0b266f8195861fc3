"""`python -m tests.week`: a week of supplier invoices and payments in four companies, compared every six hours.

Exit status 1: somewhere Moment's expenses or payments were not the rule applied to the ledger; the seed and all that
led to it are printed.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.week.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.week", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of a week that is to be done again")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if wanted.seed is None else wanted.seed
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="week-") as directory:
        report = run(seed, Path(directory), say=lambda line: sys.stderr.write(f"{line}\n"))
    sys.stdout.write(f"\n{report}\n")
    return 1 if report.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
