"""The stand-in's invoice payments, and what they change in an invoice."""

from typing import Any

import pytest

from tests.sandbox.sandbox_client import Ledger, Sandbox


@pytest.fixture
def posted(shop: Ledger) -> Ledger:
    """A ledger with the posted invoice 1001 of 125 kronor."""
    assert shop.invoice("1001").status_code == 201
    assert shop.act("1001", "bookkeep").status_code == 200
    return shop


def _invoice(ledger: Ledger, number: str = "1001") -> Any:
    return ledger.get(f"/3/invoices/{number}").json()["Invoice"]


def test_payments_reduce_the_balance_and_the_last_one_sets_the_final_day(sandbox: Sandbox, posted: Ledger) -> None:
    sandbox.control("invoicepayments", tenant="acme", invoice="1001", amount="100", date="2026-11-24")
    assert (_invoice(posted)["Balance"], _invoice(posted)["FinalPayDate"]) == (25, None)

    sandbox.control("invoicepayments", tenant="acme", invoice="1001", amount="25", date="2026-11-26")

    assert (_invoice(posted)["Balance"], _invoice(posted)["FinalPayDate"]) == (0, "2026-11-26")
    listed = posted.get("/3/invoicepayments", lastmodified="2026-01-01 00:00").json()["InvoicePayments"]
    assert [(one["Number"], one["InvoiceNumber"], one["Amount"]) for one in listed] == [
        ("1", 1001, 100),
        ("2", 1001, 25),
    ]


def test_an_unposted_payment_pays_nothing_and_a_deleted_one_is_gone(sandbox: Sandbox, posted: Ledger) -> None:
    sandbox.control("invoicepayments", tenant="acme", invoice="1001", amount="125", booked=False)
    assert _invoice(posted)["Balance"] == 125
    sandbox.control("invoicepayments/1/book", tenant="acme")
    assert _invoice(posted)["Balance"] == 0

    sandbox.clear("invoicepayments/1", tenant="acme")

    assert _invoice(posted)["Balance"] == 125
    assert posted.get("/3/invoicepayments/1").status_code == 404


def test_a_posted_credit_note_settles_its_invoice(sandbox: Sandbox, posted: Ledger) -> None:
    posted.act("1001", "credit")
    note = _invoice(posted)["CreditInvoiceReference"]
    assert _invoice(posted)["Balance"] == 125

    posted.act(note, "bookkeep")

    assert (_invoice(posted)["Balance"], _invoice(posted, note)["Balance"]) == (0, 0)


def test_a_foreign_payment_has_its_amount_in_both_currencies(sandbox: Sandbox, posted: Ledger) -> None:
    posted.invoice("1002", Currency="EUR", CurrencyRate=11.5)
    posted.act("1002", "bookkeep")
    sandbox.control("invoicepayments", tenant="acme", invoice="1002", amount="125")

    payment = posted.get("/3/invoicepayments/1").json()["InvoicePayment"]

    assert (payment["AmountCurrency"], payment["Currency"], payment["Amount"]) == (125, "EUR", 1437.5)
