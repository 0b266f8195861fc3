"""Reads a supplier invoice with what decides about it besides itself: approvals and projects. Changes nothing.

Approvals and projects are cached. A person's question is `fresh`: it neither reads nor fills the cache.
"""

from dataclasses import dataclass

from delivery.expenses.pace import Pace
from fortnox.client import Fortnox
from fortnox.errors import NotFound
from fortnox.models import SupplierInvoice
from mappers.expense import (
    ExpenseRow,
    ProjectState,
    Rules,
    projects_needed,
    skip_reason,
    to_expenses,
    unreadable_rows,
)
from messages import Message
from moment.api import MomentApi
from moment.expenses import Expense
from stores import ExpenseStore


@dataclass(frozen=True, slots=True)
class Reading:
    """A supplier invoice as it was read, and what becomes of each of its rows."""

    number: str
    invoice: SupplierInvoice | None  # None: Fortnox no longer has it
    rows: tuple[ExpenseRow, ...] = ()
    pending: bool = False  # it awaits approval, and nothing else is missing
    unreadable: Message | None = None  # why its rows could not be read

    @property
    def unclear(self) -> dict[Message, list[str]]:
        """Why it is not known what Moment should have, each with the rows that it concerns; empty if it is known."""
        found = {self.unreadable: list[str]()} if self.unreadable else {}
        for row in self.rows:
            if row.reason is not None and row.unclear:
                found.setdefault(row.reason.message, []).append(str(row.number))
        return found

    @property
    def wanted(self) -> dict[int, Expense]:
        """The expenses that Moment should have, by row."""
        return {row.number: row.expense for row in self.rows if row.expense is not None}

    @property
    def awaited_projects(self) -> set[str]:
        """The projects that rows wait for."""
        return {row.project for row in self.rows if row.project and row.waits_for_project}

    @property
    def skipped(self) -> str:
        """`payable 1, account_not_chosen 3 4`: which rows do not count, by reason."""
        rows: dict[str, list[str]] = {}
        for row in self.rows:
            if row.reason is not None:
                rows.setdefault(row.reason.code, []).append(str(row.number))
        return ", ".join(f"{why} {' '.join(numbers)}" for why, numbers in rows.items())


@dataclass(frozen=True, slots=True)
class Approvals:
    """Which supplier invoices await approval."""

    fortnox: Fortnox
    store: ExpenseStore
    pace: Pace

    def is_pending(self, number: str, *, fresh: bool = False) -> bool:
        if fresh:
            return number in self.fortnox.supplier_invoices.pending_approval()
        known = self.store.pending(number)
        if known is not None:
            return known
        pending = self.fortnox.supplier_invoices.pending_approval()
        self.store.set_pending(pending, self.pace.pending_cached)
        return number in pending


@dataclass(frozen=True, slots=True)
class Projects:
    """Which projects may have expenses."""

    company: str
    fortnox: Fortnox
    moment: MomentApi
    store: ExpenseStore
    pace: Pace

    def state(self, number: str, *, fresh: bool = False) -> ProjectState:
        if fresh:
            return self._ask(number)
        known = self.store.project(number)
        if known is None:
            known = self._ask(number)
            ttl = self.pace.project_cached if all(known) else self.pace.unfit_project_cached
            self.store.cache_project(number, known, ttl)
        return known

    def _ask(self, number: str) -> ProjectState:
        in_moment = self.moment.has_project(self.company, number)
        return ProjectState(in_moment, in_moment and self._starts(number))

    def _starts(self, number: str) -> bool:
        try:
            project = self.fortnox.projects.get(number)
        except NotFound:
            return False
        return project.start_date is not None or "StartDate" in project.hidden | project.unreadable


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the supplier invoices of one ledger by a company's rules."""

    fortnox: Fortnox
    rules: Rules
    approvals: Approvals
    projects: Projects

    def read(self, number: str, *, fresh: bool = False) -> Reading:
        try:
            invoice = self.fortnox.supplier_invoices.get(number)
        except NotFound:
            return Reading(number, None)
        skipped = skip_reason(invoice, self.rules)
        if skipped is None and (why := unreadable_rows(invoice)):
            return Reading(number, invoice, unreadable=why.message)
        needs_approval = self.rules.needs_approval and skipped is None
        pending = needs_approval and self.approvals.is_pending(number, fresh=fresh)
        needed = projects_needed(invoice, self.rules, pending=pending)
        projects = {project: self.projects.state(project, fresh=fresh) for project in needed}
        return Reading(number, invoice, to_expenses(invoice, self.rules, pending=pending, projects=projects), pending)
