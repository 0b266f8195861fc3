"""What an event is about, as the reader knows it: a kind, a number, a name, an amount. Pure. No I/O."""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from messages import Message, Money
from messages.catalogue import one_line
from moment.events import CustomerEvent, Event, InvalidEvent, InvoiceEvent, ProjectEvent, parse_event
from tasks.flows import EXPENSES, HINTS, PAYMENTS

LONGEST_NAME = 80  # characters; Moment lets a customer's name have thousands


class Entity(NamedTuple):
    """`noun.<kind>` is its word in the catalogues. `customer` is the number of an invoice's customer."""

    kind: str
    number: str
    name: str = ""
    customer: str = ""
    customer_name: str = ""
    total: Decimal | None = None
    currency: str = ""

    @property
    def label(self) -> Message:
        """`invoice 1001 to Skånska Bygg AB`."""
        if self.kind == "expenses":
            return Message("mail.entity.expenses")
        if self.kind == "payments":
            return Message("mail.entity.payments")
        if self.kind == "integration":
            return Message("mail.entity.integration")
        noun = Message(f"noun.{self.kind}", n=1)
        number, name, customer_name = (
            one_line(value, LONGEST_NAME) for value in (self.number, self.name, self.customer_name)
        )
        if self.customer:
            customer = customer_name or Message("mail.entity.customer-number", number=self.customer)
            return Message("mail.entity.to-customer", noun=noun, number=number, customer=customer)
        if not name:
            return Message("mail.entity.numbered", noun=noun, number=number)
        if self.kind == "supplierInvoice":
            return Message("mail.entity.supplier", noun=noun, number=number, name=name)
        return Message("mail.entity.named", noun=noun, number=number, name=name)

    @property
    def amount(self) -> Money | None:
        return None if self.total is None else Money(self.total, self.currency)


def entity_of(key: str, event_id: str, body: str | None) -> Entity:
    """From the event's JSON where it is known and valid, else from its ordering key (`acme/invoice/1001`)."""
    if key.split("/")[1:] == [EXPENSES.kind]:
        return _of_expenses(json.loads(body or "{}"))
    try:
        event: Event | None = parse_event(body) if body else None
    except InvalidEvent:
        event = None
    match event:
        case InvoiceEvent(invoice=invoice):
            return Entity(
                "creditNote" if invoice.credited_invoice_number or invoice.total_including_vat < 0 else "invoice",
                str(invoice.invoice_number),
                customer=invoice.customer.customer_number,
                total=invoice.total_including_vat,
                currency=invoice.currency_code,
            )
        case CustomerEvent(customer=customer):
            return Entity("customer", customer.customer_number, customer.name)
        case ProjectEvent(project=project):
            return Entity("project", project.project_number, project.name)
    return entity_of_key(key, event_id)


def entity_of_key(key: str, event_id: str = "") -> Entity:
    _, kind, number = (*key.split("/", 2), "", "")[:3]
    if key.split("/")[1:] == [PAYMENTS.kind]:
        return Entity("invoice", event_id.split("-")[1]) if event_id.startswith("payment-") else Entity("payments", "")
    if kind == HINTS.kind and number:  # an invoice of ours that a person changed in Fortnox
        return Entity("invoice", number)
    if kind not in {"customer", "project", "invoice", "integration"}:
        return Entity("event", event_id)
    return Entity(kind, number)


def _of_expenses(about: dict[str, Any]) -> Entity:
    """A supplier invoice that cannot become an expense; or all of them, where polling fails."""
    number = str(about.get("givenNumber", ""))
    return Entity("supplierInvoice", number, str(about.get("supplier", ""))) if number else Entity("expenses", "")
