"""Why an event cannot become a Fortnox document. A person must correct it; a retry alone does not help.

Unmappable
├── BadNumber       Fortnox cannot hold a number of Moment's, which is never altered
├── BadDates        dates that contradict each other
├── BadCreditNote   a credit note that would not credit what it names
├── NoCurrencyRate  foreign currency without a rate
├── TooManyRows     more rows than Fortnox accepts
└── TotalsDiffer    the lines do not add up to what was billed
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from messages import Message, Money


class Unmappable(Exception):
    """The value at `path` has this `problem`, and `remedy` says what to do.

    `path` is spelt as in the event: `invoice.lines.0.accountNumber`.
    """

    def __init__(self, path: str, value: str, problem: Message, remedy: Message) -> None:
        super().__init__(path, value, problem, remedy)
        self.path = path
        self.value = value
        self.problem = problem
        self.remedy = remedy

    @property
    def message(self) -> Message:
        """The problem with its path and the value."""
        return Message("mapping.problem", path=self.path, value=self.value, problem=self.problem)

    def __str__(self) -> str:
        """For a log: path and key, without the value."""
        return f"{self.path}: {self.problem.key}"


class BadNumber(Unmappable):
    """Fortnox cannot hold a customer or project number."""


class BadDates(Unmappable):
    """Dates that contradict each other."""


class BadCreditNote(Unmappable):
    """A credit note would not credit what it names."""


class NoCurrencyRate(Unmappable):
    """Neither the event nor Fortnox's register has a rate for the invoice's foreign currency."""


class TooManyRows(Unmappable):
    """The grouped rows are more than Fortnox accepts on an invoice."""


class AccountSum(NamedTuple):
    """The sum of an invoice's lines on one account at one VAT rate, excluding VAT."""

    account: str
    vat_percentage: Decimal
    amount: Decimal

    def message(self, currency: str) -> Message:
        return Message(
            "mapping.account-sum", account=self.account, rate=self.vat_percentage, amount=Money(self.amount, currency)
        )


class TotalsDiffer(Unmappable):
    """The billed total and the sum of the lines including VAT (`computed`) differ, and no rounding explains it.

    `cause`: why, probably.
    """

    def __init__(
        self,
        billed: Decimal,
        computed: Decimal,
        currency: str,
        sums: Sequence[AccountSum],
        cause: Message = Message("mapping.cause.missing-line"),  # noqa: B008 - it is immutable
    ) -> None:
        super().__init__(
            "invoice.totalIncludingVat",
            str(billed),
            Message(
                "mapping.totals-differ",
                billed=Money(billed, currency),
                computed=Money(computed, currency),
                apart=Money(abs(billed - computed), currency),
                sums=tuple(one.message(currency) for one in sums),
                cause=cause,
            ),
            Message("mapping.totals-differ.remedy"),
        )
        self.args = (billed, computed, currency, sums, cause)  # what unpickling calls the class with
        self.billed = billed
        self.computed = computed
        self.currency = currency
        self.sums = tuple(sums)
        self.cause = cause
