"""The rule of docs/expenses.md, once more, from the ledger that the local Fortnox shows. Plain and slow. Pure.

Written from the document, and free of the product's code: where both are wrong in the same way, the document is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Document = Mapping[str, Any]
Fields = dict[str, Any]

COMPARED: Final = (
    "projectNumber", "date", "description", "supplierName", "supplierInvoiceNumber", "accountNumber",
    "amountExcludingVat", "currencyCode",
)  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """What a company chose, in Moment and as an operator set it."""

    accounts: tuple[str, ...] = ()
    from_date: str | None = None
    requires: str = "postedAndApproved"
    cost_accounts: tuple[str, ...] = ("4000-7999",)
    currency: str = "SEK"
    billable: bool = True


@dataclass(frozen=True)
class View:
    """What a supplier invoice is judged by beside itself: all that its own date of change does not show."""

    choices: Choices
    projects: frozenset[str]  # those that are in Moment and have a start date in Fortnox


def view_of(choices: Choices, ledger: Document, moment: Document) -> View:
    started = {project["ProjectNumber"] for project in ledger["projects"] if project.get("StartDate")}
    return View(choices, frozenset(started & {project["projectNumber"] for project in moment["projects"]}))


def expenses_of(invoice: Document, view: View) -> dict[str, Fields]:
    """The expenses of one supplier invoice, by their external ids."""
    return {
        f"fortnox:{invoice['GivenNumber']}:{number}": expense
        for number, row in enumerate(invoice["SupplierInvoiceRows"], start=1)
        for expense in _expense(invoice, row, view)
    }


def _expense(invoice: Document, row: Document, view: View) -> Iterator[Fields]:
    choices = view.choices
    amount = _amount(invoice, row)
    account = int(row["Account"] or 0)
    project = row["Project"] or invoice["Project"]
    supplier = " ".join(part for part in (invoice["SupplierName"], invoice["InvoiceNumber"]) if part)
    refusals = (
        invoice["Cancelled"],
        choices.requires != "approved" and not invoice["Booked"],
        not invoice["InvoiceDate"] or (choices.from_date is not None and invoice["InvoiceDate"] < choices.from_date),
        choices.requires != "posted" and not invoice["approved"],
        account == 0 or row["Code"] in ("TOT", "VAT") or 2440 <= account <= 2449 or 2610 <= account <= 2659,
        not _is_chosen(account, choices.accounts or choices.cost_accounts),
        amount == 0,
        not project,
        project not in view.projects,
    )
    if any(refusals):
        return
    text = row["ItemDescription"] or row["TransactionInformation"] or supplier
    foreign = invoice["Currency"] not in ("", None, choices.currency)
    original = _sign(invoice) * (Decimal(row["DebitCurrency"]) - Decimal(row["CreditCurrency"]))
    yield {
        "projectNumber": project,
        "date": invoice["InvoiceDate"],
        "description": text + (f" ({original:.2f} {invoice['Currency']})" if foreign and original else ""),
        "supplierName": invoice["SupplierName"] or None,
        "supplierInvoiceNumber": invoice["InvoiceNumber"] or None,
        "accountNumber": str(account),
        "amountExcludingVat": amount,
        "currencyCode": choices.currency,
    }


def _is_chosen(account: int, accounts: tuple[str, ...]) -> bool:
    for one in accounts:
        first, _, last = one.partition("-")
        if int(first) <= account <= int(last or first):
            return True
    return False


def _amount(invoice: Document, row: Document) -> Decimal:
    return _sign(invoice) * (Decimal(row["Debit"]) - Decimal(row["Credit"]))


def _sign(invoice: Document) -> int:
    """A credit note is negative, also where it is written with the amounts of an invoice: then it owes."""
    debts = (r for r in invoice["SupplierInvoiceRows"] if r["Code"] == "TOT" or 2440 <= int(r["Account"] or 0) <= 2449)
    owed = sum(Decimal(r["Credit"]) - Decimal(r["Debit"]) for r in debts)
    return -1 if invoice["Credit"] and owed > 0 else 1


def as_compared(expense: Fields) -> dict[str, Any]:
    """An expense of Moment's or ours, as far as Fortnox decides it."""
    fields = {name: expense[name] for name in COMPARED}
    return fields | {"amountExcludingVat": Decimal(fields["amountExcludingVat"])}
