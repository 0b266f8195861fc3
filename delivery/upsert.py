"""Create or update a customer or project by Moment's number: no request when nothing changed, else one.

For each number a link record holds a digest of each field that Fortnox was last given. An update sends the fields that
differ from it, and a field that Fortnox refuses is left out (`delivery.changes`). Before a write the record says that a
write is under way, and afterwards what was written. So after a crash or a timeout the next attempt neither skips a
change nor creates without looking first; it then sends every field.

Where it takes several requests, each answer is remembered, and the attempt after a throttled one continues from there.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from delivery.changes import Memory, Refusal, send_changes
from fortnox import errors as e
from fortnox.transport import json_bytes
from stores.links import LinkRecord

# In place of a digest, while the outcome of a write is unknown:
CREATING = "creating"  # Fortnox may have the number
UPDATING = "updating"  # Fortnox has the number, with the former or the new fields

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class HeldByAnother(Exception):
    """Raised by `check`: the number is something else in Fortnox, which is left unchanged."""


class Links(Protocol):
    """The link store of one company. Keys are a kind (`customer`, `project`) and Moment's number."""

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """The record of the number, or None."""

    def remember(self, kind: str, number: str, digest: str, *, confirmed: bool = False) -> None:
        """Durable when it returns; `confirmed`: even if Redis fails over."""

    def forget(self, kind: str, number: str) -> None:
        """Delete the record of the number."""


class NoMemory:
    """A memory that passes on nothing."""

    def cached(self, what: str) -> str | None:
        return None

    def remember(self, what: str, found: str) -> None: ...


class Next(StrEnum):
    """The next request for a number that has no link record."""

    CREATE = "create"
    LOOK = "look"  # an earlier create may have succeeded
    LOOK_AFTER_REFUSAL = "look after refusal"  # the number may be taken
    CREATE_AFTER_LOOK = "create after look"  # it is not taken: the refusal had another reason
    UPDATE = "update"  # what is there passed the check


class SnapshotPayload(Protocol):
    """`fortnox.payloads.CustomerPayload` and `ProjectPayload`."""

    required: ClassVar[str]  # the field that Fortnox's document demands in every write

    def for_create(self) -> dict[str, Any]: ...

    def for_update(self) -> dict[str, Any]: ...


class SnapshotRegister(Protocol[M_co]):
    """`Fortnox.customers` and `Fortnox.projects`."""

    kind: str
    number_field: str

    def get(self, number: str) -> M_co: ...

    def create(self, fields: Mapping[str, Any]) -> M_co: ...

    def update(self, number: str, fields: Mapping[str, Any]) -> M_co: ...


class Written(StrEnum):
    """What was done in Fortnox."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    UPDATED = "updated"


class Result(NamedTuple):
    """What was done in Fortnox, and the fields that it refused."""

    written: Written
    refused: Mapping[str, Refusal] = {}


def create_or_update(
    register: SnapshotRegister[M],
    links: Links,
    payload: SnapshotPayload,
    *,
    check: Callable[[M], None] | None = None,
    memory: Memory = NoMemory(),  # noqa: B008 - it has no state
) -> Result:
    """Write the payload to Fortnox under its number. Raises `FortnoxError`.

    `check` gets what Fortnox has under a number that has no link record, and raises `HeldByAnother` to leave it
    unchanged. Requests: none if unchanged, one PUT if known, one POST if new; POST, GET, PUT if Fortnox already has the
    number; GET and PUT or POST if an earlier create may have succeeded; more if Fortnox refuses a field of an update.
    """
    fields = payload.for_update()
    number = str(fields.pop(register.number_field))
    before = links.remembered(register.kind, number)
    known = _known(before)
    changed = {name: value for name, value in fields.items() if known.get(name) != digest(value)}
    if not changed:
        return Result(Written.UNCHANGED)
    exists = before is not None and before.digest != CREATING
    links.remember(register.kind, number, UPDATING if exists else CREATING, confirmed=True)
    try:
        if exists:
            try:
                done = _update(register, payload, number, changed, memory)
            except e.NotFound:  # deleted in Fortnox since
                before, known = None, {}
                done = _create(register, payload)
        else:
            first = Next.CREATE if before is None else Next.LOOK
            done = _create_or_adopt(register, payload, number, check, memory, first)
    except HeldByAnother:
        _restore(links, register.kind, number, before)
        raise
    except e.FortnoxError as error:
        if not _may_have_written(error, before):
            _restore(links, register.kind, number, before)
        raise
    written = {name: digest(value) for name, value in fields.items() if name not in done.refused}
    links.remember(register.kind, number, json.dumps({**known, **written}))
    return done


def digest(value: Any) -> str:
    """A digest of a field's value."""
    return hashlib.sha256(json_bytes(value)).hexdigest()[:16]


def _known(record: LinkRecord | None) -> dict[str, str]:
    """The digests of the fields that Fortnox was last given; empty if they are not known."""
    if record is None or record.outdated or not record.digest.startswith("{"):
        return {}
    found: dict[str, str] = json.loads(record.digest)
    return found


def _create(register: SnapshotRegister[M], payload: SnapshotPayload) -> Result:
    register.create(payload.for_create())
    return Result(Written.CREATED)


def _update(
    register: SnapshotRegister[M], payload: SnapshotPayload, number: str, changed: Mapping[str, Any], memory: Memory
) -> Result:
    def update(fields: Mapping[str, Any]) -> None:
        try:
            register.update(number, fields)
        except e.NumberReserved as refused:
            if _found(register, number) is None:
                raise
            raise e.Rejected(replace(refused.details, situation="")) from refused  # it is there: not what it says

    always = {payload.required: payload.for_update()[payload.required]}
    refused = send_changes(update, changed, always, memory)
    return Result(Written.UNCHANGED if refused.keys() == changed.keys() else Written.UPDATED, refused)


def create_or_find(
    create: Callable[[], M],
    look: Callable[[Next], M | None],
    memory: Memory,
    step: Next,
    *,
    can_help: Callable[[], bool] = lambda: False,
) -> tuple[M, bool]:
    """Create, or find what is there already. Return it, and whether it was found. Begins with `step`.

    `look` is given the reason: `LOOK` or `LOOK_AFTER_REFUSAL`. If it finds nothing, the number is free: raises the
    refusal of the create, unless another create `can_help`.
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
        elif refused is not None and not can_help():
            raise refused  # the number is reserved by a deleted entry, or the refusal has another reason
        else:
            step = Next.CREATE if step is Next.LOOK else Next.CREATE_AFTER_LOOK
        memory.remember("next", step)


def _create_or_adopt(
    register: SnapshotRegister[M],
    payload: SnapshotPayload,
    number: str,
    check: Callable[[M], None] | None,
    memory: Memory,
    first: Next,
) -> Result:
    step = Next(memory.cached("next") or first)
    if step is not Next.UPDATE:
        there, found = create_or_find(
            lambda: register.create(payload.for_create()), lambda _: _found(register, number), memory, step
        )
        if not found:
            return Result(Written.CREATED)
        if check is not None:
            check(there)
        memory.remember("same", json.dumps(_same(there, payload)))
        memory.remember("next", Next.UPDATE)
    same = {register.number_field, *json.loads(memory.cached("same") or "[]")}
    differing = {name: value for name, value in payload.for_update().items() if name not in same}
    return _update(register, payload, number, differing, memory) if differing else Result(Written.UNCHANGED)


def _same(there: object, payload: SnapshotPayload) -> list[str]:
    """The fields that Fortnox already has as they should be."""
    has = there.model_dump(by_alias=True) if isinstance(there, BaseModel) else {}
    return [name for name, value in payload.for_update().items() if has.get(name) == value]


def _found(register: SnapshotRegister[M], number: str) -> M | None:
    try:
        return register.get(number)
    except e.NotFound:
        return None


def _may_have_written(error: e.FortnoxError, before: LinkRecord | None) -> bool:
    """Whether Fortnox may have carried out the write. A 5xx after an update leaves that open; after a create the error
    itself says so.
    """
    return isinstance(error, e.OutcomeUnknown) or (isinstance(error, e.Unavailable) and before is not None)


def _restore(links: Links, kind: str, number: str, before: LinkRecord | None) -> None:
    if before is None:
        links.forget(kind, number)
    elif before.outdated and before.digest != CREATING:
        links.remember(kind, number, UPDATING)
    else:
        links.remember(kind, number, before.digest)
