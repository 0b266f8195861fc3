"""The check of a new or changed connection: `look` reads what is set up in Fortnox, `problems` decides (pure).

A problem says which transfers it stops. Problems are warnings unless they stop everything that the company chose.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from delivery.consent import chosen_kinds, scope_problems
from delivery.context import TransferContext
from fortnox import errors as e
from fortnox.client import STOCKHOLM
from fortnox.codes import explain
from fortnox.models import AccountInformation, CompanyInformation, FinancialYear
from mappers.email import mail_address
from mappers.expense import within
from mappers.vat import RATES, taxed_abroad, untaxed
from messages import Message
from moment.events import Integration, InvalidEvent, Invoice, InvoiceEvent, parse_event
from stores import Connection, ConnectionProblem, UsedAccount
from tasks.rounding_account import remedy
from tasks.vat import abroad_without_reason

T = TypeVar("T")

WAITING_LOOKED_AT = 200  # waiting invoices whose accounts are checked
NAMED = 10  # accounts named in one problem; the others are counted

USUAL_RATES = frozenset(map(Decimal, (25, 12, 6, 0)))


@dataclass(frozen=True)
class LedgerSetup:
    """What was read. None where Fortnox refused to show it; `refused` has the refusal, by what was asked for."""

    scopes: frozenset[str] = frozenset()  # empty where Fortnox did not say
    rotating: bool = False  # a refresh token is in use
    ledger: CompanyInformation | None = None
    years: tuple[FinancialYear, ...] | None = None
    accounts: Mapping[int, AccountInformation] | None = None
    used: frozenset[UsedAccount] = frozenset()
    rounding_account: int | None = None  # the setting
    abroad: Mapping[str, str] = field(default_factory=dict)  # customers billed without VAT whose card does not say why
    company: str = ""
    refused: Mapping[str, e.Rejected] = field(default_factory=dict)


def look(context: TransferContext, connection: Connection) -> LedgerSetup:
    """Read what is checked, in 4 to 7 requests, and one for each customer whose VAT was told of.

    Raises every `FortnoxError` but a refusal.
    """
    refused: dict[str, e.Rejected] = {}

    def ask(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except e.Rejected as refusal:
            refused[what] = refusal
            return None

    fortnox = context.fortnox
    held = context.services.stores.connections.held(connection.company)
    today = datetime.now(STOCKHOLM).date()
    accounts = ask("accounts", lambda: {account.number: account for account in fortnox.accounts.list()})
    if connection.integration.transfers.projects:
        ask("projects", fortnox.projects.readable)
    ledger = ask("company", fortnox.company_information)
    number = connection.tenant_id or (ledger.database_number if ledger else None)
    vat = context.services.stores.vat(connection.company, number)
    vat.remember_codes({number: account.vat_code or "" for number, account in (accounts or {}).items()})
    return LedgerSetup(
        scopes=frozenset(connection.scopes),
        rotating=held is not None and held.tokens.refresh_token is not None,
        ledger=ledger,
        years=ask("years", lambda: fortnox.financial_years(today)),
        accounts=accounts,
        used=frozenset(context.services.stores.used_accounts(connection.company).recent() | set(_waiting(context))),
        abroad=abroad_without_reason(context, vat),
        rounding_account=int(context.settings.rounding_account),
        company=connection.company,
        refused=refused,
    )


def _waiting(context: TransferContext) -> Iterator[UsedAccount]:
    """The accounts of invoices that wait for this connection."""
    company, ordering = context.claim.company, context.services.ordering
    records = (record for record in ordering.unsettled(company) if record.type.startswith("invoice."))
    for record in islice(records, WAITING_LOOKED_AT):
        try:
            event = parse_event(ordering.body(company, record.id) or "")
        except InvalidEvent:
            continue
        if isinstance(event, InvoiceEvent):
            yield from used_accounts(event.invoice)


def used_accounts(invoice: Invoice) -> Iterator[UsedAccount]:
    """The accounts of an invoice with their VAT rates, without lines of nothing at 0 %, which say nothing of VAT."""
    for line in invoice.lines:
        if line.amount_excluding_vat or line.vat_percentage:
            yield UsedAccount(int(line.account_number), line.vat_percentage)


def problems(chosen: Integration, found: LedgerSetup) -> tuple[ConnectionProblem, ...]:
    """All problems, those that stop most first. Pure."""
    listed = [
        *_access(chosen, found),
        *_bookkeeping(chosen, found),
        *_expense_accounts(chosen, found),
        *_used_accounts(chosen, found),
        *_vat_reports(chosen, found),
        *_rounding_account(chosen, found),
        *_address(chosen),
    ]
    return tuple(sorted(listed, key=lambda problem: -len(problem.stops)))


def stopped(chosen: Integration, listed: Iterable[ConnectionProblem]) -> bool:
    """Whether the problems stop everything that the company chose. Pure."""
    wanted = chosen_kinds(chosen)
    return bool(wanted) and wanted <= {kind for problem in listed for kind in problem.stops}


def _access(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    wanted = chosen_kinds(chosen)
    licence = found.refused.get("company")
    if isinstance(licence, e.MissingLicence):
        yield ConnectionProblem(
            what=explain(licence).reason, remedy=explain(licence).remedy, stops=tuple(sorted(wanted))
        )
    yield from scope_problems(chosen, found.scopes)
    if (refusal := found.refused.get("projects")) and "project" in (found.scopes or {"project"}):
        why = explain(refusal)
        yield ConnectionProblem(
            what=Message("integration.projects-unreadable", why=why.reason), remedy=why.remedy, stops=("projects",)
        )
    if chosen.service_account and found.rotating:
        yield ConnectionProblem(
            what=Message("integration.no-service-account"),
            remedy=Message("integration.no-service-account.remedy"),
        )


def _bookkeeping(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    if not chosen.transfers.invoices or found.years is None:
        return
    if not found.years:
        yield ConnectionProblem(
            what=Message("integration.no-financial-year"),
            remedy=Message("integration.no-financial-year.remedy"),
        )
    for year in found.years:
        if year.accounting_method == "CASH":
            yield ConnectionProblem(
                what=Message("integration.cash-method"),
                remedy=Message("integration.cash-method.remedy"),
                stops=("invoices",),
            )


def _expense_accounts(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    if not chosen.expenses.enabled or found.accounts is None:
        return
    active = {number for number, account in found.accounts.items() if account.active}
    missing = [one for one in map(str, chosen.expenses.account_numbers) if not any(within(n, [one]) for n in active)]
    if missing:
        none_left = len(missing) == len(chosen.expenses.account_numbers)
        yield ConnectionProblem(
            what=Message("integration.expense-accounts-missing", accounts=_listed(missing)),
            remedy=Message("integration.expense-accounts-missing.remedy"),
            stops=("expenses",) if none_left else (),
        )


def _used_accounts(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    if not chosen.transfers.invoices or found.accounts is None:
        return
    unknown = {one.number for one in found.used if one.number not in found.accounts}
    inactive = {one.number for one in found.used if one.number not in unknown and not found.accounts[one.number].active}
    if unknown:
        yield ConnectionProblem(
            what=Message("integration.accounts-unknown", accounts=_listed(unknown)),
            remedy=Message("integration.accounts-unknown.remedy"),
        )
    if inactive:
        yield ConnectionProblem(
            what=Message("integration.accounts-inactive", accounts=_listed(inactive)),
            remedy=Message("integration.accounts-inactive.remedy"),
        )
    unusual = {one.vat for one in found.used} - USUAL_RATES
    if unusual:
        rates = _listed(f"{rate.normalize():f} %" for rate in unusual)
        yield ConnectionProblem(
            what=Message("integration.vat-rates-unusual", rates=rates),
            remedy=Message("integration.vat-rates-unusual.remedy"),
        )
    other = [f"{one.number} ({one.vat.normalize():f} %)" for one in sorted(found.used) if _differs(one, found)]
    if other:
        yield ConnectionProblem(
            what=Message("integration.vat-codes-differ", accounts=_listed(other)),
            remedy=Message("integration.vat-codes-differ.remedy"),
        )


def _differs(used: UsedAccount, found: LedgerSetup) -> bool:
    if used.vat == 0:  # told apart: see `_vat_reports`
        return False
    account = (found.accounts or {}).get(used.number)
    rate = RATES.get(account.vat_code or "") if account else None
    return rate is not None and rate != used.vat


def _vat_reports(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    """Sales that are posted and reported wrongly."""
    if not chosen.transfers.invoices:
        return
    accounts = found.accounts or {}
    codes = {number: account.vat_code or "" for number, account in accounts.items()}
    used = [(one.number, one.vat, codes.get(one.number, "")) for one in sorted(found.used)]
    without = sorted({f"{number} ({code})" for number, vat, code in used if untaxed(code, vat)})
    if without:
        yield ConnectionProblem(
            what=Message("integration.accounts-untaxed", accounts=_listed(without)),
            remedy=Message("integration.accounts-untaxed.remedy"),
        )
    taxed = sorted({f"{number} ({code})" for number, vat, code in used if taxed_abroad(code, vat)})
    if taxed:
        yield ConnectionProblem(
            what=Message("integration.accounts-taxed-abroad", accounts=_listed(taxed)),
            remedy=Message("integration.accounts-taxed-abroad.remedy"),
        )
    if found.abroad:
        customers = [f"{number} ({country})" for number, country in found.abroad.items()]
        yield ConnectionProblem(
            what=Message("integration.customers-abroad", customers=_listed(customers)),
            remedy=Message("integration.customers-abroad.remedy"),
        )


def _rounding_account(chosen: Integration, found: LedgerSetup) -> Iterator[ConnectionProblem]:
    """The account that we add ourselves: no invoice of Moment's need be on it."""
    number = found.rounding_account
    if not chosen.transfers.invoices or found.accounts is None or number is None:
        return
    account = found.accounts.get(number)
    if account is None or not account.active:
        yield ConnectionProblem(
            what=Message("invoice.rounding-account", account=str(number)), remedy=remedy(found.company)
        )


def _address(chosen: Integration) -> Iterator[ConnectionProblem]:
    if chosen.error_email is None or mail_address(chosen.error_email) is None:
        what = (
            Message("integration.no-error-address")
            if chosen.error_email is None
            else Message("integration.bad-error-address", address=chosen.error_email)
        )
        yield ConnectionProblem(what=what, remedy=Message("integration.no-error-address.remedy"))


def _listed(things: Iterable[object]) -> tuple[Message, ...]:
    texts = sorted(map(str, things))
    more = (Message("integration.and-more", n=len(texts) - NAMED),) if len(texts) > NAMED else ()
    return (*(Message("integration.listed", name=text) for text in texts[:NAMED]), *more)


def ledger_of(found: LedgerSetup) -> str:
    """The company name and organisation number in Fortnox, for a person to recognise."""
    if found.ledger is None or not found.ledger.company_name:
        return ""
    number = found.ledger.organization_number
    return found.ledger.company_name + (f" ({number})" if number else "")
