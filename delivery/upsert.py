"""Create or update a customer or project by Moment's number: no request when nothing changed, else one.

A link record remembers, for each number, a digest of what Fortnox was last given. Before a write the record
says that one is under way, and afterwards what was written, so that whatever happens in between (a crash, a
timeout), the next attempt neither skips a change nor creates without having looked.

Where it takes several requests, what each has shown is noted: an attempt that found the rate limit's window full is
followed by one that goes on from there.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from fortnox import errors as e
from fortnox.transport import written
from stores.links import LinkRecord

# Instead of a digest, while a write has no known end:
CREATING = "creating"  # Fortnox may have it
UPDATING = "updating"  # Fortnox has it, as it was or as it was to be

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class HeldByAnother(Exception):
    """`check` raises it: what Fortnox holds under the number is something else, and stays as it is."""


class Links(Protocol):
    """The link store of one company. Keys are a kind (`customer`, `project`) and Moment's number."""

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """None: nothing is known of it."""

    def remember(self, kind: str, number: str, digest: str) -> None:
        """Durable when it returns."""

    def forget(self, kind: str, number: str) -> None:
        """As if it had never been remembered."""


class Memory(Protocol):
    """What an attempt before this one saw, if it ended for want of room a moment ago."""

    def cached(self, what: str) -> str | None: ...

    def remember(self, what: str, found: str) -> None: ...


class NoMemory:
    """Nothing is remembered from one attempt to the next."""

    def cached(self, what: str) -> str | None:
        return None

    def remember(self, what: str, found: str) -> None: ...


class Next(StrEnum):
    """The request that comes next for a number of which nothing is known."""

    CREATE = "create"
    LOOK = "look"  # an earlier create may have landed
    LOOK_AFTER_REFUSAL = "look after refusal"  # the number may be taken
    CREATE_AFTER_LOOK = "create after look"  # nothing was there after a refusal: it has another reason
    UPDATE = "update"  # what is there passed the check


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
    memory: Memory = NoMemory(),  # noqa: B008 - it has no state
) -> Done:
    """Makes the number's entry in Fortnox what the payload says. Raises `FortnoxError`.

    `check` is shown what Fortnox holds under a number that we have not written before; it raises `HeldByAnother`
    to leave that alone. Requests: unchanged none; known one PUT; new one POST; a number that Fortnox already has POST,
    GET, PUT; one whose create may have landed GET and PUT or POST.
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
        if exists:
            try:
                done = _update(register, payload, number)
            except e.NotFound:  # deleted in Fortnox since
                before = None
                done = _create(register, payload)
        else:
            first = Next.CREATE if before is None else Next.LOOK
            done = _create_or_take_over(register, payload, number, check, memory, first)
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


def create_or_find(
    create: Callable[[], M], look: Callable[[Next], M | None], memory: Memory, step: Next
) -> tuple[M, bool]:
    """What was created, or was there already, and whether it was; begins with `step`.

    `look` is told why: `LOOK` or `LOOK_AFTER_REFUSAL`. Raises the refusal of a create where nothing is there.
    """
    refused: e.Rejected | None = None
    while True:
        if step in (Next.CREATE, Next.CREATE_AFTER_LOOK):
            try:
                return create(), False
            except e.Rejected as refusal:
                if step is Next.CREATE_AFTER_LOOK or not refusal.may_mean_taken:
                    raise
                refused, step = refusal, Next.LOOK_AFTER_REFUSAL
        elif (found := look(step)) is not None:
            return found, True
        elif refused is not None:
            raise refused  # reserved by one that was deleted, or refused for a reason of its own
        else:
            step = Next.CREATE if step is Next.LOOK else Next.CREATE_AFTER_LOOK
        memory.remember("next", step)


def _create_or_take_over(
    register: Register[M],
    payload: Payload,
    number: str,
    check: Callable[[M], None] | None,
    memory: Memory,
    first: Next,
) -> Done:
    step = Next(memory.cached("next") or first)
    if step is not Next.UPDATE:
        there, found = create_or_find(
            lambda: register.create(payload.for_create()), lambda _: _found(register, number), memory, step
        )
        if not found:
            return Done.CREATED
        if check is not None:
            check(there)
        memory.remember("next", Next.UPDATE)
    return _update(register, payload, number)


def _found(register: Register[M], number: str) -> M | None:
    try:
        return register.get(number)
    except e.NotFound:
        return None


def _may_have_written(error: e.FortnoxError, before: LinkRecord | None) -> bool:
    """An update without an answer may have landed; a create says so itself."""
    return isinstance(error, e.OutcomeUnknown) or (isinstance(error, e.Unavailable) and before is not None)


def _restore(links: Links, kind: str, number: str, before: LinkRecord | None) -> None:
    if before is None:
        links.forget(kind, number)
    else:
        links.remember(kind, number, before.digest)
