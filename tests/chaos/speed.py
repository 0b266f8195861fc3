"""How soon the system works at full speed again after each trouble. Pure."""

from bisect import bisect_left
from collections.abc import Sequence

BEFORE = 10.0  # seconds before a trouble that tell the full speed
WINDOW = 3.0  # seconds that have to be as fast again
ENOUGH = 0.5  # of the speed before: events come in bursts


def back_to_speed(troubles: Sequence[float], settled: Sequence[float]) -> list[float]:
    """Seconds after each trouble until a window of events settled as fast as before. All times since the epoch."""
    times = sorted(settled)
    return [_back(trouble, times) for trouble in troubles]


def _back(trouble: float, times: Sequence[float]) -> float:
    wanted = _count(times, trouble - BEFORE, trouble) / BEFORE * WINDOW * ENOUGH
    if not wanted:
        return 0.0
    first = bisect_left(times, trouble)
    for start in times[first:]:
        if _count(times, start, start + WINDOW) >= wanted:
            return start - trouble
    return float("inf")


def _count(times: Sequence[float], first: float, last: float) -> int:
    return bisect_left(times, last) - bisect_left(times, first)
