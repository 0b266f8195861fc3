"""Invoices with payments in Fortnox → payments in Moment: the sum is always what Fortnox says is settled."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortnox.models import FortnoxInvoice, InvoicePayment
from mappers.payment import to_payments
from moment.payments import MomentPayment

TODAY = date(2026, 11, 28)


def an_invoice(**fields: Any) -> FortnoxInvoice:
    given = {"DocumentNumber": "1001", "CustomerNumber": "10001", "Total": 125, "Balance": 125, "Booked": True}
    return FortnoxInvoice.model_validate({**given, "Currency": "SEK", **fields})


def a_payment(number: str = "7", amount: Any = 100, **fields: Any) -> InvoicePayment:
    given = {"Number": number, "InvoiceNumber": 1001, "Amount": amount, "PaymentDate": "2026-11-24", "Booked": True}
    return InvoicePayment.model_validate({**given, **fields})


def mapped(invoice: FortnoxInvoice, *payments: InvoicePayment, **rules: Any) -> dict[str, MomentPayment]:
    return to_payments(invoice, payments, today=TODAY, **rules)


def amounts(found: dict[str, MomentPayment]) -> dict[str, tuple[str, Decimal]]:
    return {name: (one.kind, one.amount) for name, one in found.items()}


def test_a_payment_has_its_number_date_amount_and_currency() -> None:
    (payment,) = mapped(an_invoice(Balance=25), a_payment()).values()
    assert payment.fields() == {"kind": "payment", "date": "2026-11-24", "amount": "100.00", "currencyCode": "SEK"}
    assert (payment.invoice_number, payment.external_id) == ("1001", "fortnox:7")


def test_an_unposted_payment_is_none() -> None:
    assert mapped(an_invoice(), a_payment(Booked=False)) == {}


def test_what_is_settled_beside_payments_is_written_off_or_credited() -> None:
    written_off = mapped(an_invoice(Balance=0, FinalPayDate="2026-11-25"), a_payment(amount="124.60"))
    assert amounts(written_off) == {
        "fortnox:7": ("payment", Decimal("124.60")),
        "fortnox:written-off:1001": ("writeOff", Decimal("0.40")),
    }
    assert written_off["fortnox:written-off:1001"].date == date(2026, 11, 25)
    credited = mapped(an_invoice(Balance=25, CreditInvoiceReference="1002"))
    assert amounts(credited) == {"fortnox:credit:1001": ("creditNote", Decimal(100))}
    note = mapped(an_invoice(DocumentNumber="1002", Total=-100, Balance=0, InvoiceReference="1001"))
    assert amounts(note) == {"fortnox:credit:1002": ("creditNote", Decimal(-100))}


def test_a_foreign_payment_counts_in_the_invoices_currency() -> None:
    payment = a_payment(amount="1437.50", AmountCurrency=125, Currency="EUR")
    (found,) = mapped(an_invoice(Currency="EUR", Balance=0), payment).values()
    assert (found.amount, found.currency_code) == (125, "EUR")


def test_what_was_settled_before_the_chosen_day_does_not_count() -> None:
    payments = (a_payment("7", 50, PaymentDate="2026-10-31"), a_payment("8", 50))
    found = mapped(an_invoice(Balance=25), *payments, since=date(2026, 11, 1))
    assert list(found) == ["fortnox:8"]


@pytest.mark.parametrize("fields", [{"Booked": False}, {"Cancelled": True}, {"Balance": None}])
def test_the_balance_of_an_invoice_that_is_not_in_the_books_says_nothing(fields: dict[str, Any]) -> None:
    assert mapped(an_invoice(**{"Balance": 0, **fields})) == {}


MONEY = st.decimals(min_value=-1000, max_value=1000, places=2)


@given(total=MONEY, balance=MONEY, paid=st.lists(MONEY, max_size=5))
def test_the_sum_is_what_fortnox_says_is_settled(total: Decimal, balance: Decimal, paid: list[Decimal]) -> None:
    payments = [a_payment(str(n), str(amount)) for n, amount in enumerate(paid)]
    found = mapped(an_invoice(Total=str(total), Balance=str(balance)), *payments)
    assert sum((one.amount for one in found.values()), Decimal(0)) == total - balance
    assert len({one.digest + name for name, one in found.items()}) == len(found)
