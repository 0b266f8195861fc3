"""One benchmark: its size, its rounds, and the order of the runs."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.environment import Variant
from bench.result import Figures, Row, combined
from bench.variants import CELERY

Run = Callable[[Variant], dict[str, float]]


@dataclass(frozen=True)
class Bench:
    """`quick` shrinks every workload, to see that it works. Its figures mean nothing."""

    quick: bool = False
    repeat: int = 3

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def compare(
        self, run: Run, often: Sequence[Variant], once: Sequence[Variant] = (), *, rate: str = "", seconds: float = 100
    ) -> list[Row]:
        """Run the variants alternately, round by round. `once`: in the first round only, and not if `quick`.

        A further round starts only if it should end within `seconds`, judging by the rounds before.

        `rate`: the column whose ratio to plain Celery's in the same round is computed for each run.
        """
        runs: dict[Variant, list[Figures]] = {}
        began = time.monotonic()
        for turn in range(self.repeat):
            pace = (time.monotonic() - began) / max(1, sum(map(len, runs.values())))
            if time.monotonic() - began + pace * len(often) > seconds:
                break
            round_: dict[Variant, dict[str, Any]] = {}
            for variant in (*often, *(once if turn == 0 and not self.quick else ())):
                say(f"  {variant.name}, run {turn + 1}")
                round_[variant] = run(variant)
            for variant, figures in round_.items():
                if rate and CELERY in round_:
                    figures["of plain"] = figures[rate] / round_[CELERY][rate]
                runs.setdefault(variant, []).append(figures)
        return [combined(variant.name, found) for variant, found in runs.items()]


def say(line: str) -> None:
    """Print progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
