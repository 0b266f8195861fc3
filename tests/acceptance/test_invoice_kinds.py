"""Foreign currency, customers without Swedish VAT, and very long invoices, through real processes."""

from decimal import Decimal
from typing import Any

import pytest

from messages.catalogue import say
from tests.acceptance.conftest import System
from tests.acceptance.invoices import an_invoice_of, change, requests_to, the_invoice
from tests.unit.factories import a_line, customer_json, invoice_json, project_json
from tests.waiting import wait_until

SALES = range(3600, 3725)


@pytest.mark.parametrize(("given", "rate"), [("11.4875", "11.4875"), (None, "11.42")])
def test_a_foreign_invoice_has_the_events_rate_or_else_that_of_fortnoxs_register(
    system: System, given: str | None, rate: str
) -> None:
    company = f"euro-{'given' if given else 'register'}"
    assert an_invoice_of(system, company, currency_code="EUR", currency_rate=given).status == "done"
    found = the_invoice(system, company)
    assert (found["Currency"], found["CurrencyUnit"], found["Booked"]) == ("EUR", 1, True)
    assert Decimal(str(found["CurrencyRate"])) == Decimal(rate)
    assert Decimal(str(found["Total"])) == Decimal("12500.00")
    assert requests_to(system, company).count("GET /3/currencies/EUR") == (0 if given else 1)


def test_a_currency_that_nobody_has_a_rate_for_is_stopped_before_anything_is_sent(system: System) -> None:
    failed = an_invoice_of(system, "peso", currency_code="MXN")
    assert (failed.status, failed.code) == ("failed", "NoCurrencyRate")
    assert "MXN" in say(failed.reason)
    assert system.ledger("peso")["invoices"] == []


def test_a_yen_is_not_posted_for_a_hundredth_where_fortnox_keeps_the_unit_of_its_register(system: System) -> None:
    failed = an_invoice_of(
        system, "yen", currency_code="JPY", currency_rate="0.0691", tenant={"currency_unit_on_create": "ignored"}
    )
    assert (failed.status, failed.code) == ("failed", "NotAsBilled")
    assert "Currency rate: 0.000691 in Fortnox, 0.0691 in Moment" in say(failed.reason)
    assert not the_invoice(system, "yen")["Booked"]


def test_an_invoice_whose_answer_was_lost_is_compared_with_what_it_was_created_by(system: System) -> None:
    """Neither the register's new rate nor the company's new rounding account is what it was sent with."""
    company = "lost-answer"
    system.connect(company)
    system.app.services.stores.company_settings.change(company, {"rounding_account": "3050"})
    system.publish(customer_json(company=company), project_json(company=company))
    system.settled(company, "e2")
    system.stack.sandbox.fault("drop_response_after_write", tenant=company, method="POST", path="/3/invoices")
    system.stack.sandbox.fault("fail_next", status=503, tenant=company, method="GET", path="/3/invoices", count=2)
    rounded = {"lines": [a_line(amount_excluding_vat="10000.32")], "total_including_vat": "12500.00"}
    system.publish(invoice_json(company=company, attachments=[], currency_code="EUR", **rounded))
    event = system.app.services.ordering.event
    wait_until(lambda: (e := event(company, "e3")) and e.status == "retrying", what="the lost answer")
    system.stack.sandbox.post("currencies", {"tenant": company, "code": "EUR", "rate": "11.50"})
    system.app.services.stores.company_settings.change(company, {"rounding_account": "3740"})
    assert system.settled_at_once(company, "e3").status == "done"
    found = the_invoice(system, company)
    assert (Decimal(str(found["CurrencyRate"])), found["InvoiceRows"][-1]["AccountNumber"]) == (Decimal("11.42"), 3050)
    assert found["writes"] == {"POST": 1, "bookkeep": 1}


@pytest.mark.parametrize(
    ("vat_type", "account", "country"),
    [("SEREVERSEDVAT", "3041", "SE"), ("EUREVERSEDVAT", "3308", "DE"), ("EXPORT", "3305", "NO")],
)
def test_reverse_charge_and_export_customers_are_billed_without_vat(
    system: System, vat_type: str, account: str, country: str
) -> None:
    company = vat_type.lower()
    system.connect(company)
    system.publish(customer_json(company=company, address={"country_code": country}, organization_number=None))
    system.settled(company, "e1")
    change(system, company, "PUT", "/3/customers/10001", {"Customer": {"VATType": vat_type}})
    system.publish(
        project_json(company=company),
        invoice_json(
            company=company,
            attachments=[],
            lines=[a_line(account_number=account, vat_percentage="0")],
            total_including_vat="10000.00",
        ),
    )
    assert system.settled(company, "e3").status == "done"
    found = the_invoice(system, company)
    assert (found["Booked"], Decimal(str(found["Total"])), Decimal(str(found["TotalVAT"]))) == (True, 10000, 0)


def many_lines(rows: int) -> list[dict[str, Any]]:
    """Two lines for each row that they are grouped into."""
    groups = [(account, rate) for account in SALES for rate in ("25", "12", "6", "0")]
    groups += [(account, "25") for account in range(3010, 3013)]
    return [
        a_line(account_number=str(account), vat_percentage=rate, amount_excluding_vat="50.00")
        for account, rate in groups[:rows] * 2
    ]


def total_of(lines: list[dict[str, Any]]) -> str:
    return str(sum(50 + Decimal(line["vatPercentage"]) / 2 for line in lines))


def test_500_rows_after_grouping_are_posted(system: System) -> None:
    system.connect("long")
    for account in SALES:
        system.stack.sandbox.account("long", account)
    lines = many_lines(500)
    system.publish(
        customer_json(company="long"),
        project_json(company="long"),
        invoice_json(company="long", attachments=[], lines=lines, total_including_vat=total_of(lines)),
    )
    assert system.settled("long", "e3").status == "done"
    found = the_invoice(system, "long")
    assert (len(found["InvoiceRows"]), found["Booked"]) == (500, True)
    assert Decimal(str(found["Total"])) == Decimal(total_of(lines))


def test_501_rows_are_stopped_with_a_clear_error_before_anything_is_sent(system: System) -> None:
    lines = many_lines(501)
    failed = an_invoice_of(system, "toolong", lines=lines, total_including_vat=total_of(lines))
    assert (failed.status, failed.code) == ("failed", "TooManyRows")
    assert "1002 lines" in say(failed.reason)
    assert "501 rows" in say(failed.reason)
    assert "at most 500" in say(failed.reason)
    assert system.ledger("toolong")["invoices"] == []
