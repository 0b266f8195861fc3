"""Computes an invoice's total as Fortnox does: the one place that knows how Fortnox rounds. Pure. No I/O.

A row's net is price × quantity, rounded to öre. VAT is computed per rate on the sum of the rows' nets, then rounded to
öre. Halves round away from zero, so that a credit note mirrors its invoice. Fortnox publishes neither rule;
docs/assumptions.md says how to check them. Fortnox may then round to whole kronor (a setting), shown as `RoundOff`.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from fortnox.payloads import InvoicePayload

ORE = Decimal("0.01")
ZERO = Decimal("0.00")


class VatSum(NamedTuple):
    """The VAT at one rate."""

    percentage: Decimal
    net: Decimal
    vat: Decimal


class Totals(NamedTuple):
    """Amounts in the invoice's currency, two decimals."""

    net: Decimal
    vat_by_rate: tuple[VatSum, ...]

    @property
    def vat(self) -> Decimal:
        return sum((rate.vat for rate in self.vat_by_rate), ZERO)

    @property
    def total(self) -> Decimal:
        return self.net + self.vat


def to_ore(amount: Decimal) -> Decimal:
    """Round to two decimals, halves away from zero (0.005 → 0.01, -0.005 → -0.01)."""
    return amount.quantize(ORE, ROUND_HALF_UP)


def totals(rows: Iterable[tuple[Decimal, Decimal]]) -> Totals:
    """Return the totals of rows, each a net amount and its VAT percentage. Rates keep the order of their first row."""
    nets: dict[Decimal, Decimal] = {}
    for net, percentage in rows:
        nets[percentage] = nets.get(percentage, ZERO) + net
    by_rate = tuple(VatSum(rate, net, to_ore(net * rate / 100)) for rate, net in nets.items())
    return Totals(sum(nets.values(), ZERO), by_rate)


def books_nothing(payload: InvoicePayload) -> bool:
    """Whether no row has an amount. Rows that cancel out, on two accounts, book something."""
    return not any(to_ore(row.price * Decimal(row.delivered_quantity)) for row in payload.invoice_rows)


def expected_total(payload: InvoicePayload) -> Totals:
    """Return the net, VAT and total that Fortnox should compute for the invoice."""
    return totals((to_ore(row.price * Decimal(row.delivered_quantity)), row.vat) for row in payload.invoice_rows)
