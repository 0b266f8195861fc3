"""Decides which exception messages may leave the process: those that cannot hold a company's data. Pure."""

import traceback
from collections.abc import Iterator

from redis.exceptions import RedisError

WITHHELD = "(the message is withheld: it may hold a company's data; the event's timeline has it)"

# Messages of these modules' errors come from the machine, the network or Redis, not from an event. The errors of
# `requests` and `smtplib` quote addresses, though they are OSErrors too.
HARMLESS = frozenset(
    {
        "builtins",
        "socket",
        "ssl",
        "redis.exceptions",
        "config.redis_connections",
        "config.redis_replicas",
        "kombu.exceptions",
        "celery.exceptions",
    }
)


def shown(error: BaseException) -> str:
    """The message where it is harmless, else `WITHHELD`."""
    machines = isinstance(error, (OSError, ImportError, MemoryError, RecursionError, RedisError)) or _is_kombus(error)
    return str(error) if machines and type(error).__module__ in HARMLESS else WITHHELD


def _is_kombus(error: BaseException) -> bool:
    """Whether it is a `KombuError`, told by its name: commands for people start without importing kombu."""
    return any((base.__module__, base.__name__) == ("kombu.exceptions", "KombuError") for base in type(error).__mro__)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then the errors that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def shown_traceback(error: BaseException) -> str:
    """The traceback with its code, and each error's type and message, where that is harmless."""
    parts = [
        "".join(traceback.format_tb(one.__traceback__))
        + f"{type(one).__module__}.{type(one).__qualname__}: {shown(one)}"
        for one in causes(error)
    ]
    return "\n\nThe above was the direct cause of:\n\n".join(reversed(parts))
