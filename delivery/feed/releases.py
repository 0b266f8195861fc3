"""Which failures a change in Fortnox may have mended: those of that situation and that number. Pure. No I/O.

A failure that names no account, cost centre or project concerns what its invoice is booked on.
"""

import re
from collections.abc import Mapping
from typing import Final

from fortnox.codes import labelled
from moment.events import InvalidEvent, Invoice, InvoiceEvent, parse_event
from ordering import EventRecord

# The situations that a change of each kind of thing may end. Held events wait behind the thing's key, whatever it was.
SITUATIONS: Final[Mapping[str, frozenset[str]]] = {
    "account": frozenset(
        {
            *("account-unknown", "account-inactive", "default-account-missing", "vat-account"),
            *("project-mandatory", "project-forbidden", "cost-centre"),
        }
    ),
    "cost-center": frozenset({"cost-centre"}),
    "customer": frozenset({"customer-deleted", "customer-unknown", "number-taken"}),
    "project": frozenset({"project-unknown", "project-period", "project-ended", "number-taken"}),
}
HELD_BY_ANOTHER: Final = "HeldByAnother"  # the code where Moment's number is something else in Fortnox
ACCOUNT: Final = re.compile(r"\b(?:konto\w*|accounts?)\W+(?:\w+\W+){0,2}?([1-9]\d{3})\b", re.IGNORECASE)
COST_CENTRE: Final = re.compile(r"\b(?:kostnadsställe\w*|cost cent(?:er|re)s?)\W+([\w-]*[A-Z\d][\w-]*)")
INVOICE_NUMBER: Final = re.compile(r"\b(?:fakturanummer|faktura|invoice(?: number)?)\W+\d+", re.IGNORECASE)


def may_concern(kind: str, number: str, record: EventRecord) -> bool:
    """Whether the failure may be about this thing, as far as its record tells. Pure."""
    if kind in ("customer", "project") and record.key.split("/", 1)[1] == f"{kind}/{number}":
        return record.code == HELD_BY_ANOTHER or labelled(record.code) in SITUATIONS[kind]
    return kind in ("account", "cost-center") and labelled(record.code) in SITUATIONS[kind]


def mendable(kind: str, record: EventRecord) -> bool:
    """Whether a change of some thing of this kind may have mended the failure. Pure."""
    _, own, number = f"{record.key}//".split("/", 2)
    if kind in ("customer", "project"):
        return own == kind and may_concern(kind, number.removesuffix("//"), record)
    return may_concern(kind, "", record)


def concerns(kind: str, number: str, record: EventRecord, invoice: Invoice | None, rounding_account: str) -> bool:
    """Whether a failure that may be about this thing is. `invoice`: the event's, where it is one. Pure."""
    said = INVOICE_NUMBER.sub("", record.said)
    if kind == "account":
        named = set(ACCOUNT.findall(said))
        if named or labelled(record.code) == "default-account-missing":
            return number in named or not named
        if invoice is None or labelled(record.code) == "cost-centre":
            return False
        return number in {str(line.account_number) for line in invoice.lines} | {rounding_account}
    if kind == "cost-center":
        named = set(COST_CENTRE.findall(said))
        return number in named if named else not ACCOUNT.search(said)
    return True


def invoice_in(body: str | None) -> Invoice | None:
    """The invoice of an event's JSON; None where it is no invoice, or is kept no more."""
    try:
        event = parse_event(body) if body else None
    except InvalidEvent:
        return None
    return event.invoice if isinstance(event, InvoiceEvent) else None
