"""Whether an invoice in Fortnox is the one that Moment billed: each difference, with both figures. Pure. No I/O."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from fortnox.models import Invoice, InvoiceRow
from fortnox.payloads import InvoicePayload, InvoiceRowPayload
from mappers.totals import ZERO, expected_total, to_ore

MOST_ROWS = 20  # told; an invoice has up to 500
NOTHING = "nothing"
WHOLE_KRONA = Decimal(1)
RATE_DIGITS = 10_000  # a rate that differs by less than 0.01 % was only rounded


class Difference(NamedTuple):
    what: str
    in_fortnox: str
    billed: str

    def __str__(self) -> str:
        return f"{self.what}: {self.in_fortnox} in Fortnox, {self.billed} in Moment"

    @property
    def real(self) -> bool:
        return self.in_fortnox != self.billed


class Comparison(NamedTuple):
    """`head` differs; `rows` are all rows of a short invoice, for reading beside each other."""

    head: tuple[Difference, ...]
    rows: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not self.head and not any(row.real for row in self.rows)

    def __str__(self) -> str:
        rows = self.rows if len(self.rows) <= MOST_ROWS else [row for row in self.rows if row.real]
        more = [f"and {len(rows) - MOST_ROWS} more rows"] if len(rows) > MOST_ROWS else []
        return "\n".join(map(str, [*self.head, *rows[:MOST_ROWS], *more]))


def compare(found: Invoice, sent: InvoicePayload) -> Comparison:
    """`found`, as Fortnox answered it, beside what was sent, whose rows come to what was billed.

    A company may have Fortnox round to whole kronor: `RoundOff` says by how much, and that is no difference.
    """
    rows = zip_longest(found.invoice_rows, sent.invoice_rows)
    told = (Difference(f"Row {place}", *map(_row, pair)) for place, pair in enumerate(rows, 1))
    return Comparison(tuple(filter(lambda one: one.real, _head(found, sent))), tuple(told))


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace(",", " ")


def _head(found: Invoice, sent: InvoicePayload) -> Iterator[Difference]:
    expected = expected_total(sent)
    yield Difference("Customer", found.customer_number, sent.customer_number)
    if found.currency is not None or sent.currency_rate is not None:
        yield Difference("Currency", found.currency or NOTHING, sent.currency)
    if sent.currency_rate is not None:
        yield from _rate(found, sent.currency_rate)
    round_off = found.round_off if abs(found.round_off) < WHOLE_KRONA else ZERO
    total = f"{money(expected.total)} {sent.currency}"
    yield Difference("Total", f"{money(found.total - round_off)} {sent.currency}", total)
    if found.total_vat is not None:
        yield Difference("VAT", money(found.total_vat), money(expected.vat))
    yield Difference("Freight", money(found.freight), money(sent.freight))
    yield Difference("Administration fee", money(found.administration_fee), money(sent.administration_fee))


def _rate(found: Invoice, sent: Decimal) -> Iterator[Difference]:
    """What one of the currency costs: Fortnox's rate is for as many as its unit says, which may be the register's."""
    if not found.currency_rate or not found.currency_unit:
        yield Difference("Currency rate", NOTHING, f"{sent:f}")
    elif abs((rate := found.currency_rate / found.currency_unit) - sent) * RATE_DIGITS > sent:
        yield Difference("Currency rate", f"{rate:f}", f"{sent:f}")


def _row(row: InvoiceRow | InvoiceRowPayload | None) -> str:
    """What a row books, in words that are equal exactly when the rows are."""
    if row is None:
        return NOTHING
    if isinstance(row, InvoiceRowPayload):
        net = to_ore(row.price * Decimal(row.delivered_quantity))
    else:
        excluding = row.total if row.total_excluding_vat is None else row.total_excluding_vat
        net = ZERO if excluding is None else excluding
    vat = ZERO if row.vat is None else row.vat
    return f"{money(net + 0)} on account {row.account_number} with {vat.normalize():f} % VAT"
