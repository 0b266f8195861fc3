"""Compares an invoice in Fortnox with what Moment billed, and lists each difference with both figures. Pure. No I/O."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from fortnox.models import FortnoxInvoice, InvoiceRow
from fortnox.payloads import InvoicePayload, InvoiceRowPayload
from mappers.totals import ZERO, expected_total, to_ore
from messages import Message, Money, Param

MOST_ROWS = 20  # in a message; an invoice has up to 500
NOTHING_THERE = Message("comparison.nothing")
WHOLE_KRONA = Decimal(1)
RATE_DIGITS = 10_000  # rates that differ by less than 0.01 % are equal: one is rounded


class Difference(NamedTuple):
    """A value in Fortnox beside the one in Moment. They may be equal."""

    what: Message
    in_fortnox: Param
    billed: Param

    @property
    def message(self) -> Message:
        return Message("comparison.difference", what=self.what, there=self.in_fortnox, billed=self.billed)

    @property
    def real(self) -> bool:
        return self.in_fortnox != self.billed


class Comparison(NamedTuple):
    """`head`: differences of the invoice itself. `rows`: all rows, equal ones too, for comparing by eye."""

    head: tuple[Difference, ...]
    rows: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not self.head and not any(row.real for row in self.rows)

    @property
    def message(self) -> Message:
        """A line for each difference. Of a long invoice only the rows that differ, at most `MOST_ROWS`."""
        rows = self.rows if len(self.rows) <= MOST_ROWS else tuple(row for row in self.rows if row.real)
        shown = [one.message for one in (*self.head, *rows[:MOST_ROWS])]
        if len(rows) > MOST_ROWS:
            shown.append(Message("comparison.more-rows", n=len(rows) - MOST_ROWS))
        return Message.join(*shown)


def compare(found: FortnoxInvoice, sent: InvoicePayload) -> Comparison:
    """Compare an invoice read from Fortnox with what was sent, whose rows add up to what was billed.

    A company may let Fortnox round to whole kronor. `RoundOff` says by how much, and is no difference.
    """
    rows = zip_longest(found.invoice_rows, sent.invoice_rows)
    listed = (
        Difference(Message("comparison.row", number=str(place)), _row(theirs, sent.currency), _row(ours, sent.currency))
        for place, (theirs, ours) in enumerate(rows, 1)
    )
    return Comparison(tuple(filter(lambda one: one.real, _head(found, sent))), tuple(listed))


def _head(found: FortnoxInvoice, sent: InvoicePayload) -> Iterator[Difference]:
    expected = expected_total(sent)
    currency = sent.currency
    yield Difference(Message("comparison.customer"), found.customer_number, sent.customer_number)
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


def _row(row: InvoiceRow | InvoiceRowPayload | None, currency: str) -> Message:
    """Return what a row books. Equal rows give equal messages."""
    if row is None:
        return NOTHING_THERE
    if isinstance(row, InvoiceRowPayload):
        net = to_ore(row.price * Decimal(row.delivered_quantity))
    else:
        excluding = row.total if row.total_excluding_vat is None else row.total_excluding_vat
        net = ZERO if excluding is None else excluding
    return Message(
        "comparison.row-books",
        amount=Money(net + 0, currency),
        account=str(row.account_number),
        rate=ZERO if row.vat is None else row.vat,
    )
