"""When people are told that a company stands still, and that it goes on again. Pure: the time is an argument.

At set steps, however many events wait: a lost connection needs a person at once; an outage ends by itself mostly.
"""

from datetime import timedelta
from typing import Final

from messages import Message
from stores.mails import Stop

STEPS: Final = {
    "paused": (timedelta(0), timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7)),
    "outage": (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3)),
}
WELL_FOR: Final = {"paused": timedelta(0), "outage": timedelta(minutes=5)}  # one answer does not end an outage


def seen(stop: Stop | None, reason: Message | None, now: int) -> Stop | None:
    """The standstill after a look: `reason` is why the company stands still (`NOTHING` in an outage), None when it does not.

    None when there is nothing (more) to tell.
    """
    if reason is None:
        if stop is None or stop.steps == 0:
            return None
        stop.well_since = stop.well_since or now
        return stop
    what = "paused" if reason else "outage"
    if stop is None or stop.what != what:
        return Stop(what, now, reason.to_json())
    stop.reason, stop.well_since = reason.to_json(), 0
    return stop


def due(stop: Stop) -> tuple[int, int]:
    """Since when (ms) the next mail about it is due, and which: the number of its step, counted from 1; 0 for the
    mail that it goes on again. Steps that nobody could be told of are passed over.
    """
    if stop.well_since:
        return stop.well_since + _ms(WELL_FOR[stop.what]), 0
    steps = STEPS[stop.what]
    if stop.steps >= len(steps):
        return 2**63, 0
    return stop.since + _ms(steps[stop.steps]), stop.steps + 1


def passed(stop: Stop, now: int) -> int:
    """How many steps have passed by now."""
    return sum(stop.since + _ms(step) <= now for step in STEPS[stop.what])


def next_step(stop: Stop, step: int) -> timedelta | None:
    """After how long in all the mail after this step comes."""
    steps = STEPS[stop.what]
    return steps[step] if step < len(steps) else None


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
