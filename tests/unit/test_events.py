"""The contract with producers: what is an event, and what is said of one that is not."""

import json
import pickle
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from moment import events
from moment.events import FIELDS_NAMED, InvalidEvent, InvoiceEvent, OrderingKey, event_json, parse_event
from tests.unit.factories import (
    a_credit_note,
    a_customer,
    a_line,
    a_project,
    an_attachment,
    an_integration,
    an_invoice,
    customer_json,
    integration_json,
    invoice_json,
    project_json,
)


def problems(source: Any) -> list[str]:
    with pytest.raises(InvalidEvent) as caught:
        parse_event(source)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert str(caught.value) == "; ".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def invoice_problem(**overrides: Any) -> str:
    (problem,) = problems(invoice_json(**overrides))
    return problem


# What is accepted


def test_an_event_is_read_from_text_bytes_or_an_object() -> None:
    source = invoice_json()
    text = json.dumps(source)
    assert parse_event(text) == parse_event(text.encode()) == parse_event(source)


def test_unknown_fields_are_ignored() -> None:
    for given in (customer_json() | {"new": 1}, customer_json(brand_new={"x": []})):
        assert event_json(parse_event(given)) == event_json(parse_event(customer_json()))


def test_unknown_fields_are_named_by_their_path_and_never_by_their_value() -> None:
    given = invoice_json()
    given["invoice"] |= {"emial": "anna@ek.example", "lines": [a_line() | {"vat": 1}, a_line() | {"vat": 2}]}
    given |= {"anna@ek.example": 1, "x" * 41: 1, "sequense": 7, "e-post": 1, "1|2\n": 1, "företag": 1}
    assert parse_event(given).unknown_fields == (
        "invoice.lines.vat",
        "invoice.emial",
        "?",
        "sequense",
        "e-post",
        "företag",
    )
    assert parse_event(json.dumps(customer_json())).unknown_fields == ()


def test_few_unknown_fields_of_an_event_are_named() -> None:
    assert len(parse_event(customer_json() | {f"a{n}": 1 for n in range(1000)}).unknown_fields) == FIELDS_NAMED


def test_a_byte_order_mark_is_read_over() -> None:
    text = "\ufeff" + json.dumps(customer_json())
    assert parse_event(text) == parse_event(text.encode()) == parse_event(customer_json())


@pytest.mark.parametrize(
    "written", ["12500.10", 12500.10, Decimal("12500.10"), "12500.1000000", " 12500.1 ", "1.25001E4"]
)
def test_money_is_exact_however_it_is_written(written: Any) -> None:
    event = parse_event(invoice_json(total_including_vat=written))
    assert isinstance(event, InvoiceEvent)
    assert str(event.invoice.total_including_vat.quantize(Decimal("0.01"))) == "12500.10"
    assert event.invoice.total_including_vat == Decimal("12500.10")


@pytest.mark.parametrize("number", ["0.1", "-0.07", "99999999999.9999", "12345678901.2345", "1e2", "0"])
def test_a_json_number_is_never_a_float_on_the_way(number: str) -> None:
    text = json.dumps(invoice_json()).replace('"12500.00"', number)
    event = parse_event(text)
    assert isinstance(event, InvoiceEvent)
    assert event.invoice.total_including_vat == Decimal(number)


@pytest.mark.parametrize("number", [1001, "1001", 1001.0, Decimal("1001")])
def test_a_whole_number_may_be_written_as_text(number: Any) -> None:
    assert an_invoice(invoice_number=number).invoice.invoice_number == 1001


def test_dates_and_times_are_read() -> None:
    event = an_invoice(invoice_date=date(2026, 11, 20), occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC))
    assert event.invoice.invoice_date == date(2026, 11, 20)
    assert event.occurred_at == an_invoice(occurred_at="2026-11-22T10:00:00+01:00").occurred_at


def test_an_empty_country_code_is_none() -> None:
    assert a_customer(address={"country_code": ""}).customer.address.country_code is None


def test_only_what_was_given_goes_over_the_wire() -> None:
    wire = customer_json()
    del wire["customer"]["email"]
    wire["customer"]["address"] = {"city": None}
    assert json.loads(event_json(parse_event(wire))) == wire


def test_a_secret_is_not_in_the_repr() -> None:
    assert "code-1" not in repr(an_integration())
    assert "SGVq" not in repr(an_invoice(attachments=[an_attachment(url=None, content="SGVq")]))


# Keys


def test_events_of_one_customer_project_or_invoice_have_one_ordering_key() -> None:
    assert str(a_customer().key) == "acme/customer/10001"
    assert str(a_project().key) == "acme/project/1"
    assert str(an_invoice().key) == "acme/invoice/1001"
    assert str(an_integration().key) == "acme/integration"


def test_customers_and_projects_wait_for_the_connection() -> None:
    assert list(map(str, a_customer().prerequisites)) == ["acme/integration"]
    assert list(map(str, a_project().prerequisites)) == ["acme/integration"]
    assert an_integration().prerequisites == ()


def test_an_invoice_waits_for_its_customer_and_each_of_its_projects() -> None:
    lines = [a_line(project={"id": 2, "project_number": "2"}), a_line(project={"id": 62788980, "project_number": "1"})]
    assert list(map(str, an_invoice(lines=lines).prerequisites)) == [
        "acme/integration",
        "acme/customer/10001",
        "acme/project/1",
        "acme/project/2",
    ]


def test_a_credit_note_waits_for_its_invoice_but_never_for_itself() -> None:
    assert OrderingKey("acme", "invoice", "1001") in a_credit_note().prerequisites
    own = a_credit_note(credited_invoice_number=1002)
    assert own.key not in own.prerequisites


# What is refused, and in which words


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"lines": []}, "invoice.lines: must have at least 1 element (given: an empty list)"),
        ({"lines": None}, "invoice.lines: must be a list (given: null)"),
        ({"lines": ["x"]}, "invoice.lines.0: must be an object (given: 'x')"),
        ({"lines": [a_line(), a_line(account_number="301")]},
         "invoice.lines.1.accountNumber: must be an account number of four digits, 1000 to 9999 (given: '301')"),
        ({"lines": [a_line(vat_percentage="125")]},
         "invoice.lines.0.vatPercentage: must be at most 100 (given: 125)"),
        ({"customer": None}, "invoice.customer: must be an object (given: null)"),
        ({"customer": {"customer_number": "a/b"}},
         "invoice.customer.customerNumber: must be 1 to 50 characters without a slash or a space (given: 'a/b')"),
        ({"customer": {"customer_number": 10001}},
         "invoice.customer.customerNumber: must be text, in quotation marks (given: 10001)"),
        ({"total_including_vat": "12 500,00"},
         "invoice.totalIncludingVat: must be a decimal number such as 12500.00: digits and a point, no spaces "
         "(given: '12 500,00')"),
        ({"total_including_vat": "1.23456"},
         "invoice.totalIncludingVat: must have at most 4 decimals (given: 1.23456)"),
        ({"total_including_vat": True},
         "invoice.totalIncludingVat: must be a decimal number such as 12500.00: digits and a point, no spaces "
         "(given: true)"),
        ({"total_including_vat": float("nan")}, "invoice.totalIncludingVat: must be a finite number (given: NaN)"),
        ({"invoice_number": True}, "invoice.invoiceNumber: must be a whole number such as 1001 (given: true)"),
        ({"invoice_number": 1001.5}, "invoice.invoiceNumber: must be a whole number such as 1001 (given: 1001.5)"),
        ({"invoice_number": 0}, "invoice.invoiceNumber: must be greater than 0 (given: 0)"),
        ({"invoice_date": "2026-11-31"},
         "invoice.invoiceDate: must be a date that exists, such as 2026-11-20 (given: '2026-11-31')"),
        ({"invoice_date": "2026-11-20T00:00:00Z"},
         "invoice.invoiceDate: must be a date such as 2026-11-20, without a time (given: '2026-11-20T00:00:00Z')"),
        ({"currency_code": "sek"},
         "invoice.currencyCode: must be a currency code of three capital letters, such as SEK (given: 'sek')"),
        ({"currency_rate": 0}, "invoice.currencyRate: must be greater than 0 (given: 0)"),
        ({"description": "x" * 10_001},
         f"invoice.description: must have at most 10000 characters (given: '{'x' * 76}…)"),
        ({"description": "\ud800"},
         "invoice.description: holds half a character (a lone surrogate) (given: '\\ud800')"),
        ({"attachments": [an_attachment(url=None)]},
         "invoice.attachments.0: must have a url or a content (the file itself, base64) (given: an object)"),
        ({"occurred_at": "2026-11-22T09:00:00"},
         "occurredAt: must be a time with its zone, such as 2026-11-22T09:00:00Z (given: '2026-11-22T09:00:00')"),
        ({"occurred_at": 1763802000},
         "occurredAt: must be a time with its zone, such as 2026-11-22T09:00:00Z (given: 1763802000)"),
        ({"sequence": -1}, "sequence: must be at least 0 (given: -1)"),
        ({"company": "a b"},
         "company: must be a company code: letters, digits, - and _, at most 63 (given: 'a b')"),
        ({"event_id": ""}, "id: must be 1 to 200 characters without a space (given: '')"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_path_with_the_value_and_what_is_asked(overrides: dict[str, Any], problem: str) -> None:
    assert invoice_problem(**overrides) == problem


@pytest.mark.parametrize(
    "timestamp", [20261120, 1763596800, "1763596800", 0, 1763596800.0, datetime(2026, 11, 20, tzinfo=UTC)]
)
def test_a_number_or_a_time_is_never_taken_for_a_date(timestamp: Any) -> None:
    assert "must be a date such as 2026-11-20" in invoice_problem(invoice_date=timestamp)


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurredAt"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurredAt"),
        ({"occurred_at": "1990-01-01T00:59:59+01:00"}, "occurredAt"),
        ({"occurred_at": "2201-01-01T00:00:00Z"}, "occurredAt"),
        ({"occurred_at": datetime(1989, 12, 31, tzinfo=UTC)}, "occurredAt"),
        ({"invoice_date": "1989-12-31"}, "invoice.invoiceDate"),
        ({"due_date": "2201-01-01"}, "invoice.dueDate"),
    ],
)
def test_a_date_or_time_outside_1990_to_2200_in_utc_is_refused_with_its_field(
    overrides: dict[str, Any], path: str
) -> None:
    assert invoice_problem(**overrides).startswith(f"{path}: must be a ")
    assert "from 1990 to 2200" in invoice_problem(**overrides)


def test_every_date_and_time_of_every_event_has_those_limits() -> None:
    checked = set()
    for model in vars(events).values():
        if not (isinstance(model, type) and issubclass(model, events.Model)):
            continue
        for name, field in model.model_fields.items():
            adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, "", *field.metadata])
            kind = re.search(r'"format": "(date|date-time)"', json.dumps(adapter.json_schema()))
            if kind is None or "$defs" in adapter.json_schema() or isinstance(field.annotation, type(events.Model)):
                continue
            checked.add(name)
            rest = "-06-01" if kind[1] == "date" else "-06-01T00:00:00Z"
            for year in (1990, 2200):
                adapter.validate_python(f"{year}{rest}")
            for year in (1989, 2201):
                with pytest.raises(ValidationError, match="range"):
                    adapter.validate_python(f"{year}{rest}")
    dates = {"start_date", "end_date", "invoice_date", "due_date", "from_date"}
    assert checked == {*dates, "created_date", "occurred_at"}


@pytest.mark.parametrize(
    "overrides",
    [
        {"occurred_at": "1990-01-01T01:00:00+01:00"},
        {"occurred_at": "2201-01-01T00:59:59+01:00"},
        {"invoice_date": "1990-01-01"},
        {"due_date": "2200-12-31"},
    ],
)
def test_a_date_or_time_at_the_edge_of_the_range_is_accepted(overrides: dict[str, Any]) -> None:
    parse_event(invoice_json(**overrides))


@pytest.mark.parametrize("number", ["１２", "1_000", "", "0x10", "NaN", "Infinity", "1,5", "--1", "1e400"])
def test_only_plain_digits_are_money(number: str) -> None:
    assert invoice_problem(total_including_vat=number).startswith("invoice.totalIncludingVat: must be a decimal number")


def test_each_missing_field_is_named() -> None:
    assert problems('{"type": "invoice.finalized", "invoice": {"lines": [{}]}}') == [
        "id: is missing",
        "company: is missing",
        "occurredAt: is missing",
        "invoice.id: is missing",
        "invoice.invoiceNumber: is missing",
        "invoice.customer: is missing",
        "invoice.invoiceDate: is missing",
        "invoice.dueDate: is missing",
        "invoice.currencyCode: is missing",
        "invoice.totalIncludingVat: is missing",
        "invoice.lines.0.accountNumber: is missing",
        "invoice.lines.0.vatPercentage: is missing",
        "invoice.lines.0.amountExcludingVat: is missing",
    ]


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ('{"id":1', "event: not JSON: "),
        (b"\xff", "event: is not UTF-8: byte 0 cannot be read"),
        ("[]", "event: must be a JSON object (given: an empty list)"),
        ('"x"', "event: must be a JSON object (given: 'x')"),
        ("{}", "type: is missing"),
        (
            '{"type": "invoice.sent"}',
            "type: unknown event type; one of customer.created, customer.updated, project.cre",
        ),
        ('{"type": null}', "type: unknown event type"),
        ('{"type": ["x"]}', "type: unknown event type"),
        ("[" * 100_000, "event: nested too deeply"),
        ('{"type": "customer.updated", "customer": ' + '{"a":' * 100_000, "event: nested too deeply"),
    ],
)
def test_what_is_no_event_at_all_is_said_so(source: str | bytes, start: str) -> None:
    (problem,) = problems(source)
    assert problem.startswith(start)


@pytest.mark.parametrize("state", ["", "paused", "InProgress", None])
def test_an_unknown_project_state_is_an_error_that_names_it(state: str | None) -> None:
    (problem,) = problems(project_json(project_state=state))
    assert problem.startswith(
        "project.projectState: must be one of 'notStarted', 'inProgress', 'completed' or 'closed' (given: "
    )


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_blank_name_is_refused(name: str) -> None:
    assert problems(customer_json(name=name))[0].startswith("customer.name: must not be ")


@pytest.mark.parametrize("code", ["SWE", "S", "1A", "Sverige"])
def test_a_country_code_has_two_letters(code: str) -> None:
    (problem,) = problems(customer_json(address={"country_code": code}))
    assert problem == (
        f"customer.address.countryCode: must be a country code of two letters (ISO 3166), such as SE (given: {code!r})"
    )


def test_an_authorization_code_is_never_shown() -> None:
    for wrong in ({"authorization_code": ["hush-hush"]}, {"authorization_code": "hush-hush" * 500}):
        assert "hush" not in problems(integration_json(**wrong))[0]
    assert "hush" not in problems(integration_json() | {"integration": ["hush-hush"]})[0]
