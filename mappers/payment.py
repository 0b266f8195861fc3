"""A customer invoice in Fortnox, with its payments → what Moment should have as its payments. Pure. No I/O.

The sum is what Fortnox says is settled: `Total` less `Balance`. What no payment explains of that is a credit note,
where one is linked, else a write-off.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

from fortnox.models import FortnoxInvoice, InvoicePayment
from moment.payments import MomentPayment, PaymentKind

ZERO: Final = Decimal(0)
LEDGER_CURRENCY: Final = "SEK"


def external_id(what: str) -> str:
    """The id in Moment, among the payments of one invoice: `fortnox:3817`."""
    return f"fortnox:{what}"


def needs_currency(invoice: FortnoxInvoice, ledger_currency: str) -> bool:
    """Whether the amounts of a list, which are in the ledger's currency, are not the invoice's."""
    return (invoice.currency or ledger_currency) != ledger_currency


def to_payments(
    invoice: FortnoxInvoice,
    payments: Iterable[InvoicePayment],
    *,
    since: date | None = None,
    today: date,
    ledger_currency: str = LEDGER_CURRENCY,
) -> dict[str, MomentPayment]:
    """What Moment should have, by external id. `since`: what was settled before that day does not count.

    `payments` of an invoice in another currency have their `amount_currency`. `today` is the date of what has none.
    """
    posted = [one for one in payments if one.booked]
    currency = invoice.currency or ledger_currency
    amounts = {one.number: _amount(one, currency, ledger_currency) for one in posted}
    found: dict[str, MomentPayment] = {}

    def add(what: str, kind: PaymentKind, amount: Decimal, on: date) -> None:
        if amount != ZERO and (since is None or on >= since):
            name = external_id(what)
            found[name] = MomentPayment(
                invoice_number=invoice.document_number,
                external_id=name,
                kind=kind,
                date=on,
                amount=amount,
                currency_code=currency,
            )

    for one in posted:
        add(one.number, "payment", amounts[one.number], one.payment_date or today)
    if invoice.balance is None or not invoice.booked or invoice.cancelled:
        return found
    rest = invoice.total - invoice.balance - sum(amounts.values(), ZERO)
    other = invoice.credit_invoice_reference or invoice.invoice_reference
    latest = max((one.payment_date for one in posted if one.payment_date), default=None)
    on = invoice.final_pay_date or latest or today
    if other is not None:
        add(f"credit:{invoice.document_number}", "creditNote", rest, on)
    else:
        add(f"written-off:{invoice.document_number}", "writeOff", rest, on)
    return found


def _amount(payment: InvoicePayment, currency: str, ledger_currency: str) -> Decimal:
    foreign = currency != ledger_currency
    return payment.amount_currency if foreign and payment.amount_currency is not None else payment.amount
