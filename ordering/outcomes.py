"""How a transfer can end: values that a pure decision returns and `Ordering.settle` applies. Pure. No I/O."""

from dataclasses import dataclass
from datetime import timedelta

from messages import NOTHING, Message


@dataclass(frozen=True, slots=True)
class Done:
    """It is through. With `notice`, a person is told something that did not stop it, and by `remedy` what to do.

    `again`: something was left out, so the event is kept whole and a person may have it run once more.
    """

    notice: Message = NOTHING
    remedy: Message = NOTHING
    again: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A person is needed: why, what to do, the target's code for it and what it `said` itself."""

    reason: Message
    remedy: Message = NOTHING
    code: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Refused because of another key: tried again when that key next goes through, or is reopened.

    A person is told, but for what was told already (`tell`).
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
    """Made pointless by something newer."""

    reason: Message


@dataclass(frozen=True, slots=True)
class Retry:
    """The event's own trouble: try again after this long. Counts as an attempt."""

    after: timedelta
    reason: Message
    code: str = ""


@dataclass(frozen=True, slots=True)
class TargetUnavailable:
    """The target does not serve: try again after this long; several in a row make the company rest."""

    after: timedelta
    reason: Message
    code: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Not now: the slot is given back and, where `rest` is given, the company rests that long. No attempt."""

    rest: timedelta | None = None
    reason: Message = NOTHING


@dataclass(frozen=True, slots=True)
class Snooze:
    """It went well so far, and goes on after this long; the company's other events go on meanwhile.

    No attempt: those before are forgotten.
    """

    after: timedelta
    reason: Message = NOTHING


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of the company can go through until it is resumed; a person is told once. A control event fails."""

    reason: Message
    remedy: Message = NOTHING
    code: str = ""


Outcome = Done | Failed | Held | Skipped | Superseded | Retry | TargetUnavailable | Release | Snooze | Pause
