"""The audit log. Every operation that acts is `audited`: it takes the `Actor` as `by`, and leaves one entry.

The entry is written before anything is done, and completed afterwards. One that says `under way` for long was cut off.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import wraps
from inspect import signature
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from redis.exceptions import RedisError

from delivery.services import Services
from messages import Message
from moment.events import InvalidEvent
from operations.errors import OperationError, UnknownEvent, WrongArgument
from operations.naming import check_company
from stores.audit import AuditEntry

P = ParamSpec("P")
R = TypeVar("R")

PAGE: Final = 100


class ActorKind(StrEnum):
    """How somebody came in."""

    COMMAND_LINE = "command line"
    ACCOUNT = "account"  # of the console
    LINK = "link"  # in a mail
    KEY = "key"  # a producer's


@dataclass(frozen=True)
class Actor:
    """Who acts. `name`: the user of this machine, the account, the link's number, or the key's name.

    `given`: who it is said to be done for or by (`--by`). The timeline of an event shows it; the audit log has both.
    """

    kind: ActorKind
    name: str
    given: str = ""

    def __str__(self) -> str:
        return self.given or self.name


@dataclass
class Act:
    """Something that is being done. Whoever does it adds details on the way."""

    details: dict[str, Any] = field(default_factory=dict)


class AuditPage(NamedTuple):
    """Entries, newest first. `next`: the id before which older ones are; "" where there are none."""

    entries: list[AuditEntry]
    next: str


def page(services: Services, company: str = "", *, before: str = "", limit: int = PAGE) -> AuditPage:
    """The newest `limit` entries of the company, or of all: those before the id `before`.

    Raises `WrongArgument` where the company is unknown or `before` is no id.
    """
    if company:
        check_company(services, company)
    ms, _, number = before.partition("-")
    if before and not (ms.isdecimal() and number.isdecimal() and max(len(ms), len(number)) < 20 and ms.isascii()):
        raise WrongArgument(Message("operation.no-audit-entry", entry=before))
    found = services.stores.audit.read(company, limit + 1, before)
    return AuditPage(found[:limit], found[limit - 1].id if len(found) > limit else "")


@contextmanager
def acting(
    services: Services, by: Actor, action: str, company: str = "", *, for_company: bool = True, **details: Any
) -> Iterator[Act]:
    """Leave an entry of what is done in the block. Nothing is done where it cannot be written (`RedisError`).

    There is none where an argument was wrong, so that nothing could be done. `for_company`: whether the company's own
    log gets the entry too.
    """
    act, at, log = Act(dict(details)), datetime.now(UTC), services.stores.audit
    given = {"by": by.given} if by.given else {}

    def entry(outcome: str) -> AuditEntry:
        return AuditEntry(at, by.kind, by.name, action, company, outcome, act.details | given)

    begun = log.begin(entry("under way"))
    outcome: str | None = "stopped"
    try:
        yield act
        outcome = "done"
    except (UnknownEvent, WrongArgument, InvalidEvent):
        outcome = None
        raise
    except OperationError:
        outcome = "refused"
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        with suppress(RedisError):  # what was done is done; the entry stays as one under way
            log.end(begun, entry(outcome) if outcome else None, for_company=for_company)


def audited(action: str, /, **recorded: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Leave an entry of each call. The function takes `services`, maybe `company`, and the actor as `by`.

    `recorded`: which of its arguments become details, by the name of the detail.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        takes = signature(function)

        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            given = takes.bind(*args, **kwargs).arguments
            details: dict[str, Any] = {name: given.get(argument) for name, argument in recorded.items()}
            with acting(given["services"], given["by"], action, given.get("company", ""), **details):
                return function(*args, **kwargs)

        return wrapped

    return decorate


def in_words(entry: AuditEntry) -> Message:
    """What was done, as a sentence without the actor, the company and the time."""
    told: Mapping[str, Any] = entry.details
    event, n = str(told.get("event", "")), _number(told.get("count"))
    match entry.action:
        case "event.retried":
            return Message("audit.event-retried", event=event)
        case "events.retried":
            return Message("audit.events-retried", n=n)
        case "event.skipped":
            return Message("audit.event-skipped", event=event)
        case "events.skipped":
            return Message("audit.events-skipped", n=n)
        case "events.published":
            return Message("audit.events-published", n=n)
        case "event.unmasked":
            return Message("audit.event-unmasked", event=event)
        case "damaged.cleared":
            return Message("audit.damaged-cleared", n=n)
        case "consent.asked":
            return Message("audit.consent-asked")
        case "company.connected":
            return Message("audit.company-connected")
        case "company.changed":
            return Message("audit.company-changed", what=str(told.get("changed", "–")))
        case "company.disconnected":
            return Message("audit.company-disconnected")
        case "company.forgotten":
            return Message("audit.company-forgotten")
        case "company.set":
            return Message("audit.company-set", what=str(told.get("changed", "–")))
        case "expenses.imported":
            return Message("audit.expenses-imported", n=_number(told.get("days")))
        case "links.revoked":
            return Message("audit.links-revoked")
        case "link.asked":
            return Message("audit.link-asked")
        case "keys.rotated":
            return Message("audit.keys-rotated")
        case "producer-key.made":
            return Message("audit.producer-key-made", key=str(told.get("key", "")))
        case "producer-key.revoked":
            return Message("audit.producer-key-revoked", key=str(told.get("key", "")))
        case _:
            return Message("audit.other", action=entry.action)


def actor_in_words(entry: AuditEntry) -> Message:
    """Who did it: by which way somebody came in, and the name there."""
    match entry.kind:
        case ActorKind.COMMAND_LINE:
            return Message("audit.by-command-line", name=entry.name)
        case ActorKind.ACCOUNT:
            return Message("audit.by-account", name=entry.name)
        case ActorKind.LINK:
            return Message("audit.by-link", name=entry.name)
        case ActorKind.KEY:
            return Message("audit.by-key", name=entry.name)
        case _:
            return Message("audit.by-other", name=entry.name)


def outcome_in_words(entry: AuditEntry) -> Message:
    """How it ended."""
    match entry.outcome:
        case "done":
            return Message("audit.done")
        case "refused":
            return Message("audit.refused")
        case "failed":
            return Message("audit.failed")
        case "stopped":
            return Message("audit.stopped")
        case _:
            return Message("audit.under-way")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
