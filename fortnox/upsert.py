"""Create or update a customer or project by Moment's number: no request when nothing changed, else one.

A link record remembers, for each number, a digest of what Fortnox was last given. Before a write the record
says that one is under way, and afterwards what was written, so that whatever happens in between (a crash, a
timeout), the next attempt neither skips a change nor creates without having looked. It also keeps what a refusal or a
look has shown: an attempt that finds the rate limit's window full is followed by one that goes on from there.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar

from fortnox import errors as e
from fortnox.transport import written

# Instead of a digest, where it is not known what Fortnox has under the number:
CREATING = "creating"  # perhaps something: to be looked at first
UPDATING = "updating"  # ours, as it was or as it was to be

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
    wanted = digest(fields)
    link = _Link(links, register.kind, str(fields[register.number_field]))
    if link.digest == wanted:
        return Done.UNCHANGED
    if link.digest == CREATING:
        link.note(UPDATING if _is_there(register, link.number, check) else None)
    if link.digest is None and _create(register, payload, link, check):
        done = Done.CREATED
    else:
        done = _update(register, payload, link)
    link.note(wanted)
    return done


def digest(fields: Mapping[str, Any]) -> str:
    """The same for the same fields, whatever their order."""
    return hashlib.sha256(written({name: fields[name] for name in sorted(fields)})).hexdigest()


class _Link:
    """One number's record; `digest` is None where nothing is known of it."""

    def __init__(self, links: Links, kind: str, number: str) -> None:
        self._links, self._kind, self.number = links, kind, number
        record = links.remembered(kind, number)
        self.digest = record.digest if record else None

    def note(self, digest: str | None) -> None:
        if digest == self.digest:
            return
        if digest is None:
            self._links.forget(self._kind, self.number)
        else:
            self._links.remember(self._kind, self.number, digest)
        self.digest = digest

    @contextmanager
    def writing(self, state: str) -> Iterator[None]:
        """Around one write. What surely changed nothing leaves the record as it was."""
        before = self.digest
        self.note(state)
        try:
            yield
        except e.FortnoxError as error:
            # An update without an answer may have landed; a create says so itself.
            lenient = e.OutcomeUnknown if state == CREATING else (e.OutcomeUnknown, e.Unavailable)
            if not isinstance(error, lenient):
                self.note(before)
            raise


def _create(register: Register[M], payload: Payload, link: _Link, check: Callable[[M], None] | None) -> bool:
    """False where Fortnox has the number already, and it is ours to update."""
    try:
        with link.writing(CREATING):
            register.create(payload.for_create())
        return True
    except e.Rejected as refused:
        if not refused.may_mean_taken:
            raise
        link.note(CREATING)
        if not _is_there(register, link.number, check):
            link.note(None)
            raise refused from None  # reserved by one that was deleted, or refused for a reason of its own
    link.note(UPDATING)
    return False


def _update(register: Register[M], payload: Payload, link: _Link) -> Done:
    try:
        with link.writing(UPDATING):
            register.update(link.number, payload.for_update())
        return Done.UPDATED
    except e.NotFound:  # deleted in Fortnox since
        link.note(None)
    with link.writing(CREATING):
        register.create(payload.for_create())
    return Done.CREATED


def _is_there(register: Register[M], number: str, check: Callable[[M], None] | None) -> bool:
    """Whether Fortnox has the number; `check` may refuse what it has."""
    try:
        found = register.get(number)
    except e.NotFound:
        return False
    if check is not None:
        check(found)
    return True
