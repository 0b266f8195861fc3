"""Events over the wire: nothing is lost or changed, and the published JSON Schema is that of the models."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from moment.events import InvoiceEvent, event_json, parse_event
from moment.schema import SCHEMA_FILE, schema_json
from tests.unit.factories import (
    a_line,
    credit_note_json,
    customer_json,
    integration_json,
    invoice_json,
    project_json,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
number = st.from_regex(r"[A-Za-z0-9åÄ\-_.]{1,50}", fullmatch=True)
money = st.decimals(-(10**9), 10**9, places=4, allow_nan=False).map(str) | st.integers(-(10**9), 10**9)
dates = st.dates(date(1990, 1, 1), date(2200, 12, 31)).map(date.isoformat)
times = st.datetimes(datetime(1990, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001
ids = st.integers(1 - 10**30, 10**30 - 1)
reference = st.builds(lambda n: {"id": 1, "projectNumber": n}, number)


def some_of(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the optional fields may be absent or null."""
    return st.fixed_dictionaries(required, optional={name: value | st.none() for name, value in optional.items()})


address = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("address1", "address2", "zipCode", "city"), text | st.none())
)
customers = some_of(
    {"id": ids, "customerNumber": number, "name": text.filter(str.strip)},
    {"organizationNumber": text, "email": text, "address": address},
)
projects = some_of(
    {
        "id": ids,
        "projectNumber": number,
        "name": text.filter(str.strip),
        "createdDate": times,
        "projectState": st.sampled_from(["notStarted", "inProgress", "completed", "closed"]),
    },
    {"startDate": dates, "endDate": dates},
)
lines = some_of(
    {"accountNumber": st.from_regex(r"[1-9][0-9]{3}", fullmatch=True), 
     "vatPercentage": st.sampled_from(["25", 6, "0.5"]), "amountExcludingVat": money},
    {"description": text, "unitPrice": money, "project": reference},
)  # fmt: skip
invoices = some_of(
    {
        "id": ids,
        "invoiceNumber": st.integers(1, 10**14),
        "customer": st.builds(lambda n: {"id": 1, "customerNumber": n}, number),
        "invoiceDate": dates,
        "dueDate": dates,
        "currencyCode": st.sampled_from(["SEK", "EUR"]),
        "totalIncludingVat": money,
        "lines": st.lists(lines, min_size=1, max_size=4),
    },
    {"description": text, "project": reference, "paymentId": st.text(st.characters(codec="ascii"), max_size=50),
     "yourReference": text, "theirReference": text, "creditedInvoiceNumber": st.integers(1, 10**14)},
)  # fmt: skip
events = st.one_of(
    customers.map(lambda body: customer_json() | {"customer": body}),
    projects.map(lambda body: project_json() | {"project": body}),
    invoices.map(lambda body: invoice_json() | {"invoice": body}),
)
SAMPLES = [customer_json(), project_json(), invoice_json(), credit_note_json(), integration_json()]
SCHEMA = Draft202012Validator(json.loads(schema_json()))


@given(events)
def test_an_event_comes_through_json_unchanged(wire: dict[str, Any]) -> None:
    event = parse_event(json.dumps(wire))
    again = parse_event(event_json(event))
    assert again == event
    assert again.model_dump(exclude_unset=True) == event.model_dump(exclude_unset=True)  # null is not absent
    assert event_json(again) == event_json(event)
    assert parse_event(wire) == event


@given(st.decimals(-(10**10), 10**10, places=4, allow_nan=False))
def test_a_decimal_is_exact_as_a_json_number_and_as_text(amount: Decimal) -> None:
    as_text = json.dumps(invoice_json(lines=[a_line(amount_excluding_vat=str(amount))]))
    as_number = as_text.replace(f'"amountExcludingVat": "{amount}"', f'"amountExcludingVat": {amount:f}')
    assert as_number != as_text
    for source in (as_text, as_number):
        event = parse_event(source)
        assert isinstance(event, InvoiceEvent)
        assert event.invoice.lines[0].amount_excluding_vat == amount
        assert f'"{amount}"' in event_json(event)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["id"]))
def test_the_contracts_samples_come_through_json_as_they_are(sample: dict[str, Any]) -> None:
    assert json.loads(event_json(parse_event(sample))) == sample


def test_the_schema_in_docs_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_json(), "run: python -m moment.schema"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_json()))


@given(events)
def test_the_schema_accepts_what_the_models_accept(wire: dict[str, Any]) -> None:
    wire = {**wire}
    kind = str(wire["type"]).partition(".")[0]
    if kind == "customer" and wire["customer"].get("address", {}) is None:
        return  # the models are lenient here, the contract has an object
    SCHEMA.validate(wire)


@pytest.mark.parametrize(
    "wrong",
    [
        invoice_json(lines=[]),
        invoice_json(total_including_vat="12 500,00"),
        invoice_json(invoice_number=0),
        invoice_json(currency_code="kr"),
        customer_json(customer_number="a/b"),
        customer_json(address={"country_code": "Sverige"}),
        project_json(project_state="paused"),
        customer_json(type="customer.deleted"),
        {"id": "e1"},
    ],
)
def test_the_schema_refuses_what_the_models_refuse(wrong: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(wrong)
