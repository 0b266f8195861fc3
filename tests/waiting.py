"""Waiting in tests: for a condition, with a deadline that only a failing test reaches."""

from collections.abc import Callable
from typing import TypeVar

import local

T = TypeVar("T")

DEADLINE = 120.0  # s; long, so that no test fails because the machine is busy


def wait_until(condition: Callable[[], T], *, what: str, interval: float = 0.02) -> T:
    """The first truthy value of `condition()`. Raises `DeadlineExceeded` naming `what` after `DEADLINE` seconds."""
    return local.wait_until(condition, what=what, timeout=DEADLINE, interval=interval)
