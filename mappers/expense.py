"""Maps a Fortnox supplier invoice to expenses in Moment: which rows count, and why the others do not. Pure. No I/O.

docs/expenses.md describes the same rules for accountants.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain
from typing import Literal, NamedTuple

from fortnox.models import SupplierInvoice, SupplierInvoiceListItem, SupplierInvoiceRow, TolerantModel
from messages import Message
from moment.expenses import Expense

Requires = Literal["postedAndApproved", "posted", "approved"]

# The BAS chart of accounts, which nearly every Swedish ledger follows: https://www.bas.se
SUPPLIER_DEBTS = range(2440, 2450)
VAT = range(2610, 2660)
# Accounts that report what reverse-charge VAT is based on, and those that take the same amount back again
REVERSE_CHARGE_BASES = frozenset(
    chain(
        *(range(4415, 4418), range(4425, 4428), range(4515, 4519)),
        *(range(4531, 4534), range(4535, 4539), range(4545, 4549)),
    )
)
REVERSE_CHARGE_ADJUSTMENTS = range(4590, 4600)
HIDDEN, UNREADABLE = "hidden", "unreadable"
ORE = Decimal("0.01")
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

    @property
    def unclear(self) -> bool:
        """Whether the row might count: what decides it cannot be read."""
        return self.code in (HIDDEN, UNREADABLE)


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

    @property
    def unclear(self) -> bool:
        return self.reason is not None and self.reason.unclear


class _Booking(NamedTuple):
    """What only the whole supplier invoice says of its rows.

    `sign`: -1 for a credit note that is written with an invoice's amounts. `total`: what one of a row's `Total` is in
    the ledger's currency; 0 if the total of a row without debit and credit books nothing. `bases`: the rows that only
    report what reverse-charge VAT is based on. `unclear`: why no amount is certain.
    """

    sign: int
    total: Decimal
    bases: frozenset[int]
    unclear: SkipReason | None

    def amount(self, row: SupplierInvoiceRow) -> Decimal:
        """Return the row's amount in the ledger's own currency."""
        if row.debit or row.credit:
            return self.sign * (row.debit - row.credit)
        return self.sign * (row.total * self.total).quantize(ORE, ROUND_HALF_UP)


def to_expenses(
    invoice: SupplierInvoice, rules: Rules, *, pending: bool, projects: Mapping[str, ProjectState]
) -> tuple[ExpenseRow, ...]:
    """Return each row of the invoice with its expense, or with the reason why it has none.

    `pending`: the invoice awaits approval. `projects` holds those that `projects_needed` names.
    """
    booking = _booking(invoice, rules)
    rows = []
    for number, row in enumerate(invoice.supplier_invoice_rows, start=1):
        project = row.project or invoice.project
        reason = _not_counting(number, row, invoice, rules, pending, booking) or _no_project(project, projects)
        expense = None if reason else _expense(number, row, invoice, rules, str(project), booking)
        rows.append(ExpenseRow(number, row.account, project, booking.amount(row), expense, reason))
    return tuple(rows)


def projects_needed(invoice: SupplierInvoice, rules: Rules, *, pending: bool) -> tuple[str, ...]:
    """Return the projects whose state decides whether rows count."""
    booking = _booking(invoice, rules)
    numbers = [
        row.project or invoice.project
        for number, row in enumerate(invoice.supplier_invoice_rows, start=1)
        if not _not_counting(number, row, invoice, rules, pending, booking)
    ]
    return tuple(dict.fromkeys(filter(None, numbers)))


def skip_reason(invoice: SupplierInvoiceListItem, rules: Rules) -> SkipReason | None:
    """Return why no row of the invoice counts, as far as a list shows it; None if rows may count."""
    if unclear := _unclear(invoice, "Cancelled", "Cancel"):
        return unclear
    if invoice.cancelled:
        return SkipReason("cancelled", Message("expense.cancelled"))
    if rules.needs_posting and (unclear := _unclear(invoice, "Booked")):
        return unclear
    if rules.needs_posting and not invoice.booked:
        return SkipReason("not_posted", Message("expense.not-posted"))
    if unclear := _unclear(invoice, "InvoiceDate"):
        return unclear
    if invoice.invoice_date is None:
        return SkipReason("no_date", Message("expense.no-date"))
    if rules.from_date is not None and invoice.invoice_date < rules.from_date:
        message = Message("expense.before-from-date", date=invoice.invoice_date, start=rules.from_date)
        return SkipReason("before_from_date", message)
    return None


def unreadable_rows(invoice: SupplierInvoice) -> SkipReason | None:
    """Return why the invoice has no rows that could be read; None if it has."""
    return _unclear(invoice, "SupplierInvoiceRows")


def external_id(given_number: str, row: int, ledger: str = "") -> str:
    """Return the expense's id in Moment. Every ledger numbers from 1, so ids of a later ledger name it."""
    return ":".join(("fortnox", *filter(None, (ledger,)), given_number, str(row)))


def within(account: int, accounts: Collection[str]) -> bool:
    """Return whether the account is one of these numbers or within one of these ranges, whichever end comes first."""
    ranges = ([int(end) for end in text.split("-")] for text in accounts)
    return any(min(ends) <= account <= max(ends) for ends in ranges)


def _unclear(document: TolerantModel, *fields: str) -> SkipReason | None:
    """Return why one of these fields, as Fortnox spells them, is not known."""
    for field in fields:
        if field in document.hidden:
            return SkipReason(HIDDEN, Message("expense.hidden-field", field=field))
        if field in document.unreadable:
            return SkipReason(UNREADABLE, Message("expense.unreadable-field", field=field))
    return None


def _not_counting(
    number: int, row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules, pending: bool, booking: _Booking
) -> SkipReason | None:
    """Return why the row does not count, whatever its project is."""
    if why_not := skip_reason(invoice, rules):
        return why_not
    if pending and rules.needs_approval:
        return SkipReason("waits_for_approval", Message("expense.awaits-approval"))
    if why_not := _not_a_chosen_cost(row, rules):
        return why_not
    if number in booking.bases:
        return SkipReason("reverse_charge_base", Message("expense.reverse-charge-base"))
    if booking.unclear:
        return booking.unclear
    if not round(booking.amount(row), 2):
        return SkipReason("amount_0", Message("expense.amount-zero"))
    return _unclear(row, "Project") or (None if row.project else _unclear(invoice, "Project"))


def _not_a_chosen_cost(row: SupplierInvoiceRow, rules: Rules) -> SkipReason | None:
    if _is_payable(row):
        return SkipReason("payable", Message("expense.payable"))
    if _is_vat(row):
        return SkipReason("vat", Message("expense.vat"))
    if row.account is None:
        return _unclear(row, "Account") or SkipReason("no_account", Message("expense.no-account"))
    if not within(row.account, rules.accounts or rules.cost_accounts):
        return SkipReason("account_not_chosen", _not_chosen(row.account, rules))
    return _unclear(row, "Code")


def _not_chosen(account: int, rules: Rules) -> Message:
    if rules.accounts:
        return Message("expense.account-not-chosen", account=str(account), chosen=", ".join(rules.accounts))
    return Message("expense.no-cost-account", account=str(account), accounts=", ".join(rules.cost_accounts))


def _is_payable(row: SupplierInvoiceRow) -> bool:
    return row.code == PAYABLE_CODE or row.account in SUPPLIER_DEBTS


def _is_vat(row: SupplierInvoiceRow) -> bool:
    return row.code == VAT_CODE or row.account in VAT


def _no_project(number: str | None, projects: Mapping[str, ProjectState]) -> SkipReason | None:
    if number is None:
        return SkipReason("no_project", Message("expense.no-project"))
    state = projects[number]
    if not state.in_moment:
        return SkipReason(PROJECT_UNKNOWN, Message("expense.project-unknown", project=number))
    if not state.starts:
        return SkipReason(PROJECT_WITHOUT_START, Message("expense.project-no-start", project=number))
    return None


def _booking(invoice: SupplierInvoice, rules: Rules) -> _Booking:
    rows = invoice.supplier_invoice_rows
    payable = sum((row.credit - row.debit for row in rows if _is_payable(row)), Decimal(0))
    sign = -1 if invoice.credit and payable > 0 else 1
    unclear = _unclear(invoice, "Credit")
    for row in rows:
        unclear = unclear or _unclear(row, "Debit", "Credit")
    open_rows = [row for row in rows if not (row.debit or row.credit or _is_payable(row) or _is_vat(row))]
    rate = _rate(invoice, rules)
    direction = _direction(invoice, sum((row.total for row in open_rows), Decimal(0)) * (rate or 1))
    if direction and rate is None:
        unclear = unclear or _unclear(invoice, "CurrencyRate", "CurrencyUnit") or _missing_rate()
    if not _adds_up(rows):
        for row in open_rows:
            unclear = unclear or _unclear(row, "Total")
    return _Booking(sign, direction * (rate or Decimal(0)), _bases(rows), unclear)


def _adds_up(rows: Collection[SupplierInvoiceRow]) -> bool:
    """Return whether debits and credits say it all: there are some, and they are equal."""
    return any(row.debit or row.credit for row in rows) and not sum(
        (row.debit - row.credit for row in rows), Decimal(0)
    )


def _direction(invoice: SupplierInvoice, totals: Decimal) -> int:
    """Return how the rows that have a `Total` but neither debit nor credit are booked: 1, -1 (in credit) or 0 (not).

    Where rows have debits and credits, they add up to 0. If they do so without the totals, those book nothing.
    """
    rows = invoice.supplier_invoice_rows
    if not any(row.debit or row.credit for row in rows):
        return 0 if not totals else -1 if invoice.credit and totals > 0 else 1
    difference = sum((row.debit - row.credit for row in rows), Decimal(0))
    left = {direction: abs(difference + direction * totals) for direction in (0, 1, -1)}
    return min(left, key=lambda direction: left[direction])


def _rate(invoice: SupplierInvoice, rules: Rules) -> Decimal | None:
    """Return what one of the invoice's currency is in the ledger's; None if it is not known."""
    if invoice.currency in (None, rules.currency):
        return Decimal(1)
    if _unclear(invoice, "CurrencyUnit") or invoice.currency_rate is None:
        return None
    return invoice.currency_rate / (invoice.currency_unit or 1)


def _missing_rate() -> SkipReason:
    return SkipReason(UNREADABLE, Message("expense.unreadable-field", field="CurrencyRate"))


def _bases(rows: Collection[SupplierInvoiceRow]) -> frozenset[int]:
    """Return the rows on base accounts of reverse charge that rows on adjustment accounts take back, and these.

    Without an adjustment, a base account holds the cost itself.
    """
    amounts = {number: row.debit - row.credit for number, row in enumerate(rows, start=1)}
    accounts = {number: row.account for number, row in enumerate(rows, start=1)}
    bases = [number for number, account in accounts.items() if account in REVERSE_CHARGE_BASES]
    adjustments = [number for number, account in accounts.items() if account in REVERSE_CHARGE_ADJUSTMENTS]
    if adjustments and sum(amounts[number] for number in bases + adjustments) == 0:
        return frozenset(bases + adjustments)
    found = set[int]()
    for adjustment in adjustments:
        base = next((n for n in bases if n not in found and amounts[n] == -amounts[adjustment]), None)
        if base is not None:
            found |= {base, adjustment}
    return frozenset(found)


def _expense(
    number: int, row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules, project: str, booking: _Booking
) -> Expense:
    assert invoice.invoice_date is not None  # else `skip_reason` gives one
    return Expense(
        external_id=external_id(invoice.given_number, number, rules.ledger),
        project_number=project,
        date=invoice.invoice_date,
        description=_description(row, invoice) + _original(row, invoice, rules, booking),
        supplier_name=invoice.supplier_name,
        supplier_invoice_number=invoice.invoice_number,
        account_number=str(row.account),
        amount_excluding_vat=booking.amount(row),
        currency_code=rules.currency,
        billable=rules.billable,
    )


def _description(row: SupplierInvoiceRow, invoice: SupplierInvoice) -> str:
    """Return the row's text, else the supplier's name and invoice number."""
    text = row.item_description or row.transaction_information
    supplier = " ".join(part for part in (invoice.supplier_name, invoice.invoice_number) if part)
    return " ".join((text or supplier or f"Leverantörsfaktura {invoice.given_number}").split())


def _original(row: SupplierInvoiceRow, invoice: SupplierInvoice, rules: Rules, booking: _Booking) -> str:
    """Return a foreign amount in brackets, else "". Moment's endpoint has no field for it."""
    amount = booking.sign * (row.debit_currency - row.credit_currency)
    if not (row.debit or row.credit):
        amount = row.total.copy_sign(booking.amount(row))
    return f" ({amount:.2f} {invoice.currency})" if invoice.currency not in (None, rules.currency) and amount else ""
