"""Fortnox's answers are read tolerantly; what is sent is written exactly."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from fortnox import models as m
from fortnox.client import fortnox_minute, many, one
from fortnox.oauth import OAuth, tenant_id_of
from fortnox.transport import _filled, json_bytes

INVOICE = {"DocumentNumber": "1001", "CustomerNumber": "10001", "Total": 12500}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1234.50", Decimal("1234.50")),
        (1234, Decimal(1234)),
        (Decimal("0.1"), Decimal("0.1")),
        ("", None),
        (None, None),
    ],
)
def test_an_amount_comes_as_text_or_number(given: Any, expected: Decimal | None) -> None:
    found = m.SupplierInvoiceListItem.model_validate({"GivenNumber": "1", "Total": given})

    assert found.total == expected


@pytest.mark.parametrize("name", ["Cancel", "Cancelled"])
def test_a_cancelled_supplier_invoice_is_one_under_both_names(name: str) -> None:
    assert m.SupplierInvoice.model_validate({"GivenNumber": 7, name: True}).cancelled


@pytest.mark.parametrize(("given", "expected"), [(None, None), ("", None), ("0", None), (0, None), (1001, "1001")])
def test_no_credited_invoice_has_many_spellings(given: Any, expected: str | None) -> None:
    found = m.FortnoxInvoice.model_validate({**INVOICE, "CreditInvoiceReference": given})

    assert found.credit_invoice_reference == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("true", True), ("false", False), (True, True), ("", False), (None, False)]
)
def test_a_flag_may_be_text(given: Any, expected: bool) -> None:
    assert m.FortnoxInvoice.model_validate({**INVOICE, "Credit": given}).credit is expected


def test_numbers_of_documents_are_text_whatever_they_come_as() -> None:
    found = m.FortnoxInvoice.model_validate({**INVOICE, "DocumentNumber": 1001, "Unknown": {"x": 1}})

    assert found.document_number == "1001"


def test_an_invoice_without_a_total_cannot_be_verified_so_it_is_not_read() -> None:
    with pytest.raises(ValidationError):
        m.FortnoxInvoice.model_validate({"DocumentNumber": "1001", "CustomerNumber": "10001"})


def test_an_empty_date_is_none() -> None:
    found = m.FortnoxProject.model_validate({"ProjectNumber": "1", "EndDate": "", "StartDate": "2026-01-01"})
    assert found == m.FortnoxProject(project_number="1", start_date=date(2026, 1, 1))


def test_a_currency_without_a_rate_has_none_rather_than_one() -> None:
    assert m.Currency.model_validate({"Code": "EUR", "SellRate": 0, "BuyRate": ""}).rate is None
    assert m.Currency.model_validate({"Code": "EUR", "SellRate": "11.42"}).rate == Decimal("11.42")


def test_a_rate_is_for_one_of_the_currency_even_where_the_register_counts_in_hundreds() -> None:
    assert m.Currency.model_validate({"Code": "JPY", "SellRate": "6.95", "Unit": 100}).rate == Decimal("0.0695")


@pytest.mark.parametrize("document", [None, [], {}, {"Customers": {}}, {"Customer": None}, {"Customer": {"Name": "x"}}])
def test_an_answer_of_another_shape_is_a_value_error(document: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        one("Customer", m.FortnoxCustomer)(document)


@pytest.mark.parametrize("document", [{"Invoices": None}, {"Invoices": {}}, {"Invoices": [1]}, {}])
def test_a_list_of_another_shape_is_a_value_error(document: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        many("Invoices", m.InvoiceListItem)(document)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"Price": Decimal("1250.10")}, '{"Price": 1250.10}'),
        ({"Price": Decimal("0.1") + Decimal("0.2")}, '{"Price": 0.3}'),
        ({"Price": Decimal("123456789012.34")}, '{"Price": 123456789012.34}'),
        ({"Date": date(2026, 11, 22)}, '{"Date": "2026-11-22"}'),
        ({"Name": "Åsa"}, '{"Name": "Åsa"}'),
        ([], "[]"),
    ],
)
def test_json_is_written_digit_by_digit(document: Any, text: str) -> None:
    assert json_bytes(document).decode() == text


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_what_is_not_json_is_not_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        json_bytes({"x": value})


@pytest.mark.parametrize(
    ("number", "path"),
    [("10001", "/3/customers/10001"), ("A/B 1", "/3/customers/A%2FB%201"), ("å?#", "/3/customers/%C3%A5%3F%23")],
)
def test_a_number_in_a_path_is_percent_encoded(number: str, path: str) -> None:
    assert _filled("/3/customers/{number}", (number,)) == path


@pytest.mark.parametrize("number", ["", ".", ".."])
def test_a_number_that_would_name_another_resource_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        _filled("/3/customers/{number}", (number,))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 22, 9, 0, 59, tzinfo=UTC), "2026-11-22 10:00"),
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "2026-07-02 00:30"),
        # the hour that autumn repeats: 02:30 happens at 00:30 and at 01:30 UTC, and 01:30 covers both
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25 01:30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25 01:30"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "2026-10-25 03:30"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29 03:00"),
    ],
)
def test_last_modified_is_stockholms_minute_and_never_too_late(moment: datetime, expected: str) -> None:
    assert fortnox_minute(moment) == expected


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        fortnox_minute(datetime(2026, 11, 22))  # noqa: DTZ001 -- the case itself


@pytest.mark.parametrize(
    ("token", "tenant"),
    [
        ("e30.eyJ0ZW5hbnRJZCI6MTIzfQ.x", 123),
        ("e30.eyJ0ZW5hbnRJZCI6IjEyMyJ9.x", 123),
        ("e30.e30.x", None),
        ("opaque", None),
        ("a.!!!.c", None),
        ("a.AAAA.c", None),
        ("", None),
    ],
)
def test_the_tenant_is_read_from_the_token_where_it_is_there(token: str, tenant: int | None) -> None:
    assert tenant_id_of(token) == tenant


def test_the_address_to_consent_at_names_scopes_state_and_the_service_account() -> None:
    back, scopes = "https://us.example/back?x=1", ["customer", "invoice"]
    oauth = OAuth("https://apps.fortnox.se", "me", SecretStr("s3cret"), redirect_uri=back)

    plain = oauth.authorize_url("st&te", scopes)
    service = oauth.authorize_url("state", scopes, service_account=True)

    assert plain == (
        "https://apps.fortnox.se/oauth-v1/auth?client_id=me&redirect_uri=https%3A%2F%2Fus.example%2Fback%3Fx%3D1"
        "&scope=customer+invoice&state=st%26te&access_type=offline&response_type=code"
    )
    assert service.endswith("&account_type=service")
    assert "s3cret" not in plain + service + repr(oauth)
