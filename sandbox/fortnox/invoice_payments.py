"""`/3/invoicepayments`: what customers have paid. People register payments; the API here only reads them.

`Amount` is in the ledger's currency, `AmountCurrency` in the payment's; lists have only the first. A payment that was
deleted leaves no trace in a list.
"""

from decimal import Decimal
from typing import Final

from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Invoice, Ledger, Payment
from sandbox.fortnox.listing import Listing, refuse_parameters
from sandbox.http import Answer, Call, Json, answer_json


def enter(ledger: Ledger, given: dict[str, Json]) -> Payment:
    """Register or change a payment as a person would. Raises ValueError and KeyError."""
    number = str(given.pop("number", "") or ledger.next_payment())
    known = ledger.payments.get(number)
    invoice = ledger.invoices[str(given.pop("invoice"))] if known is None else ledger.invoices[known.invoice]
    payment = known or Payment(
        number, invoice.number, Decimal(0), ledger.clock.today(), invoice.header["Currency"], Decimal(1), ""
    )
    payment.amount = Decimal(given.pop("amount", payment.amount))
    payment.date = str(given.pop("date", payment.date))
    payment.rate = Decimal(given.pop("rate", invoice.header["CurrencyRate"] if known is None else payment.rate))
    payment.written_off = Decimal(given.pop("written_off", payment.written_off))
    wanted = bool(given.pop("booked", True))
    if given:
        raise ValueError(f"unknown in a payment: {', '.join(sorted(given))}")
    ledger.payments[number] = payment
    if wanted:
        book(ledger, payment)
    else:
        unbook(ledger, payment)
    return payment


def book(ledger: Ledger, payment: Payment) -> None:
    payment.booked = True
    _changed(ledger, payment)
    ledger.tell("invoicepayment-bookkeep", payment.number)


def unbook(ledger: Ledger, payment: Payment) -> None:
    payment.booked = False
    _changed(ledger, payment)


def remove(ledger: Ledger, payment: Payment) -> None:
    del ledger.payments[payment.number]
    _changed(ledger, payment)
    ledger.tell("invoicepayment-deleted", payment.number)


def _changed(ledger: Ledger, payment: Payment) -> None:
    payment.modified = ledger.clock.minute()
    if ledger.settings.payments_change_invoice:
        ledger.invoices[payment.invoice].modified = payment.modified


def balance(ledger: Ledger, invoice: Invoice) -> Decimal:
    """What is left to pay: the total less posted payments and credit notes."""
    if invoice.cancelled:
        return Decimal(0)
    paid = sum((one.amount + one.written_off for one in ledger.payments_of(invoice.number) if one.booked), Decimal(0))
    return invoice.sums.total - paid - _credited(ledger, invoice)


def _credited(ledger: Ledger, invoice: Invoice) -> Decimal:
    """How much of it posted credit notes settle; of a credit note, negative: what it settles of its invoice."""
    if not ledger.settings.credit_notes_settle:
        return Decimal(0)
    if (original := ledger.invoices.get(invoice.invoice_reference)) is not None:
        return invoice.sums.total if invoice.booked and original.booked else Decimal(0)
    notes = (one for one in ledger.invoices.values() if one.invoice_reference == invoice.number and one.booked)
    return -sum((note.sums.total for note in notes), Decimal(0)) if invoice.booked else Decimal(0)


def paid_on(ledger: Ledger, invoice: Invoice) -> str | None:
    """`FinalPayDate`."""
    if not invoice.booked or balance(ledger, invoice) != 0 or invoice.sums.total == 0:
        return None
    dates = [one.date for one in ledger.payments_of(invoice.number) if one.booked]
    return max(dates, default=ledger.clock.today())


def shown(ledger: Ledger, payment: Payment) -> Json:
    """The payment as GET shows it."""
    invoice = ledger.invoices[payment.invoice]
    return {
        "@url": f"https://api.fortnox.se/3/invoicepayments/{payment.number}",
        "Amount": round(payment.amount * payment.rate, 2),
        "AmountCurrency": payment.amount,
        "Booked": payment.booked,
        "Currency": payment.currency,
        "CurrencyRate": payment.rate,
        "CurrencyUnit": 1,
        "ExternalInvoiceReference1": invoice.header["ExternalInvoiceReference1"],
        "ExternalInvoiceReference2": invoice.header["ExternalInvoiceReference2"],
        "InvoiceCustomerName": invoice.header["CustomerName"],
        "InvoiceCustomerNumber": invoice.header["CustomerNumber"],
        "InvoiceDueDate": invoice.header["DueDate"],
        "InvoiceNumber": int(payment.invoice),
        "InvoiceOCR": invoice.header["OCR"],
        "InvoiceTotal": str(invoice.sums.total),
        "ModeOfPayment": "BG",
        "ModeOfPaymentAccount": 1930,
        "Number": payment.number,
        "PaymentDate": payment.date,
        "Source": "manual",
        "VoucherNumber": None,
        "VoucherSeries": None,
        "VoucherYear": None,
        "WriteOffs": [{"Amount": payment.written_off, "AccountNumber": 3740}] if payment.written_off else [],
    }


def _list_item(ledger: Ledger, payment: Payment) -> Json:
    whole = shown(ledger, payment)
    names = ("@url", "Amount", "Booked", "Currency", "CurrencyRate", "CurrencyUnit", "InvoiceNumber", "Number",
             "PaymentDate", "Source")  # fmt: skip
    return {**{name: whole[name] for name in names}, "WriteOffExist": bool(whole["WriteOffs"])}


LIST: Final = Listing[Payment](
    wrapper="InvoicePayments",
    item=_list_item,
    modified=lambda payment: payment.modified,
    order=lambda payment: int(payment.number),
    matches={"invoicenumber": lambda payment, value: payment.invoice == value},
    sortable={"paymentdate": lambda payment: payment.date},
)


def listed(ledger: Ledger, call: Call) -> Answer:
    return LIST.answer(ledger, call, list(ledger.payments.values()))


def read(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    payment = ledger.payments.get(call.params["Number"])
    if payment is None:
        raise Refused(2000729, "Kan inte hitta inbetalningen.", 404)
    return answer_json({"InvoicePayment": shown(ledger, payment)})


ENDPOINTS: Final = (
    Endpoint("GET", "/3/invoicepayments", listed, "payment"),
    Endpoint("GET", "/3/invoicepayments/{Number}", read, "payment"),
)
