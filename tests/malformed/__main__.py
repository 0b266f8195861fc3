"""`python -m tests.malformed`: malformed events, messages, entries and answers, beside good ones.

Exit status 1: something was lost or crashed.
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from tests.malformed.run import DOORS, Result, running, through_answers

COLUMNS = ("door", "accepted", "refused", "kept as failed", "lost", "crashed", "median wait s", "longest")


def main() -> int:
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    results: list[Result] = []
    if set(given.doors) - {"answers"}:
        with tempfile.TemporaryDirectory(prefix="malformed-") as directory, running(Path(directory)) as system:
            doors = [door for door in given.doors if door != "answers"]
            results += [DOORS[door](system, given.variants, given.seed, given.only) for door in doors]
    if "answers" in given.doors:
        results.append(through_answers(given.variants, given.seed, given.only))
    table = Table(*COLUMNS)
    for result in results:
        table.add_row(*result.row())
    Console().print(table)
    for result in results:
        for name in (*result.lost, *result.crashed):
            sys.stdout.write(f"{name}\n")
    return 0 if all(result.good for result in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.malformed", description=__doc__)
    doors = [*DOORS, "answers"]
    parser.add_argument(
        "doors", nargs="*", default=doors, metavar="DOOR", help=f"of {', '.join(doors)}; by default all"
    )
    parser.add_argument("--variants", type=int, default=2000, help="for each door (2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="N", help="only the variant of this number, to look at it alone")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
