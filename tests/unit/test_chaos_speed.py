"""How soon a run is at full speed again is measured in what settles."""

import pytest

from tests.chaos.speed import back_to_speed


def every(step: float, first: float, last: float) -> list[float]:
    return [first + n * step for n in range(int((last - first) / step))]


@pytest.mark.parametrize(
    ("settled", "expected"),
    [
        (every(0.1, 0, 60), 0.0),  # nothing was noticed
        (every(0.1, 0, 20) + every(0.1, 26, 60), 6.0),
        (every(0.1, 0, 20) + every(1.0, 20, 30) + every(0.1, 30, 60), 8.0),  # a trickle is not full speed
        (every(0.1, 0, 20), float("inf")),
        (every(0.1, 40, 60), 0.0),  # nothing went on before
        # An earlier trouble within the seconds before: that little is not the full speed.
        (every(0.1, 0, 10) + every(1.0, 10, 30) + every(0.1, 30, 90), 8.0),
    ],
)
def test_the_seconds_until_as_much_settles_as_before(settled: list[float], expected: float) -> None:
    (found,) = back_to_speed([20.0], settled)
    assert found == pytest.approx(expected, abs=1.1)
