"""When mails about a company's outage, and about its end, are due. Pure: the time is an argument.

Mails are sent at fixed steps, however many events wait. A lost connection needs a person at once; most times when
Fortnox is unavailable end by themselves.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from messages import Message
from stores.mails import Outage, OutageKind

STEPS: Final = {
    "paused": (timedelta(0), timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7)),
    "unavailable": (
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=4),
        timedelta(days=1),
        timedelta(days=3),
    ),
}
STABLE_FOR: Final = {"paused": timedelta(0), "unavailable": timedelta(minutes=5)}  # one answer does not end an outage
NEVER: Final = 2**63


def observe(outage: Outage | None, reason: Message | None, now: int) -> Outage | None:
    """The outage after a look at its company; None when there is nothing (more) to mail about.

    `reason` is why the company is paused, `NOTHING` when Fortnox is unavailable, and None when all is well.
    """
    if reason is None:
        if outage is None or outage.step == 0:
            return None
        return replace(outage, recovered=outage.recovered or now)
    kind: OutageKind = "paused" if reason else "unavailable"
    if outage is None or outage.kind != kind:
        return Outage(kind, now, reason.to_json())
    return replace(outage, reason=reason.to_json(), recovered=0)


def due(outage: Outage) -> int:
    """When its next mail is due (ms): about its end, or about the next step; `NEVER` after the last step."""
    if outage.recovered:
        return outage.recovered + _ms(STABLE_FOR[outage.kind])
    steps = STEPS[outage.kind]
    return outage.since + _ms(steps[outage.step]) if outage.step < len(steps) else NEVER


def steps_passed(outage: Outage, now: int) -> int:
    """How many steps have passed by now. A step that could not be mailed in time is passed over."""
    return sum(outage.since + _ms(step) <= now for step in STEPS[outage.kind])


def next_step(outage: Outage, step: int) -> timedelta | None:
    """How long the outage has lasted when the mail after this step is sent; None after the last step."""
    steps = STEPS[outage.kind]
    return steps[step] if step < len(steps) else None


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
