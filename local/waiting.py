"""Waiting for a condition with a deadline, never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DeadlineExceeded(TimeoutError):
    """`what` did not happen within `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, seconds)
        self.what = what
        self.seconds = seconds

    def __str__(self) -> str:
        return f"waited {self.seconds:g} s for {self.what}"


def wait_until(condition: Callable[[], T], *, what: str, timeout: float, interval: float = 0.02) -> T:
    """The first truthy value of `condition()`, asked every `interval` seconds.

    Raises `DeadlineExceeded` naming `what` after `timeout` seconds, and whatever `condition` raises.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(what, timeout)
        time.sleep(interval)
    return value
