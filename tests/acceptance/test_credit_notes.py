"""Credit notes through real processes: whole, partial, several, with and without an original."""

from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.conftest import System
from tests.acceptance.invoices import an_invoice_of, change, requests_to
from tests.unit.factories import a_line, credit_note_json, customer_json, project_json
from tests.waiting import wait_until


def credits(system: System, company: str, number: int, amount: str = "-10000.00", **fields: Any) -> dict[str, Any]:
    """A credit note of this amount, excluding 25 % VAT, transferred and posted; as it is in Fortnox."""
    total = str(Decimal(amount) * Decimal("1.25"))
    event = f"k{number}"
    given = {
        "invoice_number": number,
        "id": 700_000 + number,
        "lines": [a_line(amount_excluding_vat=amount)],
        "total_including_vat": total,
    }
    system.publish(credit_note_json(company=company, event_id=event, **given | fields))
    settled = system.settled(company, event)
    assert settled.status == "done", settled.reason
    found = invoices(system, company)[number]
    assert found["Booked"]
    assert found["writes"] == {"POST": 1, "bookkeep": 1}
    assert Decimal(str(found["Total"])) == Decimal(total)
    return found


def invoices(system: System, company: str) -> dict[int, dict[str, Any]]:
    return {int(one["DocumentNumber"]): one for one in system.ledger(company)["invoices"]}


def told_in_the_log(system: System, company: str) -> list[str]:
    log = (system.stack.logs / "worker.log").read_text().splitlines()
    return [line for line in log if "invoice.credit_not_linked" in line and company in line]


def ready(system: System, company: str, **tenant: Any) -> None:
    """A company with a customer and a project, and no invoice."""
    system.connect(company, **tenant)
    system.publish(customer_json(company=company), project_json(company=company))


def test_partial_credits_of_one_invoice_each_name_it_and_carry_their_own_payment_id(system: System) -> None:
    assert an_invoice_of(system, "partial", payment_id="10017").status == "done"
    notes = [
        credits(system, "partial", number, amount, payment_id=f"{number}9")
        for number, amount in ((1002, "-2500.00"), (1003, "-2500.00"), (1004, "-5000.00"))
    ]
    for note in notes:
        assert (note["InvoiceReference"], note["ExternalInvoiceReference2"]) == ("1001", "1001")
        assert note["Credit"] == "true"
        assert note["OCR"] == f"{note['DocumentNumber']}9"
        assert note["InvoiceRows"][0]["DeliveredQuantity"] == "-1"
    assert sum(Decimal(str(one["Total"])) for one in invoices(system, "partial").values()) == 0
    assert told_in_the_log(system, "partial") == []


def test_a_credit_note_without_an_original_is_posted(system: System) -> None:
    ready(system, "loose")
    note = credits(system, "loose", 1002, credited_invoice_number=None)
    assert (note["InvoiceReference"], note["ExternalInvoiceReference2"], note["Credit"]) == ("0", "", "true")


def test_an_invoice_from_before_the_integration_that_is_in_fortnox_is_credited(system: System) -> None:
    ready(system, "before")
    system.settled("before", "e1")
    old = {
        "DocumentNumber": "900",
        "CustomerNumber": "10001",
        "InvoiceRows": [{"AccountNumber": 3010, "Price": 10000, "DeliveredQuantity": "1", "VAT": 25}],
    }
    change(system, "before", "POST", "/3/invoices", {"Invoice": old})
    assert credits(system, "before", 1002, credited_invoice_number=900)["InvoiceReference"] == "900"


def test_an_invoice_from_before_the_integration_that_is_not_in_fortnox_is_credited_and_the_log_says_so(
    system: System,
) -> None:
    ready(system, "elsewhere")
    note = credits(system, "elsewhere", 1002, credited_invoice_number=900)
    assert (note["InvoiceReference"], note["ExternalInvoiceReference2"]) == ("0", "900")
    (line,) = told_in_the_log(system, "elsewhere")
    assert "900" in line


def test_another_customers_invoice_from_before_the_integration_is_not_credited_and_the_log_says_so(
    system: System,
) -> None:
    ready(system, "strangers")
    system.publish(customer_json(company="strangers", event_id="c2", customer_number="77"))
    system.settled("strangers", "c2")
    old = {"DocumentNumber": "900", "CustomerNumber": "77", "InvoiceRows": []}
    change(system, "strangers", "POST", "/3/invoices", {"Invoice": old})
    note = credits(system, "strangers", 1002, credited_invoice_number=900)
    assert (note["InvoiceReference"], note["ExternalInvoiceReference2"]) == ("0", "900")
    assert invoices(system, "strangers")[900]["CreditInvoiceReference"] == "0"
    (line,) = told_in_the_log(system, "strangers")
    assert "900" in line


def test_a_credit_note_of_an_invoice_of_ours_costs_what_an_invoice_costs(system: System) -> None:
    assert an_invoice_of(system, "cost-credit").status == "done"
    before = len(requests_to(system, "cost-credit"))
    credits(system, "cost-credit", 1002)
    assert requests_to(system, "cost-credit")[before:] == ["POST /3/invoices", "PUT /3/invoices/1002/bookkeep"]


@pytest.mark.parametrize("how", ["ignored", "refused", "once"])
def test_a_fortnox_that_does_not_link_a_credit_note_still_gets_it_and_the_log_says_so(system: System, how: str) -> None:
    assert an_invoice_of(system, how, tenant={"credit_reference_on_create": how}).status == "done"
    first = credits(system, how, 1002, "-2500.00")
    second = credits(system, how, 1003, "-2500.00")
    assert first["InvoiceReference"] == ("1001" if how == "once" else "0")
    assert second["InvoiceReference"] == "0"
    assert second["ExternalInvoiceReference2"] == "1001"
    assert len(told_in_the_log(system, how)) == (1 if how == "once" else 2)
    assert requests_to(system, how).count("POST /3/invoices") == {"ignored": 3, "refused": 5, "once": 4}[how]


def test_a_credit_note_waits_for_its_original_and_goes_on_when_that_is_mended(system: System) -> None:
    assert an_invoice_of(system, "waits", lines=[a_line(account_number="3599")]).status == "failed"
    system.publish(credit_note_json(company="waits"))
    assert system.settled("waits", "e5").status == "held"
    system.stack.sandbox.account("waits", 3599)
    assert system.run("events", "retry", "waits", "e3").returncode == 0
    assert system.settled_at_once("waits", "e3").status == "done"
    assert went_on(system, "waits", "e5") == "done"
    assert invoices(system, "waits")[1002]["InvoiceReference"] == "1001"


def went_on(system: System, company: str, event_id: str) -> str:
    """Its status, once it is no longer held."""

    def look() -> str:
        event = system.app.services.ordering.event(company, event_id)
        return event.status if event is not None and event.status in ("done", "failed") else ""

    return wait_until(look, what="the credit note to go on")
