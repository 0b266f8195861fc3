"""Why an event cannot become a Fortnox document. A person has to mend it; trying again does not help.

Unmappable
├── BadNumber       a number of Moment's that Fortnox cannot hold; it is never altered
├── BadDates        dates that contradict each other
├── BadCreditNote   a credit note that does not credit
├── NoCurrencyRate  foreign currency without a rate
├── TooManyRows     more rows than Fortnox takes
└── TotalsDiffer    what was billed is not what the lines come to
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple


class Unmappable(Exception):
    """The value at `path` (as the event spells it: `invoice.lines.0.accountNumber`) has this `problem`.

    `remedy` says what to do about it, in a sentence of its own; it is not part of the text of the error.
    """

    def __init__(self, path: str, value: str, problem: str, remedy: str) -> None:
        super().__init__(path, value, problem, remedy)
        self.path = path
        self.value = value
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path} {self.value!r}: {self.problem}"


class BadNumber(Unmappable):
    """A customer, project or account number that Fortnox cannot hold."""


class BadDates(Unmappable):
    """Dates that contradict each other."""


class BadCreditNote(Unmappable):
    """A credit note that would not credit what it says it does."""


class NoCurrencyRate(Unmappable):
    """An invoice in a foreign currency, without a rate in the event or in Fortnox's register."""


class TooManyRows(Unmappable):
    """More rows, after grouping, than Fortnox takes on one invoice."""


class AccountSum(NamedTuple):
    """What an invoice's lines come to on one account at one VAT rate, excluding VAT."""

    account: str
    vat_percentage: Decimal
    amount: Decimal

    def __str__(self) -> str:
        return f"{self.account} at {self.vat_percentage:f} %: {self.amount}"


class TotalsDiffer(Unmappable):
    """The total that was billed (`billed`) and what the lines come to including VAT (`computed`) differ too much."""

    def __init__(self, billed: Decimal, computed: Decimal, currency: str, sums: Sequence[AccountSum]) -> None:
        by_account = "; ".join(map(str, sums))
        super().__init__(
            "invoice.totalIncludingVat",
            str(billed),
            f"{billed} {currency} was billed, but the lines come to {computed} {currency} including VAT: "
            f"{abs(billed - computed)} apart, which rounding does not explain. "
            f"The lines by account, excluding VAT: {by_account}",
            "Nothing was sent to Fortnox. Check the amounts and VAT rates of the lines in Moment; "
            "if they are wrong, credit the invoice there and bill it anew.",
        )
        self.args = (billed, computed, currency, sums)  # what unpickling calls the class with
        self.billed = billed
        self.computed = computed
        self.currency = currency
        self.sums = tuple(sums)
