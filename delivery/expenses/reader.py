"""Reads one supplier invoice from Fortnox and decides what becomes of each of its rows."""

from dataclasses import dataclass

from delivery.expenses.pace import Pace
from fortnox.client import Fortnox
from fortnox.errors import NotFound
from fortnox.models import SupplierInvoice
from mappers.expense import ProjectState, Row, Rules, projects_needed, refused, to_expenses
from messages import Message
from moment.api import MomentApi
from stores.expenses import ExpenseStore


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a person is needed for a supplier invoice, and what to do."""

    reason: Message
    remedy: Message


@dataclass(frozen=True, slots=True)
class Inspection:
    """A supplier invoice and what becomes of its rows.

    `problems`: why a person is needed now. `standing`: a person was notified before, and the difference still exists.
    """

    number: str
    invoice: SupplierInvoice | None  # None: it is not in Fortnox any more
    rows: tuple[Row, ...] = ()
    pending: bool = False  # nothing but approval is missing
    problems: tuple[Problem, ...] = ()
    standing: bool = False


@dataclass(frozen=True)
class InvoiceReader:
    """One company's."""

    company: str
    fortnox: Fortnox
    moment: MomentApi
    store: ExpenseStore
    rules: Rules
    pace: Pace

    def read(self, number: str, *, asked: bool = False) -> Inspection:
        """Read the supplier invoice and decide about each of its rows. Changes nothing in Moment.

        Where a person asks (`asked`), no cached answer is used, and none is cached.
        """
        try:
            invoice = self.fortnox.supplier_invoices.get(number)
        except NotFound:
            return Inspection(number, None)
        is_pending, project = (self._ask_pending, self._ask_project) if asked else (self.is_pending, self.project)
        needs = self.rules.needs_approval and not refused(invoice, self.rules)
        pending = needs and is_pending(number)
        projects = {n: project(n) for n in projects_needed(invoice, self.rules, pending=pending)}
        rows = to_expenses(invoice, self.rules, pending=pending, projects=projects)
        return Inspection(number, invoice, rows, pending)

    def is_pending(self, number: str) -> bool:
        """Whether the supplier invoice waits for approval, by the cached list where that is recent."""
        found = self.store.pending(number)
        if found is None:
            everyone = self.fortnox.supplier_invoices.pending_approval()
            self.store.set_pending(everyone, self.pace.pending_good_for)
            found = number in everyone
        return found

    def _ask_pending(self, number: str) -> bool:
        return number in self.fortnox.supplier_invoices.pending_approval()

    def project(self, number: str) -> ProjectState:
        """Whether the project may have expenses, by the cached answer where that is recent."""
        known = self.store.project(number)
        if known is None:
            known = self._ask_project(number)
            good_for = self.pace.project_good_for if all(known) else self.pace.project_bad_for
            self.store.know_project(number, known, good_for)
        return known

    def _ask_project(self, number: str) -> ProjectState:
        in_moment = self.moment.has_project(self.company, number)
        return ProjectState(in_moment, in_moment and self._starts(number))

    def _starts(self, number: str) -> bool:
        try:
            return self.fortnox.projects.get(number).start_date is not None
        except NotFound:
            return False
