"""Decides from an error what happens to its event: the one place where an error becomes an outcome. Pure."""

import re
from datetime import timedelta

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from delivery.access_blocks import about_connection, key_of
from delivery.leases import HandedBack
from fortnox.codes import explain, label
from fortnox.errors import AccessMissing, FortnoxError, PrerequisiteMissing, StillBlocked
from fortnox.errors import Outcome as Ending
from mappers.errors import Unmappable
from moment.errors import MomentError, MomentRefused
from moment.events import InvalidEvent
from ordering import Claim, Failed, Held, Outcome, Pause, Release, Retry, TargetUnavailable
from ordering.backoff import backoff
from stores import NeverConnected, Overtaken
from stores.vault import Unsealable

log = structlog.get_logger(__name__)

WAIT_FOR_REDIS = timedelta(seconds=2)
TRY_AGAIN = "Retry the event when Fortnox works again."
TELL_OPERATOR = "Tell the operator: this needs a look at the integration itself. The event is kept whole."


def decide(error: Exception, claim: Claim, needs: tuple[str, ...], chance: float) -> Outcome:
    """What becomes of the claimed event. `needs`: its prerequisites' ordering keys; `chance` (0 to 1) spreads waits.

    An unknown error is a bug: the event fails loudly, and is kept.
    """
    match error:
        case HandedBack() | Overtaken():
            return Release(reason=str(error))
        case FortnoxError():
            return _of_fortnox(error, claim, needs, chance)
        case MomentRefused():
            return Failed(error.reason, TELL_OPERATOR, type(error).__name__)
        case MomentError():
            return _again(Retry, claim, chance, error.reason, type(error).__name__)
        case Unmappable() | InvalidEvent():
            return Failed(str(error), getattr(error, "remedy", ""), type(error).__name__)
        case NeverConnected():
            return Failed(str(error), "Connect the company, then retry the event.", "NeverConnected")
        case Unsealable():
            return Failed(str(error), TELL_OPERATOR, "Unsealable")
        case RedisLost() | RedisTimeout() | OutOfMemoryError() | ReadOnlyError():  # not the event's doing
            return Release(WAIT_FOR_REDIS, f"Redis did not answer ({type(error).__name__}).")
        case RedisError() | SoftTimeLimitExceeded():
            return _again(Retry, claim, chance, str(error) or type(error).__name__, type(error).__name__)
        case _:
            log.exception("transfer.bug", error=type(error).__name__)
            return Failed(f"An unexpected error in the integration ({type(error).__name__}).", TELL_OPERATOR, "bug")


def _of_fortnox(error: FortnoxError, claim: Claim, needs: tuple[str, ...], chance: float) -> Outcome:
    reason, remedy = explain(error)
    match error.outcome:
        case Ending.WAIT:
            rest = timedelta(seconds=getattr(error, "retry_after", None) or 1.0)
            return Release(rest, reason)
        case Ending.RETRY | Ending.UNKNOWN:
            kind = TargetUnavailable if error.suggests_outage else Retry
            return _again(kind, claim, chance, reason, label(error))
        case Ending.RECONNECT:
            return Pause(reason, remedy, label(error))
        case Ending.HOLD if isinstance(error, PrerequisiteMissing):
            behind = _named(error, needs)
            if behind is not None:
                return Held(behind, reason, remedy, label(error), said=error.message)
        case Ending.HOLD if isinstance(error, AccessMissing) and error.part and not about_connection(claim):
            key = key_of(claim.company, error.part)
            return Held(key, reason, remedy, label(error), said=error.message, tell=not isinstance(error, StillBlocked))
    return Failed(reason, remedy, label(error), said=error.message)


def _named(error: PrerequisiteMissing, needs: tuple[str, ...]) -> str | None:
    """The key that the refusal is about: where there are several of its kind, the one that Fortnox's text names."""
    keys = [key for key in needs if key.split("/")[1] == error.kind]
    words = re.findall(r"[\w+-]+", error.message)
    return next((key for key in keys if key.split("/", 2)[2] in words), keys[0] if keys else None)


def _again(kind: type[Retry] | type[TargetUnavailable], claim: Claim, chance: float, reason: str, code: str) -> Outcome:
    after = backoff(claim.attempts + 1, chance)
    if after is None:
        return Failed(f"{reason} It was tried {claim.attempts + 1} times over about a day.", TRY_AGAIN, code)
    return kind(after, reason, code)
