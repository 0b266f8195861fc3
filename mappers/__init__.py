"""What Moment says, as Fortnox wants it: pure functions from an event's content to a payload. No I/O, no clock.

Arrows: only the models of `moment` and `fortnox` are used here. `docs/mapping.md` is the table in words.
"""

from mappers.comparison import Comparison, Difference, compare
from mappers.customer import to_customer
from mappers.errors import (
    BadCreditNote,
    BadDates,
    BadNumber,
    NoCurrencyRate,
    TooManyRows,
    TotalsDiffer,
    Unmappable,
)
from mappers.invoice import InvoiceOptions, to_invoice
from mappers.mapped import Mapped, Notice
from mappers.project import to_project
from mappers.totals import Totals, VatSum, expected_total

__all__ = [
    "BadCreditNote",
    "BadDates",
    "BadNumber",
    "Comparison",
    "Difference",
    "InvoiceOptions",
    "Mapped",
    "NoCurrencyRate",
    "Notice",
    "TooManyRows",
    "Totals",
    "TotalsDiffer",
    "Unmappable",
    "VatSum",
    "compare",
    "expected_total",
    "to_customer",
    "to_invoice",
    "to_project",
]
