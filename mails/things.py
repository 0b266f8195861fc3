"""What an event is about, as its reader knows it: a kind, a number, a name, an amount. Pure. No I/O."""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from moment.events import CustomerEvent, Event, InvalidEvent, InvoiceEvent, ProjectEvent, parse_event
from tasks.flows import EXPENSES, INTEGRATION, NUMBERED


class Thing(NamedTuple):
    """`kind`: one of `Words.kinds`. `customer`: an invoice's, its number."""

    kind: str
    number: str
    name: str = ""
    customer: str = ""
    customer_name: str = ""
    total: Decimal | None = None
    currency: str = ""


def thing(key: str, event_id: str, body: str | None) -> Thing:
    """From the event's JSON, where that is at hand and reads; else from its ordering key (`acme/invoice/1001`)."""
    if key.split("/")[1:] == [EXPENSES.kind]:
        return _of_expenses(json.loads(body or "{}"))
    try:
        event: Event | None = parse_event(body) if body else None
    except InvalidEvent:
        event = None
    match event:
        case InvoiceEvent(invoice=invoice):
            return Thing(
                "creditNote" if invoice.credited_invoice_number or invoice.total_including_vat < 0 else "invoice",
                str(invoice.invoice_number),
                customer=invoice.customer.customer_number,
                total=invoice.total_including_vat,
                currency=invoice.currency_code,
            )
        case CustomerEvent(customer=customer):
            return Thing("customer", customer.customer_number, customer.name)
        case ProjectEvent(project=project):
            return Thing("project", project.project_number, project.name)
    return of_key(key, event_id)


def _of_expenses(about: dict[str, Any]) -> Thing:
    """A supplier invoice that has no way to Moment; or all of them, where polling fails."""
    number, supplier = str(about.get("givenNumber", "")), str(about.get("supplier", ""))
    if not number:
        return Thing("expenses", "")
    return Thing("supplierInvoice", number, f"({supplier})" if supplier else "")


def of_key(key: str, event_id: str = "") -> Thing:
    _, kind, number = (*key.split("/", 2), "", "")[:3]
    if kind not in {*NUMBERED, INTEGRATION.kind}:
        return Thing("event", event_id)
    return Thing(kind, number)
