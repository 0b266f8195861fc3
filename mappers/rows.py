"""From an invoice's lines to Fortnox's rows: grouped, summed and rounded to the billed total. Pure. No I/O.

There is a row for each account, VAT rate and project, in the order of the first line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fortnox.payloads import InvoiceRowPayload
from mappers.errors import AccountSum, TooManyRows, TotalsDiffer
from mappers.numbers import project_number
from mappers.rounding import explains, likely_cause
from mappers.text import clean, shorten
from mappers.totals import to_ore, totals
from messages import Message
from moment.events import Invoice, InvoiceLine

MOST_ROWS = 500
ROUNDING = "Öresavrundning"  # the text of the row that we add
DESCRIPTION = 255  # Fortnox's OpenAPI document, InvoiceRow.Description


@dataclass(frozen=True, slots=True)
class Group:
    """The lines that become one row."""

    account: str
    vat: Decimal
    project: str | None
    lines: tuple[InvoiceLine, ...]

    @property
    def net(self) -> Decimal:
        """The exact sum, then rounded: lines have up to four decimals, Fortnox's prices two."""
        return to_ore(sum((line.amount_excluding_vat for line in self.lines), Decimal(0)))


def to_rows(invoice: Invoice, *, credit: bool, rounding_account: str) -> tuple[InvoiceRowPayload, ...]:
    """Return rows that add up to Moment's total. Raises `TotalsDiffer`, `TooManyRows` and `BadNumber`."""
    groups = group(invoice)
    rows = [_row(each, credit) for each in groups]
    rounding = _rounding(invoice, groups)
    if rounding:
        project = invoice.project.project_number if invoice.project else None
        rows.append(_priced(rounding, credit, rounding_account, ROUNDING, Decimal(0), project))
    if len(rows) > MOST_ROWS:
        raise TooManyRows(
            "invoice.lines",
            f"{len(invoice.lines)} lines",
            Message("invoice.too-many-rows", rows=str(len(rows)), most=str(MOST_ROWS)),
            Message("invoice.too-many-rows.remedy"),
        )
    return tuple(rows)


def group(invoice: Invoice) -> tuple[Group, ...]:
    """Group the lines by account, VAT rate and project (else the invoice's), in order of first appearance."""
    header = invoice.project.project_number if invoice.project else None
    groups: dict[tuple[str, Decimal, str | None], list[InvoiceLine]] = {}
    for place, line in enumerate(invoice.lines):
        project = line.project.project_number if line.project else header
        if project is not None and project != header:
            project_number(f"invoice.lines.{place}.project.projectNumber", project)
        key = (line.account_number, line.vat_percentage, project)
        groups.setdefault(key, []).append(line)
    return tuple(Group(*key, tuple(lines)) for key, lines in groups.items())


def describe(lines: Sequence[InvoiceLine], account: str) -> str:
    """Return the lines' distinct texts, with the number of lines if there are several."""
    texts = dict.fromkeys(text for line in lines if (text := clean(line.description or "")))
    text = ", ".join(texts) or f"Konto {account}"
    count = f" ({len(lines)} rader)" if len(lines) > 1 else ""
    return shorten(text, DESCRIPTION - len(count)) + count


def _row(group: Group, credit: bool) -> InvoiceRowPayload:
    text = describe(group.lines, group.account)
    return _priced(group.net, credit, group.account, text, group.vat, group.project)


def _priced(
    net: Decimal, credit: bool, account: str, text: str, vat: Decimal, project: str | None
) -> InvoiceRowPayload:
    """Return a row with quantity 1, on a credit note -1. The price is negative if the row opposes the others."""
    fields: dict[str, Any] = {
        "account_number": int(account),
        "delivered_quantity": "-1" if credit else "1",
        "description": text,
        "price": (-net if credit else net) + 0,  # + 0: no negative zero
        "discount": Decimal(0),
        "vat": Decimal(f"{vat.normalize():f}"),
        "project": project,
    }
    return InvoiceRowPayload(**fields)


def _rounding(invoice: Invoice, groups: Sequence[Group]) -> Decimal:
    """Return what is missing to Moment's total. Raises `TotalsDiffer` where no rounding explains it."""
    computed = totals((each.net, each.vat) for each in groups).total
    billed = to_ore(invoice.total_including_vat)
    if billed == computed or explains(billed, invoice.lines):
        return billed - computed
    sums = [AccountSum(each.account, each.vat, each.net) for each in groups]
    cause = likely_cause(billed, invoice.lines, invoice.currency_code)
    raise TotalsDiffer(billed, computed, invoice.currency_code, sums, cause)
