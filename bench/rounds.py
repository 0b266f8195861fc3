"""One benchmark: how large, how often, and how runs are taken in turn."""

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
    """`quick` shrinks every workload: for seeing that it works, not for figures."""

    quick: bool = False
    repeat: int = 3

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def compare(
        self, run: Run, often: Sequence[Variant], once: Sequence[Variant] = (), *, rate: str = "", seconds: float = 100
    ) -> list[Row]:
        """Runs the variants in turn, round by round; `once`: in the first round only, and not when quick.

        Another round is begun only if, at the pace of those before, it will be over after `seconds`.

        `rate`: the column of which each run's ratio to plain Celery's in the same round is taken.
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
    """Progress, for a person who waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
