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

from messages import Message, Money


class Unmappable(Exception):
    """The value at `path` (as the event spells it: `invoice.lines.0.accountNumber`) has this `problem`.

    `remedy` says what to do about it.
    """

    def __init__(self, path: str, value: str, problem: Message, remedy: Message) -> None:
        super().__init__(path, value, problem, remedy)
        self.path = path
        self.value = value
        self.problem = problem
        self.remedy = remedy

    @property
    def message(self) -> Message:
        """The problem with its place and the value."""
        return Message("mapping.problem", path=self.path, value=self.value, problem=self.problem)

    def __str__(self) -> str:
        """For a log: without the value."""
        return f"{self.path}: {self.problem.key}"


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

    def message(self, currency: str) -> Message:
        return Message(
            "mapping.account-sum", account=self.account, rate=self.vat_percentage, amount=Money(self.amount, currency)
        )


class TotalsDiffer(Unmappable):
    """The total that was billed (`billed`) and what the lines come to including VAT (`computed`) differ too much."""

    def __init__(self, billed: Decimal, computed: Decimal, currency: str, sums: Sequence[AccountSum]) -> None:
        super().__init__(
            "invoice.totalIncludingVat",
            str(billed),
            Message(
                "mapping.totals-differ",
                billed=Money(billed, currency),
                computed=Money(computed, currency),
                apart=Money(abs(billed - computed), currency),
                sums=tuple(one.message(currency) for one in sums),
            ),
            Message("mapping.totals-differ.remedy"),
        )
        self.args = (billed, computed, currency, sums)  # what unpickling calls the class with
        self.billed = billed
        self.computed = computed
        self.currency = currency
        self.sums = tuple(sums)
