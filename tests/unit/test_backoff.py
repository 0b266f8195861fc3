"""When an event is tried again."""

from datetime import timedelta

import pytest

from ordering.backoff import ATTEMPTS, FIRST, LONGEST, backoff


def test_waits_double_from_five_seconds_to_four_hours() -> None:
    waits = [backoff(attempt, 0.5) for attempt in range(1, ATTEMPTS)]
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (5, 10, 20, 40)]
    assert waits[-1] == LONGEST
    assert waits == sorted(wait for wait in waits if wait is not None)


def test_all_attempts_together_last_about_a_day() -> None:
    total = sum((backoff(attempt, 0.5) or timedelta() for attempt in range(1, ATTEMPTS)), timedelta())
    assert timedelta(hours=20) < total < timedelta(hours=28)


def test_after_the_last_attempt_there_is_none() -> None:
    assert backoff(ATTEMPTS - 1, 0.5) is not None
    assert backoff(ATTEMPTS, 0.5) is None


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_chance_spreads_the_wait_over_a_quarter_either_way(chance: float) -> None:
    wait = backoff(3, chance)
    assert wait is not None
    assert FIRST * 4 * 0.75 <= wait <= FIRST * 4 * 1.25
