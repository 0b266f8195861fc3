"""How a transfer can end: a pure decision returns one of these, and `Ordering.settle` applies it. Pure. No I/O."""

from dataclasses import dataclass
from datetime import timedelta

from messages import NOTHING, Message


@dataclass(frozen=True, slots=True)
class Done:
    """The event is through. `notice` and `remedy` tell a person of something that did not stop it.

    `again`: something was left out, so the event is kept whole and a person may retry it. `document` and `voucher`: the
    target's number of what was made of the event, and the voucher by which it is posted, where it has them.
    """

    notice: Message = NOTHING
    remedy: Message = NOTHING
    again: bool = False
    document: str = ""
    voucher: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A person is needed: why, what to do, the target's code for it, and what the target `said` in its own words."""

    reason: Message
    remedy: Message = NOTHING
    code: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Refused because of another key: tried again when that key next goes through, or is reopened.

    With `tell`, a person is told.
    """

    key: str
    reason: Message
    remedy: Message = NOTHING
    code: str = ""
    said: str = ""
    tell: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be transferred, for this reason."""

    reason: Message


@dataclass(frozen=True, slots=True)
class Superseded:
    """Replaced by something newer."""

    reason: Message


@dataclass(frozen=True, slots=True)
class Retry:
    """A fault of this event alone: try again after this long. Counts as an attempt."""

    after: timedelta
    reason: Message
    code: str = ""


@dataclass(frozen=True, slots=True)
class TargetUnavailable:
    """The target does not answer: try again after this long. Several in a row make the company rest."""

    after: timedelta
    reason: Message
    code: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Not now: give the slot back and, with `rest`, let the company rest that long. Does not count as an attempt."""

    rest: timedelta | None = None
    reason: Message = NOTHING


@dataclass(frozen=True, slots=True)
class Snooze:
    """All well so far: continue after this long, while the company's other events go on.

    Does not count as an attempt, and resets those before.
    """

    after: timedelta
    reason: Message = NOTHING


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of the company can go through until it is resumed. A person is told once. A control event fails."""

    reason: Message
    remedy: Message = NOTHING
    code: str = ""


Outcome = Done | Failed | Held | Skipped | Superseded | Retry | TargetUnavailable | Release | Snooze | Pause
