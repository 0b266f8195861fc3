"""Events for tests: `an_invoice(total_including_vat="100.00")`. Each factory gives a whole, valid event.

Overrides are named as in the models. `event_id`, `company`, `type`, `occurred_at` and `sequence` belong to
the envelope; everything else to the customer, project, invoice or integration inside (`id` is Moment's id).
Every value passes through `parse_event`: a factory cannot make an event that the contract refuses.
The `..._json` factories give the wire form (a dict) unvalidated, for tests of bad input.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from moment.events import (
    CustomerEvent,
    IntegrationEvent,
    InvoiceEvent,
    ProjectEvent,
    parse_event,
)

E = TypeVar("E")

ENVELOPE_FIELDS = {
    "event_id": "id",
    "company": "company",
    "type": "type",
    "occurred_at": "occurredAt",
    "sequence": "sequence",
}


def customer_json(**overrides: Any) -> dict[str, Any]:
    return _with(
        {
            "id": "e1",
            "company": "acme",
            "type": "customer.updated",
            "occurredAt": "2026-11-22T09:00:00Z",
            "customer": {
                "id": 62788973,
                "customerNumber": "10001",
                "name": "Skånska Bygg AB",
                "organizationNumber": "556677-8899",
                "email": "faktura@skanskabygg.example",
                "address": {
                    "address1": "Storgatan 1",
                    "address2": None,
                    "zipCode": "211 42",
                    "city": "Malmö",
                    "countryCode": "SE",
                },
            },
        },
        "customer",
        overrides,
    )


def project_json(**overrides: Any) -> dict[str, Any]:
    return _with(
        {
            "id": "e2",
            "company": "acme",
            "type": "project.created",
            "occurredAt": "2026-11-22T09:00:01Z",
            "project": {
                "id": 62788980,
                "projectNumber": "1",
                "name": "Ombyggnad",
                "startDate": None,
                "endDate": "2027-06-30",
                "createdDate": "2026-11-01T08:00:00Z",
                "projectState": "inProgress",
            },
        },
        "project",
        overrides,
    )


def invoice_json(**overrides: Any) -> dict[str, Any]:
    return _with(
        {
            "id": "e3",
            "company": "acme",
            "type": "invoice.finalized",
            "occurredAt": "2026-11-22T09:00:02Z",
            "invoice": {
                "id": 106939080,
                "invoiceNumber": 1001,
                "creditedInvoiceNumber": None,
                "description": "November",
                "customer": {"id": 62788973, "customerNumber": "10001"},
                "project": {"id": 62788980, "projectNumber": "1"},
                "invoiceDate": "2026-11-20",
                "dueDate": "2026-12-20",
                "paymentId": "10017",
                "currencyCode": "SEK",
                "totalIncludingVat": "12500.00",
                "yourReference": "Anna Ek",
                "theirReference": "Bo Lind",
                "lines": [a_line()],
                "attachments": [
                    {
                        "fileName": "faktura-1001.pdf",
                        "contentType": "application/pdf",
                        "url": "https://app.moment.team/files/faktura-1001.pdf",
                    }
                ],
            },
        },
        "invoice",
        overrides,
    )


def credit_note_json(**overrides: Any) -> dict[str, Any]:
    """Credits the whole of `an_invoice()`."""
    return invoice_json(
        **{
            "event_id": "e5",
            "id": 106939081,
            "invoice_number": 1002,
            "credited_invoice_number": 1001,
            "description": "Kredit av faktura 1001",
            "payment_id": None,
            "total_including_vat": "-12500.00",
            "lines": [a_line(quantity="-8", amount_excluding_vat="-10000.00")],
            "attachments": [],
        }
        | overrides
    )


def integration_json(**overrides: Any) -> dict[str, Any]:
    return _with(
        {
            "id": "e4",
            "company": "acme",
            "type": "integration.enabled",
            "occurredAt": "2026-11-22T08:00:00Z",
            "integration": {
                "authorizationCode": "code-1",
                "serviceAccount": True,
                "errorEmail": "ekonomi@acme.example",
                "transfers": {"customers": True, "projects": True, "invoices": True},
                "expenses": {
                    "enabled": True,
                    "accountNumbers": ["4010"],
                    "billableByDefault": True,
                    "fromDate": None,
                },
            },
        },
        "integration",
        overrides,
    )


def a_line(**overrides: Any) -> dict[str, Any]:
    """One invoice line in its wire form: `a_line(account_number="3020", amount_excluding_vat="99.50")`."""
    line = {
        "description": "Konsulttimmar",
        "accountNumber": "3010",
        "vatPercentage": "25",
        "quantity": "8",
        "unitPrice": "1250.00",
        "amountExcludingVat": "10000.00",
    }
    return line | _wire(overrides)


def an_attachment(**overrides: Any) -> dict[str, Any]:
    """One attachment in its wire form, by its URL; give `content` (base64) and `url=None` for the other."""
    attachment = {
        "fileName": "faktura-1001.pdf",
        "contentType": "application/pdf",
        "url": "https://app.moment.team/files/faktura-1001.pdf",
    }
    return attachment | _wire(overrides)


def a_customer(**overrides: Any) -> CustomerEvent:
    return _parsed(CustomerEvent, customer_json(**overrides))


def a_project(**overrides: Any) -> ProjectEvent:
    return _parsed(ProjectEvent, project_json(**overrides))


def an_invoice(**overrides: Any) -> InvoiceEvent:
    return _parsed(InvoiceEvent, invoice_json(**overrides))


def a_credit_note(**overrides: Any) -> InvoiceEvent:
    return _parsed(InvoiceEvent, credit_note_json(**overrides))


def an_integration(**overrides: Any) -> IntegrationEvent:
    return _parsed(IntegrationEvent, integration_json(**overrides))


def _with(event: dict[str, Any], kind: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`event` with `overrides`; an `address`, `customer` or `project` given in part keeps the rest."""
    event = deepcopy(event)
    for name, value in overrides.items():
        if name in ENVELOPE_FIELDS:
            event[ENVELOPE_FIELDS[name]] = value
            continue
        field, value = to_camel(name), _wire(value)
        default = event[kind].get(field)
        if isinstance(default, dict) and isinstance(value, dict):
            value = default | value
        event[kind][field] = value
    return event


def _wire(value: Any) -> Any:
    """The same with camelCase names, inside as well."""
    if isinstance(value, Mapping):
        return {to_camel(name): _wire(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(part) for part in value]
    return value


def _parsed(kind: type[E], event: dict[str, Any]) -> E:
    parsed = parse_event(event)
    assert isinstance(parsed, kind)
    return parsed
