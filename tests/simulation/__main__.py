"""`python -m tests.simulation --seeds 100000` runs that many worlds; `--seed N` runs one again, in words."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.runner import Broken, Simulation, simulate_in_parallel

SHOWN = 5  # violations printed in full
out = Console(highlight=False, markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one seed and print its actions")
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds to run (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="each with its own Redis (%(default)s)")
    parser.add_argument("--steps", type=int, help="actions of each seed (drawn from the seed)")
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return _replay(given.seed, given.steps)
    return _run(given.first, given.seeds, given.steps, given.processes)


def _replay(seed: int, steps: int | None) -> int:
    with tempfile.TemporaryDirectory(prefix="simulation-") as directory, Simulation(Path(directory)) as simulation:
        world, broken = simulation.run(seed, steps, remembered=None)
    out.print("\n".join(world.history))
    out.print(f"\n{broken}" if broken else f"\nseed {seed}: {world.steps} steps, no violation")
    return 1 if broken else 0


def _run(first: int, seeds: int, steps: int | None, processes: int) -> int:
    began = time.monotonic()
    done, violations = 0, list[Broken]()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        task = progress.add_task("seeds", total=seeds)
        for ran in simulate_in_parallel(first, seeds, steps=steps, processes=processes):
            done += ran.steps
            for broken in ran.broken:
                if len(violations) < SHOWN:
                    progress.console.print(str(broken), "\n")
                violations.append(broken)
            progress.advance(task, ran.seeds)
    took = time.monotonic() - began
    out.print(
        f"{seeds} seeds, {done} steps, {seeds / took:.0f} seeds/s on {processes} processes, "
        f"{len(violations)} violations"
    )
    if violations:
        out.print("seeds with a violation:", *sorted(broken.seed for broken in violations)[:50])
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
