"""Customers and projects: written to Fortnox unless their number is clearly somebody else's there.

An accountant may have used the number before Moment was connected. What is clearly different is not overwritten: the
event fails and names both, and a person who knows that they are the same runs `events retry … --accept-existing`.
"""

import re
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple, TypeVar

from delivery.changes import Refusal
from delivery.context import TransferContext
from delivery.upsert import HeldByAnother, SnapshotRegister, create_or_update
from fortnox.models import FortnoxCustomer, FortnoxProject
from fortnox.payloads import API_BLANK, CustomerPayload, ProjectPayload
from mappers import Mapped
from mappers.organisation import swedish_form
from messages import Message
from ordering import Done, Failed, Outcome

P = TypeVar("P", CustomerPayload, ProjectPayload)
M = TypeVar("M", FortnoxCustomer, FortnoxProject)

ACCEPTED = "accept-existing"  # a person's decision; `Ordering.retry` records it as a step of the event
ALIKE = 0.7  # of 1; "Skanska Bygg" and "Skånska Byggen" are 0.92 alike, "Andersson Måleri" and "Skånska Bygg" 0.29

FIELDS: Final[Mapping[str, Message]] = {
    "Name": Message("field.name"),
    "OrganisationNumber": Message("field.organisation-number"),
    "Address1": Message("field.address"),
    "Address2": Message("field.address"),
    "ZipCode": Message("field.zip-code"),
    "City": Message("field.city"),
    "CountryCode": Message("field.country"),
    "Email": Message("field.email"),
    "VATNumber": Message("field.vat-number"),
    "VATType": Message("field.vat-type"),
    "Description": Message("field.name"),
    "StartDate": Message("field.start-date"),
    "EndDate": Message("field.end-date"),
    "Status": Message("field.status"),
}

_LEGAL_FORMS = {"ab", "aktiebolag", "publ", "hb", "handelsbolag", "kb", "kommanditbolag", "as", "oy", "ltd", "gmbh"}


class Identity(NamedTuple):
    """What identifies a customer or project to a person."""

    name: str
    organisation_number: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.organisation_number})" if self.organisation_number else self.name


def transfer_snapshot(
    context: TransferContext, register: SnapshotRegister[M], mapped: Mapped[P], who: Callable[[P | M], Identity]
) -> Outcome:
    """Create or update the customer or project: one request if something changed, else none."""
    ours = who(mapped.payload)

    def check(found: M) -> None:
        if clearly_different(ours, who(found)):
            raise HeldByAnother(str(who(found)))

    try:
        result = create_or_update(
            register, context.links, mapped.payload, check=None if context.taken(ACCEPTED) else check, memory=context
        )
    except HeldByAnother as other:
        kind, number = context.claim.key.split("/")[1:]
        return Failed(
            Message(f"{kind}.number-is-anothers", number=number, other=str(other), ours=str(ours)),
            Message(f"{kind}.number-is-anothers.remedy", company=context.claim.company, event=context.claim.id),
            "HeldByAnother",
        )
    return _done(context, mapped, result.refused)


def _done(context: TransferContext, mapped: Mapped[P], refused: Mapping[str, Refusal]) -> Done:
    """The event is through, also where Fortnox refused a field: what waits for the customer or project goes on."""
    if not refused:
        return Done(notice=mapped.notice)
    fields = mapped.payload.for_update()
    told = [_told(name, fields[name], why) for name, why in refused.items()]
    remedies = dict.fromkeys(why.remedy for why in refused.values())
    retry = Message("snapshot.field-refused.remedy", company=context.claim.company, event=context.claim.id)
    return Done(Message.join(mapped.notice, *told), Message.join(*remedies, retry), again=True)


def _told(name: str, value: Any, why: Refusal) -> Message:
    field = FIELDS.get(name, name)
    if value == API_BLANK:
        return Message("snapshot.field-not-emptied", field=field, why=why.reason)
    return Message("snapshot.field-refused", field=field, value=str(value), why=why.reason)


def customer_identity(customer: CustomerPayload | FortnoxCustomer) -> Identity:
    return Identity(customer.name or "", customer.organisation_number)


def project_identity(project: ProjectPayload | FortnoxProject) -> Identity:
    return Identity(project.description or "")


def clearly_different(ours: Identity, theirs: Identity) -> bool:
    """Whether the two differ: by organisation number where both have one, else by name. Pure."""
    if ours.organisation_number and theirs.organisation_number:
        return _number(ours.organisation_number) != _number(theirs.organisation_number)
    mine, other = _words(ours.name), _words(theirs.name)
    if not mine or not other or set(mine) <= set(other) or set(other) <= set(mine):
        return False
    return SequenceMatcher(None, " ".join(mine), " ".join(other)).ratio() < ALIKE


def _number(text: str) -> str:
    return swedish_form(text) or re.sub(r"\W", "", text).upper()


def _words(name: str) -> list[str]:
    return [word for word in re.findall(r"\w+", name.casefold()) if word not in _LEGAL_FORMS]
