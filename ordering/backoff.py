"""When to try again, and when to give up. Pure: chance is an argument."""

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=4)
ATTEMPTS = 17  # 5 s doubling up to 4 h: the last attempt starts some 22 hours after the first


def backoff(attempts: int, chance: float) -> timedelta | None:
    """How long to wait after this many failed attempts; None after the last.

    `chance` (0 to 1) spreads the wait over 75 to 125 %, so that events which failed together do not come back
    together.
    """
    if attempts >= ATTEMPTS:
        return None
    doubled: timedelta = FIRST * 2 ** (attempts - 1) if attempts > 0 else FIRST
    return min(doubled, LONGEST) * (0.75 + 0.5 * chance)
