"""Notes what we write in a ledger, so that the feed's events about it are told apart from what people do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from stores.own_writes import OwnWrites

log = structlog.get_logger(__name__)

# The first part of a path → the kind of thing, its envelope and the field of its number.
THINGS: Final = {
    "customers": ("customer", "Customer", "CustomerNumber"),
    "projects": ("project", "Project", "ProjectNumber"),
    "invoices": ("invoice", "Invoice", "DocumentNumber"),
}
VERBS: Final = {"bookkeep": "bookkeep", "cancel": "cancelled"}  # what the feed calls an action; the others: an update


def thing_written(path: str, numbers: tuple[str | int, ...], body: Any) -> tuple[str, str, str] | None:
    """The kind and the number of the thing that a request writes, and the feed's verb; None for others. Pure."""
    _, _, register, *_ = (*path.split("/"), "", "")
    if register not in THINGS:
        return None
    kind, envelope, field = THINGS[register]
    if numbers:
        return kind, str(numbers[0]), VERBS.get(path.rpartition("/")[2], "updated")
    written = body.get(envelope) if isinstance(body, Mapping) else None
    return (kind, str(written[field]), "created") if isinstance(written, Mapping) and field in written else None


def note_write(
    own_writes: OwnWrites,
    company: str,
    path: str,
    numbers: tuple[str | int, ...],
    body: Any,
    began: datetime,
    ended: datetime,
) -> None:
    """Note a write, whatever became of it. Must not raise: the request was made."""
    if (thing := thing_written(path, numbers, body)) is None:
        return
    try:
        own_writes.note(company, *thing, began, ended)
    except RedisError as error:
        log.warning("write.not_noted", company=company, error=type(error).__name__)
