"""Pure functions from Moment's data to Fortnox's payloads, and from supplier invoices to expenses. No I/O, no clock.

They use only the models of `moment` and `fortnox`. docs/mapping.md says the same in words.
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
