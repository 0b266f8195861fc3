"""From Moment's invoice or credit note to Fortnox's. Pure. No I/O."""

from dataclasses import dataclass
from decimal import Decimal

from fortnox.payloads import InvoicePayload
from mappers.errors import BadCreditNote, NoCurrencyRate
from mappers.mapped import LEFT_OUT, LeftOut, Mapped, Maybe, Notice, sent
from mappers.numbers import customer_number, project_number
from mappers.rows import to_rows
from mappers.text import fitted, is_allowed
from messages import Message
from moment.events import Invoice

LEDGER_CURRENCY = "SEK"  # Fortnox keeps its books in kronor


@dataclass(frozen=True, slots=True)
class InvoiceOptions:
    """The company's settings, and what was looked up for this invoice."""

    rounding_account: str = "3740"
    swap_references: bool = False
    currency_rate: Decimal | None = None  # from Fortnox's register, if the event has none


def to_invoice(invoice: Invoice, options: InvoiceOptions = InvoiceOptions()) -> Mapped[InvoicePayload]:
    """Return the invoice's payload. Its rows add up to the billed total, to the öre.

    Raises `BadNumber`, `BadCreditNote`, `NoCurrencyRate`, `TotalsDiffer` and `TooManyRows`.
    """
    notices: list[Notice] = []
    credit = _is_credit_note(invoice)
    ours, theirs = invoice.your_reference, invoice.their_reference
    if options.swap_references:
        ours, theirs = theirs, ours
    credited = LEFT_OUT if invoice.credited_invoice_number is None else str(invoice.credited_invoice_number)
    _check_due_date(invoice, credit, notices)
    fields = {
        "document_number": invoice.invoice_number,
        "customer_number": customer_number("invoice.customer.customerNumber", invoice.customer.customer_number),
        "invoice_date": invoice.invoice_date,
        "due_date": invoice.due_date,
        "currency": invoice.currency_code,
        "currency_rate": (rate := _currency_rate(invoice, options)),
        "currency_unit": rate if rate is LEFT_OUT else 1,  # the rate is for one unit, whatever the register's unit
        "vat_included": False,
        "freight": Decimal(0),
        "administration_fee": Decimal(0),
        "ocr": _ocr(invoice.payment_id, notices),
        "our_reference": _text(ours, 50),
        "your_reference": _text(theirs, 50),
        "project": _project(invoice),
        "cost_center": None,
        "remarks": fitted(invoice.description or "", 1024, lines=True) or None,
        "external_invoice_reference1": str(invoice.id),
        "external_invoice_reference2": credited,
        "credit_invoice_reference": credited,
        "invoice_rows": to_rows(invoice, credit=credit, rounding_account=options.rounding_account),
    }
    return Mapped(InvoicePayload(**sent(fields)), tuple(notices))


def _is_credit_note(invoice: Invoice) -> bool:
    """Whether it names the invoice it credits, or (a credit note without an original) has a negative total."""
    if invoice.credited_invoice_number is None:
        return invoice.total_including_vat < 0
    if invoice.total_including_vat > 0:
        raise BadCreditNote(
            "invoice.totalIncludingVat",
            str(invoice.total_including_vat),
            Message("invoice.credit-note-positive", number=str(invoice.credited_invoice_number)),
            Message("invoice.credit-note-positive.remedy"),
        )
    if invoice.credited_invoice_number == invoice.invoice_number:
        raise BadCreditNote(
            "invoice.creditedInvoiceNumber",
            str(invoice.credited_invoice_number),
            Message("invoice.credits-itself"),
            Message("invoice.credits-itself.remedy"),
        )
    return True


def _currency_rate(invoice: Invoice, options: InvoiceOptions) -> Decimal | LeftOut:
    if invoice.currency_code == LEDGER_CURRENCY:
        return LEFT_OUT
    rate = invoice.currency_rate or options.currency_rate
    if rate is None:
        raise NoCurrencyRate(
            "invoice.currencyRate",
            invoice.currency_code,
            Message("invoice.no-currency-rate"),
            Message("invoice.no-currency-rate.remedy", currency=invoice.currency_code),
        )
    return rate


def _ocr(payment_id: str | None, notices: list[Notice]) -> Maybe:
    """Return the payment id as Moment gives it, but for spaces, which are how it is printed.

    Without one, Fortnox gives the invoice a number of its own, which nobody is sent.
    """
    number = "".join((payment_id or "").split())
    if payment_id and not is_allowed(number):
        message = Message("invoice.payment-id-characters", value=payment_id)
        notices.append(Notice("invoice.paymentId", payment_id, message))
        return LEFT_OUT
    return number or LEFT_OUT


def _check_due_date(invoice: Invoice, credit: bool, notices: list[Notice]) -> None:
    """Add a notice about an odd due date. It is sent as it is: a finalized invoice cannot be changed in Moment."""
    if invoice.due_date < invoice.invoice_date and not credit:
        message = Message("invoice.due-before-date", due=invoice.due_date, date=invoice.invoice_date)
        notices.append(Notice("invoice.dueDate", invoice.due_date.isoformat(), message))


def _project(invoice: Invoice) -> str | None:
    if invoice.project is None:
        return None
    return project_number("invoice.project.projectNumber", invoice.project.project_number)


def _text(value: str | None, limit: int) -> str | None:
    return fitted(value or "", limit) or None
