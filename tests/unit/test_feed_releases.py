"""Which failures a change in Fortnox releases: exactly those of its situation and its number."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from delivery.expenses.sync import shows
from delivery.feed.releases import SITUATIONS, concerns, invoice_in, may_concern, mendable
from delivery.own_writes import thing_written
from fortnox.models import SupplierInvoice
from messages import NOTHING
from ordering import EventRecord
from stores.own_writes import explaining
from tests.unit.factories import a_line, customer_json, invoice_json

NOW = datetime(2026, 11, 28, tzinfo=UTC)
STOPPED = "Kunde inte bokföra fakturanummer 3010. "


def a_failure(code: str, said: str = "", key: str = "acme/invoice/3010") -> EventRecord:
    return EventRecord(
        id="e3",
        company="acme",
        type="invoice.finalized",
        key=key,
        status="failed",
        reason=NOTHING,
        remedy=NOTHING,
        code=code,
        attempts=1,
        occurred_at=NOW,
        accepted_at=NOW,
        settled_at=NOW,
        blocker="",
        said=said,
    )


def released(kind: str, number: str, record: EventRecord, account: str = "3011") -> bool:
    invoice = invoice_in(json.dumps(invoice_json(lines=[a_line(account_number=account)])))
    return may_concern(kind, number, record) and concerns(kind, number, record, invoice, "3740")


@pytest.mark.parametrize(
    ("code", "said", "number", "is_released"),
    [
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto 3099.", "3099", True),
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto 3099.", "3011", False),
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto 3099.", "3010", False),  # the invoice's number
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto", "3011", True),  # what it is booked on
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto", "3740", True),  # its rounding
        ("account-unknown 2001304", STOPPED + "Kunde inte hitta konto", "3099", False),
        ("account-inactive 2000550", STOPPED + "Konto 3099 är inte aktivt.", "3099", True),
        ("account-inactive 2000550", "Account 3099 is not active.", "3099", True),
        ("project-mandatory", STOPPED + "Projekt är obligatoriskt på konto 3099.", "3099", True),
        ("cost-centre", STOPPED + "Kostnadsställe är obligatoriskt på konto 3099.", "3099", True),
        ("cost-centre", "Kunde inte hitta kostnadsställe", "3011", False),
        ("default-account-missing 2003095", "Förvalt konto för frakt saknas.", "3520", True),
        ("period-locked 2000401", "Konto 3099", "3099", False),
        ("", "Konto 3099", "3099", False),
    ],
)
def test_an_account_releases_what_failed_for_it(code: str, said: str, number: str, is_released: bool) -> None:
    assert released("account", number, a_failure(code, said)) is is_released


@pytest.mark.parametrize(
    ("said", "number", "is_released"),
    [
        ("Kunde inte hitta kostnadsställe MA", "MA", True),
        ("Kunde inte hitta kostnadsställe MA", "S1", False),
        ("Kunde inte hitta kostnadsställe", "S1", True),
        ("Kostnadsställe är obligatoriskt på konto 3099.", "MA", False),
    ],
)
def test_a_cost_centre_releases_what_failed_for_it(said: str, number: str, is_released: bool) -> None:
    assert released("cost-center", number, a_failure("cost-centre 2000947", said)) is is_released


@pytest.mark.parametrize(
    ("kind", "key", "code", "is_released"),
    [
        ("customer", "acme/customer/7", "HeldByAnother", True),
        ("customer", "acme/customer/7", "customer-deleted 2000637", True),
        ("customer", "acme/customer/7", "value 2000106", False),  # to be mended in Moment
        ("customer", "acme/customer/77", "HeldByAnother", False),
        ("customer", "acme/project/7", "HeldByAnother", False),
        ("project", "acme/project/7", "HeldByAnother", True),
        ("project", "acme/invoice/7", "HeldByAnother", False),
        ("supplier", "acme/invoice/7", "account-unknown", False),
        ("invoice", "acme/invoice/7", "account-unknown", False),
    ],
)
def test_a_customer_or_project_releases_failures_of_its_own_number(
    kind: str, key: str, code: str, is_released: bool
) -> None:
    assert released(kind, "7", a_failure(code, key=key)) is is_released


def test_only_an_invoices_event_has_an_invoice() -> None:
    assert invoice_in(None) is None
    assert invoice_in("nonsense") is None
    assert invoice_in(json.dumps(customer_json())) is None


@pytest.mark.parametrize(
    ("code", "key", "kinds"),
    [
        ("account-unknown 2001", "acme/invoice/1", {"account"}),
        ("cost-centre 2001", "acme/invoice/1", {"account", "cost-center"}),
        ("number-taken 2001", "acme/customer/7", {"customer"}),
        ("HeldByAnother", "acme/project/7", {"project"}),
        ("number-taken 2001", "acme/invoice/1", set()),
        ("period-locked 2001", "acme/invoice/1", set()),
        ("account-unknown 2001", "acme/integration", {"account"}),
    ],
)
def test_what_missed_events_of_a_kind_could_have_mended(code: str, key: str, kinds: set[str]) -> None:
    assert {kind for kind in SITUATIONS if mendable(kind, a_failure(code, key=key))} == kinds


@pytest.mark.parametrize(
    ("path", "numbers", "body", "thing"),
    [
        ("/3/customers", (), {"Customer": {"CustomerNumber": "7"}}, ("customer", "7", "created")),
        ("/3/customers/{number}", ("7",), {"Customer": {"Name": "A"}}, ("customer", "7", "updated")),
        ("/3/projects/{number}", ("1",), {"Project": {}}, ("project", "1", "updated")),
        ("/3/invoices", (), {"Invoice": {"DocumentNumber": 1001}}, ("invoice", "1001", "created")),
        ("/3/invoices/{number}/bookkeep", (1001,), None, ("invoice", "1001", "bookkeep")),
        ("/3/invoices/{number}/cancel", (1001,), None, ("invoice", "1001", "cancelled")),
        ("/3/invoices/{number}/externalprint", (1001,), None, ("invoice", "1001", "updated")),
        ("/3/customers", (), {"Customer": {"Name": "A"}}, None),
        ("/3/inbox", (), object(), None),
        ("/api/fileattachments/attachments-v1", (), [{"entityId": 1}], None),
    ],
)
def test_what_a_request_writes_is_known_by_its_path_and_body(
    path: str, numbers: tuple[str | int, ...], body: object, thing: tuple[str, str, str] | None
) -> None:
    assert thing_written(path, numbers, body) == thing


@pytest.mark.parametrize(
    ("verb", "seconds", "told", "explained"),
    [
        ("updated", 0.5, (), True),
        ("updated", -1.9, (), True),
        ("updated", 2.9, (), True),
        ("updated", 3.1, (), False),
        ("cancelled", 0.5, (), False),  # a person's: we did not cancel it
        ("updated", 0.5, ("write",), False),  # another event told of our write: this one is a person's
    ],
)
def test_a_write_of_ours_explains_one_event_of_its_kind_and_time(
    verb: str, seconds: float, told: tuple[str, ...], explained: bool
) -> None:
    write = f"{NOW.timestamp()} {NOW.timestamp() + 1} updated"
    found = explaining(verb, NOW + timedelta(seconds=seconds), [write], [write for _ in told])
    assert found == (write if explained else None)


@pytest.mark.parametrize(
    ("verb", "fields", "shown"),
    [
        ("created", {}, True),
        ("created", None, False),
        ("updated", {}, True),
        ("bookkeep", {}, False),
        ("bookkeep", {"Booked": True}, True),
        ("bookkeep", {"Cancelled": True}, True),
        ("cancelled", {"Booked": True}, False),
        ("cancelled", {"Cancelled": True}, True),
        ("cancelled", None, True),
    ],
)
def test_a_supplier_invoice_shows_what_the_feed_told_or_is_read_again(
    verb: str, fields: dict[str, bool] | None, shown: bool
) -> None:
    invoice = None if fields is None else SupplierInvoice.model_validate({"GivenNumber": "1", **fields})
    assert shows(invoice, verb) is shown
