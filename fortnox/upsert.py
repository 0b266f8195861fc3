"""Create or update a customer or project by Moment's number: no request when nothing changed, else one.

A link record remembers, for each number, a digest of what Fortnox was last given. Before a write the record
says that one is under way, and afterwards what was written, so that whatever happens in between (a crash, a
timeout), the next attempt neither skips a change nor creates without having looked.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar

from fortnox import errors as e
from fortnox.transport import written

# Instead of a digest, while a write has no known end:
CREATING = "creating"  # Fortnox may have it
UPDATING = "updating"  # Fortnox has it, as it was or as it was to be

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class HeldByAnother(Exception):
    """`check` raises it: what Fortnox holds under the number is something else, and stays as it is."""


class LinkRecord(NamedTuple):
    """The digest of what Fortnox was last given, or `CREATING` or `UPDATING`; opaque to a store."""

    digest: str


class Links(Protocol):
    """The link store of one company. Keys are a kind (`customer`, `project`) and Moment's number."""

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """None: nothing is known of it."""

    def remember(self, kind: str, number: str, digest: str) -> None:
        """Durable when it returns."""

    def forget(self, kind: str, number: str) -> None:
        """As if it had never been remembered."""


class Payload(Protocol):
    """What `fortnox.payloads.CustomerPayload` and `ProjectPayload` are."""

    def for_create(self) -> dict[str, Any]: ...

    def for_update(self) -> dict[str, Any]: ...


class Register(Protocol[M_co]):
    """What `Fortnox.customers` and `Fortnox.projects` are."""

    kind: str
    number_field: str

    def get(self, number: str) -> M_co: ...

    def create(self, fields: Mapping[str, Any]) -> M_co: ...

    def update(self, number: str, fields: Mapping[str, Any]) -> M_co: ...


class Done(StrEnum):
    """What it took."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    UPDATED = "updated"


def create_or_update(
    register: Register[M],
    links: Links,
    payload: Payload,
    *,
    check: Callable[[M], None] | None = None,
) -> Done:
    """Makes the number's entry in Fortnox what the payload says. Raises `FortnoxError`.

    `check` is shown what Fortnox holds under a number that we have not written before; it raises `HeldByAnother`
    to leave that alone. Requests: unchanged none; known one PUT; new one POST; a number that Fortnox already has POST,
    GET, PUT.
    """
    fields = payload.for_update()
    number = str(fields[register.number_field])
    wanted = digest(fields)
    before = links.remembered(register.kind, number)
    if before is not None and before.digest == wanted:
        return Done.UNCHANGED
    exists = before is not None and before.digest != CREATING
    links.remember(register.kind, number, UPDATING if exists else CREATING)
    try:
        if before is None:
            done = _create_first(register, payload, number, check)
        elif not exists:
            done = _look_first(register, payload, number, check)
        else:
            try:
                done = _update(register, payload, number)
            except e.NotFound:  # deleted in Fortnox since
                before = None
                done = _create(register, payload)
    except HeldByAnother:
        _restore(links, register.kind, number, before)
        raise
    except e.FortnoxError as error:
        if not _may_have_written(error, before):
            _restore(links, register.kind, number, before)
        raise
    links.remember(register.kind, number, wanted)
    return done


def digest(fields: Mapping[str, Any]) -> str:
    """The same for the same fields, whatever their order."""
    return hashlib.sha256(written({name: fields[name] for name in sorted(fields)})).hexdigest()


def _create(register: Register[M], payload: Payload) -> Done:
    register.create(payload.for_create())
    return Done.CREATED


def _update(register: Register[M], payload: Payload, number: str) -> Done:
    register.update(number, payload.for_update())
    return Done.UPDATED


def _create_first(register: Register[M], payload: Payload, number: str, check: Callable[[M], None] | None) -> Done:
    try:
        return _create(register, payload)
    except e.Rejected as refused:
        if not refused.may_mean_taken:
            raise
        try:
            found = register.get(number)
        except e.NotFound:
            raise refused from None  # reserved by one that was deleted, or refused for a reason of its own
    return _take_over(register, payload, number, found, check)


def _look_first(register: Register[M], payload: Payload, number: str, check: Callable[[M], None] | None) -> Done:
    try:
        found = register.get(number)
    except e.NotFound:
        return _create(register, payload)
    return _take_over(register, payload, number, found, check)


def _take_over(
    register: Register[M], payload: Payload, number: str, found: M, check: Callable[[M], None] | None
) -> Done:
    if check is not None:
        check(found)
    return _update(register, payload, number)


def _may_have_written(error: e.FortnoxError, before: LinkRecord | None) -> bool:
    """An update without an answer may have landed; a create says so itself."""
    return isinstance(error, e.OutcomeUnknown) or (isinstance(error, e.Unavailable) and before is not None)


def _restore(links: Links, kind: str, number: str, before: LinkRecord | None) -> None:
    if before is None:
        links.forget(kind, number)
    else:
        links.remember(kind, number, before.digest)
