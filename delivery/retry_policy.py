"""Decides from an error what happens to its event: the one place where an error becomes an outcome. Pure."""

import re
from datetime import timedelta

import structlog
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from delivery.access_blocks import about_connection, key_of
from delivery.leases import HandedBack, Moved
from fortnox.codes import explain, label
from fortnox.errors import AccessMissing, FortnoxError, PrerequisiteMissing, StillBlocked
from fortnox.errors import Outcome as Ending
from mappers.errors import Unmappable
from messages import NOTHING, Message
from moment.errors import MomentError, MomentRefused
from moment.events import InvalidEvent
from ordering import Claim, Failed, Held, Outcome, Pause, Release, Retry, TargetUnavailable
from ordering.backoff import backoff
from stores import NeverConnected, Overtaken
from stores.vault import Unsealable

log = structlog.get_logger(__name__)

WAIT_FOR_REDIS = timedelta(seconds=2)
TELL_OPERATOR = Message("delivery.tell-operator")


class OutOfTime(Exception):
    """The task's time limit interrupted the transfer."""


def decide(error: Exception, claim: Claim, needs: tuple[str, ...], chance: float) -> Outcome:
    """Return what happens to the claimed event. `needs`: its prerequisites' ordering keys; `chance` (0 to 1) is jitter.

    An unknown error is a bug: the event fails loudly, and is kept.
    """
    name = type(error).__name__
    match error:
        case Moved():
            return Release(reason=Message("delivery.ledger-changed"))
        case HandedBack():
            return Release(reason=Message("delivery.worker-stopped"))
        case Overtaken():
            return Release(reason=Message("delivery.connection-changed"))
        case FortnoxError():
            return _of_fortnox(error, claim, needs, chance)
        case MomentRefused():
            return Failed(error.reason, TELL_OPERATOR, name)
        case MomentError():
            return _again(Retry, claim, chance, error.reason, name)
        case Unmappable():
            return Failed(error.message, error.remedy, name)
        case InvalidEvent():
            return Failed(error.message, NOTHING, name)
        case NeverConnected():
            remedy = Message("delivery.connect-first", company=error.company)
            return Failed(Message("delivery.never-connected", company=error.company), remedy, name)
        case Unsealable():
            return Failed(Message("delivery.unsealable"), Message("delivery.add-old-key"), name)
        case RedisLost() | RedisTimeout() | OutOfMemoryError() | ReadOnlyError():  # not the event's doing
            return Release(WAIT_FOR_REDIS, Message("delivery.redis-away", error=name))
        case RedisError():
            return _again(Retry, claim, chance, Message("delivery.redis-refused", said=str(error) or name), name)
        case OutOfTime():
            return _again(Retry, claim, chance, Message("delivery.out-of-time"), name)
        case _:
            log.exception("transfer.bug", error=name)
            return Failed(Message("delivery.bug", error=name), TELL_OPERATOR, "bug")


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
    """The key that the refusal is about: of several keys of its kind, the one that Fortnox's text names."""
    keys = [key for key in needs if key.split("/")[1] == error.kind]
    words = re.findall(r"[\w+-]+", error.message)
    return next((key for key in keys if key.split("/", 2)[2] in words), keys[0] if keys else None)


def _again(
    kind: type[Retry] | type[TargetUnavailable], claim: Claim, chance: float, reason: Message, code: str
) -> Outcome:
    after = backoff(claim.attempts + 1, chance)
    if after is None:
        gave_up = Message.join(reason, Message("delivery.gave-up", n=claim.attempts + 1))
        return Failed(gave_up, Message("delivery.retry-later"), code)
    return kind(after, reason, code)
