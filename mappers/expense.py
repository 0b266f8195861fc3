"""Maps a Fortnox supplier invoice to expenses in Moment: which rows count, and why the others do not. Pure. No I/O.

docs/expenses.md describes the same rules for accountants.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from fortnox.models import SupplierInvoice, SupplierInvoiceListItem, SupplierInvoiceRow
from messages import Message
from moment.expenses import Expense

Requires = Literal["postedAndApproved", "posted", "approved"]

# The BAS chart of accounts, which nearly every Swedish ledger follows: https://www.bas.se
SUPPLIER_DEBTS = range(2440, 2450)
VAT = range(2610, 2660)
PROJECT_UNKNOWN, PROJECT_WITHOUT_START = "project_unknown", "project_without_start"
PAYABLE_CODE, VAT_CODE = "TOT", "VAT"  # SupplierInvoiceRow.Code in Fortnox's OpenAPI document


@dataclass(frozen=True, slots=True)
class Rules:
    """What a company has chosen. `accounts` are numbers or ranges, `4010` or `5000-5999`; empty: every cost.

    `ledger` is no choice: the tenant id of its Fortnox, unless that is the first ledger it was connected to.
    """

    accounts: tuple[str, ...]
    cost_accounts: tuple[str, ...] = ("4000-7999",)
    billable: bool = True
    from_date: date | None = None
    requires: Requires = "postedAndApproved"
    currency: str = "SEK"
    ledger: str = ""

    @property
    def needs_approval(self) -> bool:
        return self.requires != "posted"

    @property
    def needs_posting(self) -> bool:
        return self.requires != "approved"


class ProjectState(NamedTuple):
    """What is known of a project. It may have expenses if both are true."""

    in_moment: bool
    starts: bool  # has a start date in Fortnox


class SkipReason(NamedTuple):
    """Why a row does not count: a code for the log, and the message for a person."""

    code: str
    message: Message


class ExpenseRow(NamedTuple):
    """A row of a supplier invoice with its expense, or with the reason why it has none."""

    number: int  # counted from 1, over all rows
    account: int | None
    project: str | None
    amount: Decimal
    expense: Expense | None
    reason: SkipReason | None

    @property
    def waits_for_project(self) -> bool:
        """Whether the row would count if its project existed in Moment and had a start date."""
        return self.reason is not None and self.reason.code in (PROJECT_UNKNOWN, PROJECT_WITHOUT_START)


def to_expenses(
    invoice: SupplierInvoice, rules: Rules, *, pending: bool, projects: Mapping[str, ProjectState]
) -> tuple[ExpenseRow, ...]:
    """Return each row of the invoice with its expense, or with the reason why it has none.

    `pending`: the invoice awaits approval. `projects` holds those that `projects_needed` names.
    """
    return tuple(
        _row(number, row, invoice, rules, pending, projects)
        for number, row in enumerate(invoice.supplier_invoice_rows, start=1)
    )


def projects_needed(invoice: SupplierInvoice, rules: Rules, *, pending: bool) -> tuple[str, ...]:
    """Return the projects whose state decides whether rows count."""
    rows = invoice.supplier_invoice_rows
    counting = (row for row in rows if not _not_counting(row, invoice, rules, pending))
    return tuple(dict.fromkeys(number for row in counting if (number := row.project or invoice.project)))


def skip_reason(invoice: SupplierInvoiceListItem, rules: Rules) -> SkipReason | None:
    """Return why no row of the invoice counts, as far as a list shows it; None if rows may count."""
    if invoice.cancelled:
        return SkipReason("cancelled", Message("expense.cancelled"))
    if rules.needs_posting and not invoice.booked:
        return SkipReason("not_posted", Message("expense.not-posted"))
    if invoice.invoice_date is None:
        return SkipReason("no_date", Message("expense.no-date"))
    if rules.from_date is not None and invoice.invoice_date < rules.from_date:
        message = Message("expense.before-from-date", date=invoice.invoice_date, start=rules.from_date)
        return SkipReason("before_from_date", message)
    return None


def external_id(given_number: str, row: int, ledger: str = "") -> str:
    """Return the expense's id in Moment. Every ledger numbers from 1, so ids of a later ledger name it."""
    return ":".join(("fortnox", *filter(None, (ledger,)), given_number, str(row)))


def within(account: int, accounts: Collection[str]) -> bool:
    """Return whether the account is one of these numbers or within one of these ranges."""
    bounds = (text.partition("-") for text in accounts)
    return any(int(first) <= account <= int(last or first) for first, _, last in bounds)


def _row(
    number: int,
    row: SupplierInvoiceRow,
    invoice: SupplierInvoice,
    rules: Rules,
    pending: bool,
    projects: Mapping[str, ProjectState],
) -> ExpenseRow:
    project = row.project or invoice.project
    reason = _not_counting(row, invoice, rules, pending) or _no_project(project, projects)
    expense = None if reason else _expense(number, row, invoice, rules, str(project))
    return ExpenseRow(number, row.account, project, _amount(row, invoice), expense, reason)


def _not_counting(row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules, pending: bool) -> SkipReason | None:
    if why_not := skip_reason(invoice, rules):
        return why_not
    if pending and rules.needs_approval:
        return SkipReason("waits_for_approval", Message("expense.awaits-approval"))
    return _not_a_chosen_cost(row, _amount(row, invoice), rules)


def _not_a_chosen_cost(row: SupplierInvoiceRow, amount: Decimal, rules: Rules) -> SkipReason | None:
    if row.account is None:
        return SkipReason("no_account", Message("expense.no-account"))
    if _is_payable(row):
        return SkipReason("payable", Message("expense.payable"))
    if row.code == VAT_CODE or row.account in VAT:
        return SkipReason("vat", Message("expense.vat"))
    if not within(row.account, rules.accounts or rules.cost_accounts):
        return SkipReason("account_not_chosen", _not_chosen(row.account, rules))
    return None if amount else SkipReason("amount_0", Message("expense.amount-zero"))


def _not_chosen(account: int, rules: Rules) -> Message:
    if rules.accounts:
        return Message("expense.account-not-chosen", account=str(account), chosen=", ".join(rules.accounts))
    return Message("expense.no-cost-account", account=str(account), accounts=", ".join(rules.cost_accounts))


def _is_payable(row: SupplierInvoiceRow) -> bool:
    return row.code == PAYABLE_CODE or row.account in SUPPLIER_DEBTS


def _no_project(number: str | None, projects: Mapping[str, ProjectState]) -> SkipReason | None:
    if number is None:
        return SkipReason("no_project", Message("expense.no-project"))
    state = projects[number]
    if not state.in_moment:
        return SkipReason(PROJECT_UNKNOWN, Message("expense.project-unknown", project=number))
    return (
        None if state.starts else SkipReason(PROJECT_WITHOUT_START, Message("expense.project-no-start", project=number))
    )


def _expense(number: int, row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules, project: str) -> Expense:
    assert invoice.invoice_date is not None  # else `skip_reason` gives one
    return Expense(
        external_id=external_id(invoice.given_number, number, rules.ledger),
        project_number=project,
        date=invoice.invoice_date,
        description=_description(row, invoice) + _original(row, invoice, rules),
        supplier_name=invoice.supplier_name,
        supplier_invoice_number=invoice.invoice_number,
        account_number=str(row.account),
        amount_excluding_vat=_amount(row, invoice),
        currency_code=rules.currency,
        billable=rules.billable,
    )


def _description(row: SupplierInvoiceRow, invoice: SupplierInvoice) -> str:
    """Return the row's text, else the supplier's name and invoice number."""
    text = row.item_description or row.transaction_information
    supplier = " ".join(part for part in (invoice.supplier_name, invoice.invoice_number) if part)
    return " ".join((text or supplier or f"Leverantörsfaktura {invoice.given_number}").split())


def _original(row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules) -> str:
    """Return a foreign amount in brackets, else "". Moment's endpoint has no field for it."""
    currency, amount = invoice.currency, _sign(invoice) * (row.debit_currency - row.credit_currency)
    return f" ({amount:.2f} {currency})" if currency not in (None, rules.currency) and amount else ""


def _amount(row: SupplierInvoiceRow, invoice: SupplierInvoice) -> Decimal:
    """Return the amount in the ledger's own currency."""
    return _sign(invoice) * (row.debit - row.credit)


def _sign(invoice: SupplierInvoice) -> int:
    """Return -1 for a credit note written with an invoice's amounts, which its payable row shows; else 1."""
    payable = sum((r.credit - r.debit for r in invoice.supplier_invoice_rows if _is_payable(r)), Decimal(0))
    return -1 if invoice.credit and payable > 0 else 1
