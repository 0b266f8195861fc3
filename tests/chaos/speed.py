"""How soon the system works at full speed again after each trouble. Pure."""

from bisect import bisect_left
from collections.abc import Sequence

BEFORE = 10.0  # seconds before a trouble that tell the full speed, unless the whole run is faster
WINDOW = 3.0  # seconds that have to be as fast again
ENOUGH = 0.5  # of that speed: events come in bursts


def back_to_speed(troubles: Sequence[float], settled: Sequence[float]) -> list[float]:
    """Seconds after each trouble until a window of events settled half as fast as before at least.

    Before: in the seconds before it, or in the whole run, where that is more: an earlier trouble may be within those
    seconds. All times since the epoch.
    """
    times = sorted(settled)
    return [_back(trouble, times) for trouble in troubles]


def _back(trouble: float, times: Sequence[float]) -> float:
    just_before = _count(times, trouble - BEFORE, trouble) / BEFORE
    if not just_before:
        return 0.0
    wanted = max(just_before, len(times) / (times[-1] - times[0] + 1)) * WINDOW * ENOUGH
    first = bisect_left(times, trouble)
    for start in times[first:]:
        if _count(times, start, start + WINDOW) >= wanted:
            return start - trouble
    return float("inf")


def _count(times: Sequence[float], first: float, last: float) -> int:
    return bisect_left(times, last) - bisect_left(times, first)
