"""Compares an invoice in Fortnox with what Moment billed, and lists each difference with both figures. Pure. No I/O.

Rows are compared by what they book: the sum on each account, at each VAT rate, on each project. Their order, a row that
was split in two, and rows that book nothing (text) make no difference.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from fortnox.models import NO_RIGHT, FortnoxInvoice, FortnoxModel, InvoiceRow
from fortnox.payloads import InvoicePayload
from mappers.text import shorten
from mappers.totals import ZERO, expected_total, to_ore
from messages import Message, Money, Param

MOST_ROWS = 20  # in a message; an invoice has up to 500
NOTHING_THERE = Message("comparison.nothing")
WHOLE_KRONA = Decimal(1)
MOST_TEXT = 80  # characters of a text in a message
RATE_DIGITS = 10_000  # rates that differ by less than 0.01 % are equal: one is rounded


class Difference(NamedTuple):
    """A value in Fortnox beside the one in Moment. They may be equal. `field`: Fortnox's name, of a single field."""

    what: Message
    in_fortnox: Param
    billed: Param
    field: str = ""

    @property
    def message(self) -> Message:
        there, billed = _short(self.in_fortnox), _short(self.billed)
        return Message("comparison.difference", what=self.what, there=there, billed=billed)

    @property
    def real(self) -> bool:
        return self.in_fortnox != self.billed

    @property
    def empty_there(self) -> bool:
        return self.in_fortnox == NOTHING_THERE


class Comparison(NamedTuple):
    """`head`: differences of the invoice itself that change the books. `rows`: what is booked on each account, also
    where it is equal, for comparing by eye. `aside`: differences that change no amount, date, account or project.
    """

    head: tuple[Difference, ...]
    rows: tuple[Difference, ...]
    aside: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the invoice books what Moment billed."""
        return not self.head and not any(row.real for row in self.rows)

    @property
    def message(self) -> Message:
        """A line for each difference. Of a long invoice only the rows that differ, at most `MOST_ROWS`."""
        rows = self.rows if len(self.rows) <= MOST_ROWS else tuple(row for row in self.rows if row.real)
        shown = [one.message for one in (*self.head, *rows[:MOST_ROWS])]
        if len(rows) > MOST_ROWS:
            shown.append(Message("comparison.more-rows", n=len(rows) - MOST_ROWS))
        return Message.join(*shown, *(one.message for one in self.aside))


class Booking(NamedTuple):
    """Where a row books its amount."""

    account: int
    rate: Decimal
    project: str | None

    @property
    def message(self) -> Message:
        if self.project is None:
            return Message("comparison.account", account=str(self.account), rate=self.rate)
        return Message("comparison.account-project", account=str(self.account), rate=self.rate, project=self.project)


def compare(found: FortnoxInvoice, sent: InvoicePayload) -> Comparison:
    """Compare an invoice read from Fortnox with what was sent, whose rows add up to what was billed.

    A company may let Fortnox round to whole kronor. `RoundOff` says by how much, and is no difference. A field that
    Fortnox's answer does not have, or may not show, is not compared.
    """
    return Comparison(_real(_head(found, sent)), tuple(_rows(found, sent)), _real(_aside(found, sent)))


def _real(differences: Iterator[Difference]) -> tuple[Difference, ...]:
    return tuple(one for one in differences if one.real)


def _head(found: FortnoxInvoice, sent: InvoicePayload) -> Iterator[Difference]:
    expected = expected_total(sent)
    currency = sent.currency
    yield Difference(Message("comparison.customer"), found.customer_number, sent.customer_number)
    yield _field(
        "InvoiceDate", Message("comparison.invoice-date"), _shown(found, "invoice_date", sent), sent.invoice_date
    )
    yield _field("Project", Message("comparison.project"), _shown(found, "project", sent), sent.project)
    if found.currency is not None or sent.currency_rate is not None:
        yield Difference(Message("comparison.currency"), found.currency or NOTHING_THERE, currency)
    if sent.currency_rate is not None:
        yield from _rate(found, sent.currency_rate)
    round_off = found.round_off if abs(found.round_off) < WHOLE_KRONA else ZERO
    yield Difference(
        Message("comparison.total"), Money(found.total - round_off, currency), Money(expected.total, currency)
    )
    if found.total_vat is not None:
        yield Difference(Message("comparison.vat"), Money(found.total_vat, currency), Money(expected.vat, currency))
    yield Difference(Message("comparison.freight"), Money(found.freight, currency), Money(sent.freight, currency))
    yield Difference(
        Message("comparison.administration-fee"),
        Money(found.administration_fee, currency),
        Money(sent.administration_fee, currency),
    )


def _rate(found: FortnoxInvoice, sent: Decimal) -> Iterator[Difference]:
    """Compare the rates for one unit of the currency. Fortnox's rate is for `currency_unit` of them."""
    what = Message("comparison.currency-rate")
    if not found.currency_rate or not found.currency_unit:
        yield Difference(what, NOTHING_THERE, sent)
    elif abs((rate := found.currency_rate / found.currency_unit) - sent) * RATE_DIGITS > sent:
        yield Difference(what, rate, sent)


def _rows(found: FortnoxInvoice, sent: InvoicePayload) -> Iterator[Difference]:
    """What is booked on each account, Moment's order first. Where both book nothing, nothing is listed."""
    there, billed = _booked_there(found, sent), _booked(sent)
    for booking in dict.fromkeys((*billed, *there)):
        amounts = [side.get(booking) for side in (there, billed)]
        if any(amounts):
            theirs, ours = (NOTHING_THERE if each is None else Money(each + 0, sent.currency) for each in amounts)
            yield Difference(booking.message, theirs, ours)


def _booked(sent: InvoicePayload) -> dict[Booking, Decimal]:
    sums: dict[Booking, Decimal] = {}
    for row in sent.invoice_rows:
        booking = Booking(row.account_number, row.vat, row.project or sent.project)
        sums[booking] = sums.get(booking, ZERO) + to_ore(row.price * Decimal(row.delivered_quantity))
    return sums


def _booked_there(found: FortnoxInvoice, sent: InvoicePayload) -> dict[Booking, Decimal]:
    header = _shown(found, "project", sent)
    sums: dict[Booking, Decimal] = {}
    for row in found.invoice_rows:
        project = row.project if row.project != NO_RIGHT else None
        booking = Booking(row.account_number or 0, row.vat or ZERO, project or header)
        sums[booking] = sums.get(booking, ZERO) + _net(row)
    return sums


def _net(row: InvoiceRow) -> Decimal:
    return (row.total if row.total_excluding_vat is None else row.total_excluding_vat) or ZERO


def _aside(found: FortnoxInvoice, sent: InvoicePayload) -> Iterator[Difference]:
    """What differs without changing an amount, the date, an account or a project."""
    centres = {_shown(one, "cost_center", None) for one in (found, *found.invoice_rows)} - {None}
    yield _field("CostCenter", Message("comparison.cost-center"), ", ".join(sorted(centres)) or None, sent.cost_center)
    yield _field("DueDate", Message("comparison.due-date"), _shown(found, "due_date", sent), sent.due_date)
    if sent.ocr is not None:
        yield _field("OCR", Message("comparison.payment-id"), _shown(found, "ocr", sent), sent.ocr)
    for name, what, field in (
        ("our_reference", Message("comparison.our-reference"), "OurReference"),
        ("your_reference", Message("comparison.your-reference"), "YourReference"),
        ("remarks", Message("comparison.remarks"), "Remarks"),
    ):
        yield _field(field, what, _words(_shown(found, name, sent)), _words(getattr(sent, name)))


def _field(field: str, what: Message, there: Param | None, billed: Param | None) -> Difference:
    theirs, ours = (NOTHING_THERE if one is None else one for one in (there, billed))
    return Difference(what, theirs, ours, field)


def _short(value: Param) -> Param:
    return shorten(value, MOST_TEXT) if isinstance(value, str) else value


def _shown(model: FortnoxModel, name: str, otherwise: Any) -> Any:
    """The field as Fortnox shows it. Where its answer does not have it, or may not show it: that of `otherwise`."""
    value = getattr(model, name)
    return getattr(otherwise, name, None) if name not in model.model_fields_set or value == NO_RIGHT else value


def _words(text: str | None) -> str | None:
    """The text with each run of white space as one space: Fortnox may keep line breaks differently."""
    return " ".join(text.split()) or None if text else None
