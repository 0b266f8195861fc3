"""Whether rounding explains the difference between what Moment billed and what the lines come to. Pure. No I/O.

Rounding that exists: VAT to öre per line, per rate or per document, a line's amount to öre, and the total to whole
kronor (or whole units of another currency). Any other difference is no rounding, however small.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from mappers.totals import ZERO, to_ore
from messages import Message, Money
from moment.events import InvoiceLine

HALF_AN_ORE = Decimal("0.005")
HALF_A_KRONA = Decimal("0.5")
SMALL = Decimal("1.00")  # a difference up to this looks like rounding to a person
SWEDISH_RATES = tuple(map(Decimal, (25, 12, 6)))


def exact_total(lines: Sequence[InvoiceLine]) -> Decimal:
    """Return the lines' total including VAT, unrounded."""
    return sum((_including_vat(line) for line in lines), ZERO)


def most_rounding(lines: Sequence[InvoiceLine]) -> Decimal:
    """Return how far from `exact_total` rounding to öre can lead.

    That is half an öre for each line with VAT. An amount that is not in whole öre (lines have up to four decimals)
    gives as much again, with its VAT. Rounding per rate or per document never leads further.
    """
    return sum((_room(line) for line in lines), ZERO)


def explains(billed: Decimal, lines: Sequence[InvoiceLine]) -> bool:
    """Whether some rounding leads from the lines to the billed total."""
    apart = abs(billed - exact_total(lines))
    whole = billed == billed.quantize(Decimal(1), ROUND_HALF_UP)
    return apart <= most_rounding(lines) + (HALF_A_KRONA if whole else ZERO)


def likely_cause(billed: Decimal, lines: Sequence[InvoiceLine], currency: str) -> Message:
    """Return why the totals probably differ, where rounding does not explain it."""
    exact = exact_total(lines)
    net = sum((line.amount_excluding_vat for line in lines), ZERO)
    apart = billed - exact
    if exact and abs(billed + exact) <= most_rounding(lines):
        return Message("mapping.cause.sign")
    if exact != net and abs(billed - net) <= most_rounding(lines):
        return Message("mapping.cause.without-vat")
    for rate in SWEDISH_RATES:
        if net and abs(billed - net * (100 + rate) / 100) <= HALF_AN_ORE * len(lines):
            return Message("mapping.cause.other-rate", rate=rate)
    for line in lines:
        amount = _including_vat(line)
        if amount and abs(abs(apart) - abs(amount)) <= HALF_AN_ORE:
            return Message("mapping.cause.line", amount=Money(to_ore(amount), currency), account=line.account_number)
    if abs(apart) <= SMALL:
        return Message("mapping.cause.more-than-rounding", most=Money(to_ore(most_rounding(lines)), currency))
    return Message("mapping.cause.missing-line")


def _including_vat(line: InvoiceLine) -> Decimal:
    return line.amount_excluding_vat * (100 + line.vat_percentage) / 100


def _room(line: InvoiceLine) -> Decimal:
    of_vat = HALF_AN_ORE if line.vat_percentage and line.amount_excluding_vat else ZERO
    if line.amount_excluding_vat == to_ore(line.amount_excluding_vat):
        return of_vat
    return of_vat + HALF_AN_ORE * (100 + line.vat_percentage) / 100
