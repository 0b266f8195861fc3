"""A company's supplier invoices on their way to Moment: lists what changed, looks at each, makes Moment agree.

What is found is on a list in Redis before anything counts as listed, and leaves it when Moment has it: whoever is
killed in between, another goes on. A supplier invoice that fails stays on the list and stands in nobody's way.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from delivery.leases import HandedBack
from fortnox.client import Fortnox, SupplierInvoicePage
from fortnox.codes import explain
from fortnox.errors import FortnoxError, NotFound, Unavailable, WindowFull
from fortnox.models import SupplierInvoice, SupplierInvoiceListItem
from mappers.expense import ProjectState, Row, Rules, external_id, projects_needed, refused, to_expenses
from mappers.expense_changes import (
    IN_DOUBT,
    WITHDRAWN,
    Action,
    Change,
    Sent,
    following,
    found_again,
    place_of,
    standing,
)
from moment.api import MomentApi
from moment.errors import (
    ExpenseExists,
    ExpenseInvoiced,
    KeyRefused,
    MomentError,
    MomentRefused,
    MomentUnavailable,
    NotThere,
    UnknownProject,
)
from moment.expenses import Expense
from stores.expenses import ExpenseStore, Kind, Listing

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=1)  # `lastmodified` has minutes, and a change may show a moment after its time
WALKS = 3  # how often a list that changes while it is read is read


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things hold, in a company that is polled every `interval`; in brackets at ten minutes."""

    interval: timedelta = timedelta(minutes=10)

    @property
    def again(self) -> timedelta:
        """Until one that was not come to an end with is taken up again (a minute)."""
        return self.interval / 10

    @property
    def refused_again(self) -> timedelta:
        """Until one that Moment refused is tried again (six hours)."""
        return 36 * self.interval

    @property
    def told_after(self) -> timedelta:
        """Until a person is told that one gets no answer (a day)."""
        return 144 * self.interval

    @property
    def pending_good_for(self) -> timedelta:
        """How long it is believed who waits for approval (a minute)."""
        return self.interval / 10

    @property
    def project_good_for(self) -> timedelta:
        """How long a project that may have expenses is not asked about again (a day)."""
        return 144 * self.interval

    @property
    def project_bad_for(self) -> timedelta:
        """The same for one that may not, which a person may be mending (five minutes)."""
        return self.interval / 2


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a person is needed for a supplier invoice, and what to do."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a supplier invoice found. `standing`: a person was told before, and it is still so."""

    number: str
    invoice: SupplierInvoice | None  # None: it is not in Fortnox any more
    rows: tuple[Row, ...] = ()
    pending: bool = False  # nothing but approval is missing
    problems: tuple[Problem, ...] = ()
    standing: bool = False


@dataclass(frozen=True)
class ExpenseSync:
    """One company's. `check` is called before anything is noted or sent to Moment that Fortnox has told.

    It raises when somebody else goes on, or when what was read may be another ledger's.
    """

    company: str
    fortnox: Fortnox
    moment: MomentApi
    store: ExpenseStore
    rules: Rules
    check: Callable[[], None]
    pace: Pace = Pace()

    # Listing

    def list_on(self, kind: Kind, deadline: float) -> bool:
        """Puts what is listed on the list of what is to be looked at. False: the time is up, and it goes on later."""
        listing = self._listing(kind)
        while listing is not None and time.monotonic() < deadline:
            listing = self._list_page(kind, listing)
        return listing is None

    def _listing(self, kind: Kind) -> Listing | None:
        """What is to be listed, from the page at which it stands."""
        listing = self.store.listing(kind)
        if listing is None and kind == "changes":
            cursor = self.store.cursor
            return Listing(since=cursor - OVERLAP if cursor else None)
        if listing is not None and listing.days is not None and listing.since is None:
            return replace(listing, since=self.fortnox.now - timedelta(days=listing.days))
        return listing

    def _list_page(self, kind: Kind, listing: Listing) -> Listing | None:
        """Reads one page; the listing as it goes on, or another that was asked for meanwhile. None: it is through."""
        page = self.fortnox.supplier_invoices.page(listing.page, modified_since=listing.since)
        self.check()
        if kind == "changes" and listing.since is None and listing.page == 1:
            log.info("expenses.first_listing", supplier_invoices=page.total, since=self.rules.from_date or "ever")
        started = listing.started or self.fortnox.now
        behind = kind == "import" or listing.since is None
        self.store.forget_pending()  # what is listed now may wait for approval since that was asked
        self.store.add(self._worth_a_look(page.items), datetime.now(UTC), behind=behind)
        moved = listing.moved or self._rows_moved(kind, listing, page)
        if not page.is_last:
            following = replace(listing, page=listing.page + 1, moved=moved)
        elif moved and listing.walks + 1 < WALKS:
            following = replace(listing, page=1, moved=False, walks=listing.walks + 1)
        else:
            if kind == "import":  # whoever asked for it may have mended what projects lack
                self.store.forget_unfit()
                self.store.ask_lacking()
            through = self.store.listed(kind, listing, started if kind == "changes" else None)
            return None if through else self._listing(kind)
        following = replace(following, started=started, total=page.total, pages=page.pages)
        return following if self.store.list_on(kind, following) else self._listing(kind)

    def _rows_moved(self, kind: Kind, listing: Listing, page: SupplierInvoicePage) -> bool:
        """Whether the list is not what it was at its first page.

        A row that shifts to a page already read leaves a trace: the one that made room for it left the list, which
        changes the total, or comes again on a later page.
        """
        if listing.total not in (None, page.total):
            return True
        if listing.page == 1 and page.is_last:
            return False
        numbers = [item.given_number for item in page.items]
        return bool(numbers) and not self.store.walk(kind, numbers, anew=listing.page == 1)

    def _worth_a_look(self, items: Iterable[SupplierInvoiceListItem]) -> list[str]:
        """Those that may count, and those of which Moment has something: the others cost no request."""
        known = self.store.known([item.given_number for item in items])
        return [i.given_number for i in items if i.given_number in known or not refused(i, self.rules)]

    def list_approved(self) -> None:
        """Those that only waited for approval, which `lastmodified` need not show, and now have it."""
        if waiting := self.store.awaiting():
            self.store.add((n for n in waiting if not self._is_pending(n)), datetime.now(UTC))

    def list_waiting(self, deadline: float) -> None:
        """Those that waited for a project, however long ago they changed, where it has now what it lacked."""
        while time.monotonic() < deadline and (project := self.store.next_lacking()) is not None:
            fit = all(self._project(project))
            if fit:
                self.store.add(self.store.lacking(project), datetime.now(UTC), behind=True)
            self.store.asked(project, fit=fit)

    # Looking

    def work(self, deadline: float) -> Iterator[Looked]:
        """Looks at what is on the list, one after the other, until nothing is or the time is up.

        What is yielded leaves the list when the next is asked for, so that nothing is lost that should be told of it.
        """
        while (
            time.monotonic() < deadline and (number := self.store.take(datetime.now(UTC), self.pace.again)) is not None
        ):
            try:
                looked = self.look(number)
            except (WindowFull, HandedBack):
                self.store.postpone(number, datetime.now(UTC))  # nothing is wrong with it
                raise
            except (Unavailable, MomentUnavailable, KeyRefused) as error:
                if not self._troubled_for_long(number):
                    raise  # it is taken up again in a while, others before
                looked = Looked(number, None, problems=(_no_answer(error),))
            yield looked
            if looked.problems:
                self.store.postpone(number, datetime.now(UTC) + self.pace.refused_again)
            else:
                self.store.looked_at(number)

    def _troubled_for_long(self, number: str) -> bool:
        now = datetime.now(UTC)
        return now - self.store.troubled_since(number, now) >= self.pace.told_after

    def look(self, number: str, *, asked: bool = False) -> Looked:
        """Reads the supplier invoice and makes Moment agree with it. `asked`: by a person, now.

        One event tells of all that is wrong with it. So what a person was told before and still stands is said again
        when something else was done, when no event tells of it, and when a person asks.
        """
        looked = self.read(number, asked=asked)
        sent = self.store.sent(number)
        wanted = {row.number: row.expense for row in looked.rows if row.expense is not None}
        told_before = standing(wanted, sent)
        found = self._agree(looked, wanted, sent)
        stands = standing(wanted, sent)
        if found or asked or self.store.failure(number) is None:
            found |= {place: self._differs(number, stands[place]) for place in told_before if place in stands}
        problems = tuple(problem for _, problem in sorted(found.items()) if problem is not None)
        self._forget_settled(number, wanted, sent)
        if looked.pending:
            self.store.await_approval(number)
        else:
            self.store.approved(number)
        if lacking := {row.project for row in looked.rows if row.project and row.lacks_project}:
            self.store.lack(number, lacking)
        self.store.count("looked")
        self.store.count("skipped", sum(row.expense is None for row in looked.rows))
        log.info("expense.looked", given_number=number, pending=looked.pending or None, skipped=_skipped(looked))
        return replace(looked, problems=problems, standing=bool(standing(wanted, sent)))

    def read(self, number: str, *, asked: bool = False) -> Looked:
        """The supplier invoice and what becomes of each of its rows. Changes nothing.

        Where a person asks, nothing that was remembered is believed, and nothing is remembered.
        """
        try:
            invoice = self.fortnox.supplier_invoices.get(number)
        except NotFound:
            return Looked(number, None)
        is_pending, project = (self._asks_pending, self._asks_project) if asked else (self._is_pending, self._project)
        needs = self.rules.needs_approval and not refused(invoice, self.rules)
        pending = needs and is_pending(number)
        projects = {n: project(n) for n in projects_needed(invoice, self.rules, pending=pending)}
        rows = to_expenses(invoice, self.rules, pending=pending, projects=projects)
        return Looked(number, invoice, rows, pending)

    def _is_pending(self, number: str) -> bool:
        found = self.store.pending(number)
        if found is None:
            everyone = self.fortnox.supplier_invoices.pending_approval()
            self.store.set_pending(everyone, self.pace.pending_good_for)
            found = number in everyone
        return found

    def _asks_pending(self, number: str) -> bool:
        return number in self.fortnox.supplier_invoices.pending_approval()

    def _project(self, number: str) -> ProjectState:
        known = self.store.project(number)
        if known is None:
            known = self._asks_project(number)
            good_for = self.pace.project_good_for if all(known) else self.pace.project_bad_for
            self.store.know_project(number, known, good_for)
        return known

    def _asks_project(self, number: str) -> ProjectState:
        in_moment = self.moment.has_project(self.company, number)
        return ProjectState(in_moment, in_moment and self._starts(number))

    def _starts(self, number: str) -> bool:
        try:
            return self.fortnox.projects.get(number).start_date is not None
        except NotFound:
            return False

    # Acting

    def _agree(self, looked: Looked, wanted: Mapping[int, Expense], sent: dict[int, Sent]) -> dict[int, Problem | None]:
        """Does all that there is to do in Moment. What came of it, by place."""
        found: dict[int, Problem | None] = {}
        tried: list[Change] = []
        while True:
            for place, one in found_again(wanted, sent).items():
                self._note(looked.number, sent, place, one)
                found[place] = None
                log.info("expense.moved", given_number=looked.number, place=place, row=one.moved or place)
            change = following(wanted, sent, tried)
            if change is None:
                return found
            tried.append(change)
            found[change.place] = self._apply(looked, change, sent)

    def _apply(self, looked: Looked, change: Change, sent: dict[int, Sent]) -> Problem | None:
        """Does one thing in Moment and notes it. It is in doubt from before until it is known to be done."""
        before = sent.get(change.place)
        self.check()
        self._note(looked.number, sent, change.place, Sent(IN_DOUBT, moved=before.moved if before else None))
        try:
            self._act(looked.number, change)
        except ExpenseInvoiced:
            return self._stays(looked.number, change, before, sent)
        except MomentRefused as error:
            self._note(looked.number, sent, change.place, before)
            if isinstance(error, UnknownProject) and change.expense is not None:
                self.store.forget_project(change.expense.project_number)
            return Problem(
                f"Row {change.row} ({described(change.expense)}): {error.reason}",
                "Mend the cause in Moment or in the supplier invoice; it is tried again when that changes, "
                "every six hours, and when you retry this event.",
            )
        after = None if change.expense is None else Sent(change.expense.digest, moved=before.moved if before else None)
        self._note(looked.number, sent, change.place, after)
        self.store.count(DONE[change.action])
        log.info("expense.sent", given_number=looked.number, place=change.place, action=str(change.action))
        return None

    def _act(self, number: str, change: Change) -> None:
        name = external_id(number, change.place, self.rules.ledger)
        if change.expense is None:
            return self._withdraw(name)
        expense = change.expense.model_copy(update={"external_id": name})
        if change.action is Action.CORRECT:
            return self._correct(expense, or_create=True)
        try:
            self.moment.create(self.company, expense)
        except ExpenseExists:
            self._correct(expense, or_create=False)

    def _correct(self, expense: Expense, *, or_create: bool) -> None:
        """Whether it is billable is a person's to say in Moment, and stays as it is there."""
        try:
            found = self.moment.expense(self.company, expense.external_id)
        except NotThere:
            if not or_create:
                raise
            return self.moment.create(self.company, expense)
        if not expense.as_found(found):
            billable = found.get("billable", expense.billable)
            self.moment.correct(self.company, expense.model_copy(update={"billable": billable}))

    def _withdraw(self, expense_id: str) -> None:
        try:
            self.moment.withdraw(self.company, expense_id)
        except NotThere:
            return  # a person, or somebody before us, was quicker

    def _stays(self, number: str, change: Change, before: Sent | None, sent: dict[int, Sent]) -> Problem | None:
        """The expense is invoiced to the customer already: it stays, and a person is told what changed."""
        told = WITHDRAWN if change.expense is None else change.expense.digest
        there = self._there(number, change.place)
        has = before.digest if before else IN_DOUBT
        if has == IN_DOUBT and (expense := _read(there)):
            has = expense.digest
        self._note(number, sent, change.place, Sent(has, told, before.moved if before else None))
        return _difference(change, there)

    def _differs(self, number: str, change: Change) -> Problem | None:
        return _difference(change, self._there(number, change.place))

    def _there(self, number: str, place: int) -> Mapping[str, Any] | None:
        """The expense as Moment has it; None where a person has settled it by deleting it."""
        try:
            return self.moment.expense(self.company, external_id(number, place, self.rules.ledger))
        except NotThere:
            return None

    def _forget_settled(self, number: str, wanted: Mapping[int, Expense], sent: dict[int, Sent]) -> None:
        """What a person was told of is over where Fortnox says again what Moment has."""
        for row, expense in wanted.items():
            place = place_of(row, sent)
            if (one := sent.get(place)) and one.told and expense.digest == one.digest:
                self._note(number, sent, place, replace(one, told=""))

    def _note(self, number: str, sent: dict[int, Sent], place: int, one: Sent | None) -> None:
        if one is None:
            sent.pop(place, None)
        else:
            sent[place] = one
        self.store.send(number, sent)


def _skipped(looked: Looked) -> str:
    """`payable 1, account_not_chosen 3 4`: which rows do not count, by why."""
    rows: dict[str, list[str]] = {}
    for row in looked.rows:
        if row.reason is not None:
            rows.setdefault(row.reason.code, []).append(str(row.number))
    return ", ".join(f"{why} {' '.join(numbers)}" for why, numbers in rows.items())


def _no_answer(error: FortnoxError | MomentError) -> Problem:
    reason = explain(error)[0] if isinstance(error, FortnoxError) else error.reason
    return Problem(
        f"{reason} It was tried for about a day.", "It is tried again every six hours, and when you retry it."
    )


def _difference(change: Change, there: Mapping[str, Any] | None) -> Problem | None:
    if there is None:
        return None
    expense = _read(there)
    was = described(expense) if expense else "unreadable"
    return Problem(
        f"Row {change.row}: the expense is already invoiced to the customer in Moment, so it stays as it is there "
        f"({was}). In Fortnox it is now: {described(change.expense)}.",
        "Settle the difference with the customer if need be, then skip this event.",
    )


DONE = {Action.CREATE: "created", Action.CORRECT: "corrected", Action.WITHDRAW: "withdrawn"}


def described(expense: Expense | None) -> str:
    """The expense in a few words, for a person."""
    if expense is None:
        return "no expense any more"
    amount = f"{expense.amount_excluding_vat:.2f} {expense.currency_code}"
    return f"{amount} on account {expense.account_number}, project {expense.project_number}"


def _read(document: Mapping[str, Any] | None) -> Expense | None:
    try:
        return Expense.model_validate(document)
    except ValueError:
        return None
