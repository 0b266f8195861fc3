"""The sync between a Fortnox and a Moment that keep their rules, over HTTP, with a real Redis."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs

from delivery.expenses.applier import described
from delivery.expenses.pace import Pace
from delivery.expenses.sync import ExpenseSync, SyncResult, open_sync
from fortnox.client import Fortnox
from fortnox.errors import Unavailable
from fortnox.transport import Http, Transport
from mappers.expense import ExpenseRow, ProjectState, Rules
from messages import Message, Money
from messages.catalogue import say
from moment.api import MomentApi
from moment.errors import MomentUnavailable
from stores import ExpenseStore
from tests.fortnox_things import COMPANY, ServiceTokens
from tests.services import Sandbox

ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1", "ItemDescription": "Reglar"}
PAGE, ONE, PENDING = "GET /3/supplierinvoices", "GET /3/supplierinvoices/{GivenNumber}", "pending"


@dataclass
class Office:
    """A company's sync and both its sides, in the words of a test."""

    sync: ExpenseSync
    sandbox: Sandbox
    reopened: Callable[[Rules], ExpenseSync]
    before_request: list[Callable[[], None]] = field(default_factory=list)

    def poll(self) -> list[SyncResult]:
        """A whole poll, as the task does it."""
        soon, lister = time.monotonic() + 600, self.sync.lister
        assert lister.queue_listed("changes", soon)
        lister.queue_approved()
        assert lister.queue_listed("import", soon)
        lister.queue_awaiting_projects(soon)
        return list(self.sync.work(soon))

    def enter(self, *rows: dict[str, Any], **more: Any) -> str:
        return self.sandbox.supplier_invoice(COMPANY, *(rows or (ROW,)), **more)

    def act(self, number: str, action: str) -> None:
        self.sandbox.post(f"supplierinvoices/{number}/{action}", {"tenant": COMPANY})

    def clock(self, moment: str) -> None:
        self.sandbox.post("clock", {"now": moment})

    def advances(self, **duration: float) -> None:
        self.sandbox.post("clock", {"advance_seconds": timedelta(**duration).total_seconds()})

    def expenses(self) -> dict[str, str]:
        return {name: one["amountExcludingVat"] for name, one in self.sandbox.expenses(COMPANY).items()}

    def requests(self) -> Counter[str]:
        """What Fortnox was asked since this was last called."""
        entries = self.sandbox.get("requests", tenant=COMPANY)["requests"]
        self.sandbox.delete("requests")
        return Counter(PENDING if "authorizepending" in e.get("query", "") else e["kind"] for e in entries)

    def moments(self, control: str, **body: Any) -> None:
        self.sandbox.in_moment("POST", control, body)

    def rules(self, **changed: Any) -> None:
        self.sync = self.reopened(replace(self.sync.reader.rules, **changed))


@pytest.fixture
def office(
    sandbox: Sandbox, http: Http, tokens: ServiceTokens, redis_url: str, redis_client: "redis.Redis"
) -> Iterator[Office]:
    sandbox.post("options", {"rate_limit_enabled": False, "access_token_seconds": 10**9})
    hooks: list[Callable[[], None]] = []

    def before(_company: str, _leave: int) -> None:
        if hooks:
            hooks.pop(0)()

    with redis.Redis.from_url(redis_url, decode_responses=True) as store:

        def opened(rules: Rules) -> ExpenseSync:
            return open_sync(
                COMPANY,
                fortnox=Fortnox(Transport(sandbox.fortnox, tokens, http=http, before_request=before), COMPANY),
                moment=MomentApi(f"{sandbox.moment}/api/1.0", SecretStr("sandbox-key")),
                store=ExpenseStore(store, COMPANY),
                rules=rules,
                check=lambda: None,
                pace=Pace(),
            )

        sandbox.moment_project(COMPANY, "1")
        sandbox.post("projects", {"tenant": COMPANY, "number": "1", "StartDate": "2026-01-01"})
        office = Office(opened(Rules(accounts=("4010",))), sandbox, opened, hooks)
        office.clock("2026-11-22T09:00:30+01:00")
        yield office


def why(row: ExpenseRow) -> Message | None:
    return row.reason and row.reason.message


def rows_told(result: SyncResult) -> list[str]:
    return [str(problem.reason.params["row"]) for problem in result.problems]


# Requests


def test_an_idle_poll_costs_one_request_and_a_changed_supplier_invoice_one_more(office: Office) -> None:
    office.poll()
    office.advances(minutes=5)
    numbers = [office.enter() for _ in range(3)]
    office.advances(minutes=5)
    office.requests()

    office.poll()

    assert office.requests() == {PAGE: 1, PENDING: 1, ONE: 3, "GET /3/projects/{ProjectNumber}": 1}
    assert office.expenses() == {f"fortnox:{n}:2": "1000.00" for n in numbers}
    for _ in range(3):
        office.advances(minutes=10)
        office.poll()
        assert office.requests() == {PAGE: 1}


def test_what_cannot_count_costs_no_request_of_its_own(office: Office) -> None:
    office.rules(from_date=date(2026, 11, 1))
    office.poll()
    office.requests()
    office.enter(booked=False)
    office.enter(cancelled=True)
    office.enter(invoice={"InvoiceDate": "2026-10-31"})

    office.poll()

    assert office.requests() == {PAGE: 1}
    assert office.expenses() == {}


def test_a_change_in_the_minute_of_a_poll_is_not_missed(office: Office) -> None:
    number = office.enter()
    office.poll()
    office.enter({**ROW, "Debit": "1500.00"}, invoice={"GivenNumber": number})  # the same minute

    office.advances(minutes=10)
    office.poll()

    assert office.expenses() == {f"fortnox:{number}:2": "1500.00"}


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize(
    ("polled", "changed", "again"),
    [
        ("2026-11-22T09:00:59+01:00", "2026-11-22T09:01:00+01:00", "2026-11-22T09:11:00+01:00"),
        ("2026-11-22T09:00:59+01:00", "2026-11-22T09:00:59+01:00", "2026-11-22T09:10:59+01:00"),
        ("2026-10-25T02:55:00+02:00", "2026-10-25T02:05:00+01:00", "2026-10-25T02:10:00+01:00"),  # the hour comes twice
        ("2026-10-25T02:59:00+02:00", "2026-10-25T02:00:30+01:00", "2026-10-25T03:01:00+01:00"),
        ("2026-10-25T02:50:00+01:00", "2026-10-25T02:50:30+01:00", "2026-10-25T03:00:00+01:00"),
        ("2026-03-29T01:59:30+01:00", "2026-03-29T03:00:10+02:00", "2026-03-29T03:09:30+02:00"),  # an hour is left out
    ],
)
def test_no_change_falls_between_two_polls(
    office: Office, polled: str, changed: str, again: str, inclusive: bool
) -> None:
    office.sandbox.tenant(COMPANY, lastmodified_inclusive=inclusive)
    office.clock(polled)
    office.poll()
    office.clock(changed)
    number = office.enter()
    office.clock(again)

    office.poll()

    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}


def test_a_list_of_several_pages_is_read_to_its_end_though_rows_shift_and_a_poll_stops_in_between(
    office: Office,
) -> None:
    office.enter({**ROW, "Project": ""}, copies=1009)
    office.clock("2026-11-22T10:00:00+01:00")

    def later() -> None:
        office.clock("2026-11-22T10:30:00+01:00")
        office.enter(invoice={"GivenNumber": "5000"})

    office.before_request[:] = [lambda: None, later]
    office.requests()

    while not office.sync.lister.queue_listed("changes", time.monotonic() + 0.001):
        assert office.sync.store.cursor is None  # nothing counts as listed before all of it is on the list

    assert office.sync.store.queued() == 1011
    assert office.requests()[PAGE] == 6  # the total changed on the way, so it was read again
    cursor = office.sync.store.cursor  # when its first page was read, and not later
    assert cursor is not None
    assert cursor < datetime.fromisoformat("2026-11-22T10:01:00+01:00")


def test_no_row_is_missed_though_a_change_moves_one_from_a_page_to_another(office: Office) -> None:
    office.sandbox.tenant(COMPANY, supplier_invoices_by_change=True)
    office.enter({**ROW, "Project": ""}, copies=1009)
    office.clock("2026-11-22T10:00:00+01:00")
    moves = [lambda: None, lambda: office.enter(invoice={"GivenNumber": "3"})]  # from the first page to the last
    office.before_request[:] = moves  # type: ignore[assignment]  # what it returns is of no use

    assert office.sync.lister.queue_listed("changes", time.monotonic() + 600)

    assert office.sync.store.queued() == 1010


@pytest.mark.parametrize("asked_at_page", [1, 2, 3])
def test_an_import_that_reaches_further_is_not_lost_whenever_it_is_asked_for(
    office: Office, asked_at_page: int
) -> None:
    office.clock("2026-09-15T09:00:00+02:00")
    old = office.enter({**ROW, "Project": "7"})
    office.clock("2026-11-20T09:00:00+01:00")
    office.enter({**ROW, "Project": ""}, copies=1009)  # three pages
    office.poll()
    office.clock("2026-11-22T09:00:00+01:00")
    office.sync.store.ask_import(35)
    office.before_request[:] = [lambda: None] * (asked_at_page - 1) + [lambda: office.sync.store.ask_import(90)]

    assert office.sync.lister.queue_listed("import", time.monotonic() + 600)

    assert office.sync.store.listing("import") is None
    assert old in {looked.number for looked in office.sync.work(time.monotonic() + 600)}


def test_an_import_reaches_back_by_fortnoxs_clock_where_it_goes_on_in_another_process(office: Office) -> None:
    """One that begins with the import has no answer of Fortnox yet, and its machine's clock may be wrong."""
    office.clock("2020-03-02T09:00:00+01:00")
    number = office.enter({**ROW, "Project": "7"})
    office.clock("2020-03-20T09:00:00+01:00")
    office.poll()
    office.sync.store.ask_import(35)
    office.rules()  # a new process

    assert office.sync.lister.queue_listed("import", time.monotonic() + 600)

    assert [looked.number for looked in office.sync.work(time.monotonic() + 600)] == [number]


# Corrections


def test_a_corrected_amount_account_text_or_project_is_corrected_in_moment(office: Office) -> None:
    number = office.enter()
    office.poll()
    office.sandbox.moment_project(COMPANY, "2")
    office.sandbox.post("projects", {"tenant": COMPANY, "number": "2", "StartDate": "2026-01-01"})
    office.rules(accounts=("4000-4999",))
    changed = {"Account": 4600, "Debit": "900.00", "Project": "2", "ItemDescription": "Plåt"}
    office.enter(changed, invoice={"GivenNumber": number})

    office.poll()

    (found,) = office.sandbox.expenses(COMPANY).values()
    assert (found["accountNumber"], found["projectNumber"], found["description"]) == ("4600", "2", "Plåt")
    assert found["amountExcludingVat"] == "900.00"
    assert found["writes"] == {"POST": 1, "PUT": 1}


def test_what_a_person_chose_in_moment_about_billing_stays(office: Office) -> None:
    number = office.enter()
    office.poll()
    name = f"fortnox:{number}:2"
    there = {k: v for k, v in office.sandbox.expenses(COMPANY)[name].items() if k not in ("writes", "invoiced")}
    office.sync.applier.moment._call(
        "PUT", "/companies/{company}/projectExpenses/{id}", COMPANY, name,
        body=office.sync.reader.read(number).rows[1].expense.model_copy(update={"billable": False}),  # type: ignore[union-attr]
    )  # fmt: skip
    assert there["billable"] is True
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})

    office.poll()

    found = office.sandbox.expenses(COMPANY)[name]
    assert (found["amountExcludingVat"], found["billable"]) == ("1200.00", False)


@pytest.mark.parametrize("how", ["cancelled", "recoded", "project removed", "unposted project", "row removed"])
def test_what_counts_no_more_is_withdrawn(office: Office, how: str) -> None:
    number = office.enter(ROW, {**ROW, "Debit": "50.00"})
    office.poll()
    assert len(office.expenses()) == 2
    match how:
        case "cancelled":
            office.act(number, "cancel")
        case "recoded":
            office.enter({**ROW, "Account": 5010}, {**ROW, "Account": 5010}, invoice={"GivenNumber": number})
        case "project removed":
            office.enter({**ROW, "Project": ""}, {**ROW, "Project": ""}, invoice={"GivenNumber": number})
        case "unposted project":
            office.enter({**ROW, "Project": "9"}, {**ROW, "Project": "9"}, invoice={"GivenNumber": number})
        case "row removed":
            office.enter({**ROW, "Debit": "1.00"}, invoice={"GivenNumber": number})

    office.poll()

    assert list(office.expenses()) == ([f"fortnox:{number}:2"] if how == "row removed" else [])
    assert office.sync.store.sent(number).keys() == ({2} if how == "row removed" else set())


def test_a_suppliers_credit_note_is_a_negative_expense(office: Office) -> None:
    number = office.enter({**ROW, "Debit": 0, "Credit": "400.00"}, vat="-100.00")
    office.poll()
    assert office.expenses() == {f"fortnox:{number}:3": "-400.00"}


def test_foreign_currency_comes_in_kronor_with_the_original_in_the_text(office: Office) -> None:
    row = {**ROW, "Debit": "11420.00", "DebitCurrency": "1000.00"}
    office.enter(row, invoice={"Currency": "EUR", "CurrencyRate": "11.42"})
    office.poll()
    (found,) = office.sandbox.expenses(COMPANY).values()
    assert (found["amountExcludingVat"], found["currencyCode"]) == ("11420.00", "SEK")
    assert found["description"] == "Reglar (1000.00 EUR)"


# Approval, projects


def test_an_approval_alone_is_noticed_at_the_next_poll_though_lastmodified_says_nothing(office: Office) -> None:
    number = office.enter(approved=False)
    office.advances(minutes=5)
    office.poll()
    office.advances(hours=5)
    assert office.poll() == []
    assert office.expenses() == {}
    office.act(number, "approve")
    office.sync.store._redis.delete("mf:expenses:acme:pending")  # what was asked a minute ago has expired
    office.requests()

    office.poll()

    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}
    assert office.requests() == {PAGE: 1, PENDING: 1, ONE: 1, "GET /3/projects/{ProjectNumber}": 1}


def test_a_project_that_comes_later_is_found_by_the_nightly_reconciliation(office: Office) -> None:
    number = office.enter({**ROW, "Project": "7"})
    (looked,) = office.poll()
    assert why(looked.reading.rows[-1]) == Message("expense.project-unknown", project="7")
    office.sandbox.moment_project(COMPANY, "7")
    office.sandbox.post("projects", {"tenant": COMPANY, "number": "7"})
    office.advances(days=1)
    office.sync.store.ask_import(35)
    (looked,) = office.poll()
    assert why(looked.reading.rows[-1]) == Message("expense.project-no-start", project="7")
    office.sandbox.post("projects", {"tenant": COMPANY, "number": "7", "StartDate": "2026-11-01"})
    office.sync.store.ask_import(35)

    office.poll()

    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}


def test_what_a_person_asks_is_answered_by_both_systems_and_remembered_by_nobody(office: Office) -> None:
    number = office.enter({**ROW, "Project": "7"})
    office.sync.reader.read(number, fresh=True)
    assert office.sync.store.project("7") is None
    office.poll()
    assert office.sync.store.project("7") is not None
    office.sandbox.moment_project(COMPANY, "7")
    office.sandbox.post("projects", {"tenant": COMPANY, "number": "7", "StartDate": "2026-01-01"})
    assert office.sync.sync(number).reading.rows[-1].expense is None  # which is believed for five minutes

    assert office.sync.sync(number, fresh=True).reading.rows[-1].expense is not None

    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}


def test_projects_that_lack_something_are_asked_about_again_after_five_minutes(office: Office) -> None:
    store, lacking = office.sync.store, ProjectState(in_moment=False, starts=False)
    store.cache_project("7", lacking, timedelta(minutes=5))
    store.cache_project("8", lacking, timedelta(minutes=99))
    assert 0 < store._redis.pttl("mf:expenses:acme:unfit") <= 300_000
    assert store.project("8") == lacking
    store.cache_project("8", ProjectState(in_moment=True, starts=True), timedelta(days=1))
    assert store.project("8") == (True, True)


def test_the_log_tells_which_rows_were_passed_over_and_why_but_no_names(office: Office) -> None:
    number = office.enter(ROW, {**ROW, "Account": 5010}, {**ROW, "Project": "7"}, {**ROW, "Account": 6540}, vat="9.00")

    with capture_logs() as logs:
        office.poll()

    (looked,) = (one for one in logs if one["event"] == "expense.looked")
    assert looked["given_number"] == number
    assert looked["skipped"] == "payable 1, vat 2, account_not_chosen 4 6, project_unknown 5"
    assert "Virke" not in str(logs)
    assert "Reglar" not in str(logs)


def test_an_import_reaches_back_so_many_days_and_no_further(office: Office) -> None:
    office.clock("2026-10-01T09:00:00+02:00")
    office.poll()
    old = office.enter({**ROW, "Account": 5010})
    office.clock("2026-11-01T09:00:00+01:00")
    recent = office.enter({**ROW, "Account": 5010})
    office.poll()
    office.clock("2026-11-22T09:00:00+01:00")
    office.rules(accounts=("5010",))
    office.sync.store.ask_import(30)

    assert {looked.number for looked in office.poll()} == {recent}

    office.sync.store.ask_import(60)
    assert {looked.number for looked in office.poll()} == {old, recent}
    assert set(office.expenses()) == {f"fortnox:{old}:2", f"fortnox:{recent}:2"}


def test_a_project_that_comes_later_is_noticed_for_a_supplier_invoice_of_any_age(office: Office) -> None:
    office.clock("2026-06-01T09:00:00+02:00")
    old = office.enter({**ROW, "Project": "7"}, {**ROW, "Project": "8"})
    other = office.enter({**ROW, "Project": "8"})
    office.poll()
    office.clock("2026-11-22T09:00:00+01:00")
    office.poll()
    office.sandbox.moment_project(COMPANY, "7")
    office.sandbox.post("projects", {"tenant": COMPANY, "number": "7", "StartDate": "2026-01-01"})
    office.sync.store.ask_import(35)

    assert [looked.number for looked in office.poll()] == [old]

    assert office.expenses() == {f"fortnox:{old}:2": "1000.00"}
    office.sync.store.ask_import(35)
    assert office.poll() == []
    assert office.sync.store.waiting_for("8") == {old, other}


# Failures


def test_an_expense_already_invoiced_is_not_touched_and_a_person_is_told_once_what_changed(office: Office) -> None:
    number = office.enter()
    office.poll()
    name = f"fortnox:{number}:2"
    office.moments("expenses", company=COMPANY, externalId=name, invoiced=True)
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})

    (looked,) = office.poll()

    invoiced, now = (
        Message("expense.described", amount=Money(Decimal(amount), "SEK"), account="4010", project="1")
        for amount in ("1000.00", "1200.00")
    )
    assert looked.reason == Message("expense.already-invoiced", row="2", invoiced=invoiced, now=now)
    assert say(looked.reason) == (
        "Row 2: the expense has already been invoiced to the customer, so it stays in Moment as it is (1,000.00 SEK on "
        "account 4010, project 1). In Fortnox it is now: 1,200.00 SEK on account 4010, project 1."
    )
    assert office.expenses() == {name: "1000.00"}
    assert office.sync.sync(number).problems == looked.problems  # nobody lived to tell of it
    office.sync.store.set_failure(number, "an event tells of it")
    again = office.sync.sync(number)
    assert (again.problems, again.unresolved) == ((), True)
    office.act(number, "cancel")
    assert office.sync.sync(number).reason.params["now"] == described(None)
    assert office.sync.sync(number).problems == ()


def test_one_telling_names_every_row_that_differs_from_what_was_invoiced(office: Office) -> None:
    number = office.enter(ROW, {**ROW, "Debit": "500.00"})
    office.poll()
    for row in (2, 3):
        office.moments("expenses", company=COMPANY, externalId=f"fortnox:{number}:{row}", invoiced=True)
    office.enter({**ROW, "Debit": "1200.00"}, {**ROW, "Debit": "500.00"}, invoice={"GivenNumber": number})
    assert rows_told(office.sync.sync(number)) == ["2"]
    office.sync.store.set_failure(number, "an event tells of it")

    office.enter({**ROW, "Debit": "1200.00"}, {**ROW, "Debit": "700.00"}, invoice={"GivenNumber": number})

    assert rows_told(office.sync.sync(number)) == ["2", "3"]


def test_an_invoiced_expense_that_is_as_it_was_again_is_settled(office: Office) -> None:
    number = office.enter()
    office.poll()
    office.moments("expenses", company=COMPANY, externalId=f"fortnox:{number}:2", invoiced=True)
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})
    assert office.sync.sync(number).problems
    office.enter(ROW, invoice={"GivenNumber": number})

    settled = office.sync.sync(number)

    assert (settled.problems, settled.unresolved) == ((), False)
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})
    assert office.sync.sync(number).problems  # a new change, and so told anew


def invoices(office: Office, number: str, row: int) -> None:
    """Somebody invoices the expense of that row to the customer."""
    office.moments("expenses", company=COMPANY, externalId=f"fortnox:{number}:{row}", invoiced=True)


def test_rows_that_move_take_their_expenses_with_them(office: Office) -> None:
    rows = [{**ROW, "Debit": f"{n}.00"} for n in (1, 2, 3)]
    number = office.enter(*rows)
    office.poll()
    office.enter(*rows, vat="250.00", invoice={"GivenNumber": number})
    office.poll()
    assert office.expenses() == {f"fortnox:{number}:{row}": f"{row - 2}.00" for row in (3, 4, 5)}
    office.enter(*rows, invoice={"GivenNumber": number})
    office.poll()
    assert office.expenses() == {f"fortnox:{number}:{row}": f"{row - 1}.00" for row in (2, 3, 4)}


def test_an_invoiced_expense_whose_row_moves_is_not_there_a_second_time(office: Office) -> None:
    rows = [ROW, {**ROW, "Debit": "500.00"}]
    number = office.enter(*rows)
    office.poll()
    invoices(office, number, 2)
    before = office.sandbox.expenses(COMPANY)[f"fortnox:{number}:2"]
    office.enter(*rows, vat="250.00", invoice={"GivenNumber": number})

    (looked,) = office.poll()

    assert (looked.problems, looked.unresolved) == ((), False)
    assert office.expenses() == {f"fortnox:{number}:2": "1000.00", f"fortnox:{number}:4": "500.00"}
    assert office.sandbox.expenses(COMPANY)[f"fortnox:{number}:2"] == before
    office.enter({**ROW, "Debit": "1200.00"}, rows[1], vat="250.00", invoice={"GivenNumber": number})
    (looked,) = office.poll()
    assert rows_told(looked) == ["3"]  # where it is now
    office.enter(*rows, invoice={"GivenNumber": number})
    (looked,) = office.poll()
    assert (looked.problems, looked.unresolved) == ((), False)
    assert office.expenses() == {f"fortnox:{number}:2": "1000.00", f"fortnox:{number}:3": "500.00"}


def test_a_new_row_before_an_invoiced_one_gets_the_id_that_is_free(office: Office) -> None:
    number = office.enter()
    office.poll()
    invoices(office, number, 2)
    office.enter({**ROW, "Debit": "7.00"}, ROW, invoice={"GivenNumber": number})

    (looked,) = office.poll()

    assert (looked.problems, looked.unresolved) == ((), False)
    assert office.expenses() == {f"fortnox:{number}:2": "1000.00", f"fortnox:{number}:3": "7.00"}


def test_an_invoiced_row_that_was_taken_out_and_told_of_is_over_when_it_comes_again_elsewhere(office: Office) -> None:
    number = office.enter()
    office.poll()
    invoices(office, number, 2)
    office.enter({**ROW, "Project": ""}, invoice={"GivenNumber": number})
    (looked,) = office.poll()
    assert looked.reason.params["now"] == described(None)
    office.sync.store.set_failure(number, "an event tells of it")
    office.enter({**ROW, "Project": ""}, ROW, invoice={"GivenNumber": number})

    (looked,) = office.poll()

    assert (looked.problems, looked.unresolved) == ((), False)
    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}


def test_who_waits_for_approval_is_asked_anew_for_what_is_listed_anew(office: Office) -> None:
    office.enter()
    office.poll()
    office.enter(approved=False)  # within the minute in which it is believed who waits

    (looked,) = [one for one in office.poll() if one.number == "2"]

    assert looked.reading.pending
    assert list(office.expenses()) == ["fortnox:1:2"]


def test_a_refused_expense_stays_on_the_list_and_in_nobodys_way(office: Office) -> None:
    bad, good = office.enter({**ROW, "Debit": "1.005"}), office.enter()
    office.moments("faults", kind="fail_next", status=400, message="no", path="/api/1.0", method="POST")

    first, second = office.poll()

    assert (first.number, second.number) == (bad, good)
    assert (first.reason.key, first.reason.params["row"]) == ("expense.rejected", "2")
    assert "Moment refused it" in say(first.reason)
    assert first.remedy == Message("expense.correct-cause")
    assert list(office.expenses()) == [f"fortnox:{good}:2"]
    assert office.sync.store.queued() == 1
    assert office.sync.store.take(datetime.now().astimezone(), timedelta(0)) is None  # not before six hours
    assert office.sync.store.take(datetime.now().astimezone() + timedelta(hours=7), timedelta(0)) == bad


@pytest.mark.parametrize("kind", ["drop_before", "drop_response_after_write"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_to_moment_whose_answer_is_lost_is_made_good(office: Office, kind: str, method: str) -> None:
    number = office.enter(ROW, ROW)
    if method != "POST":
        office.poll()
        second = {**ROW, "Project": ""} if method == "DELETE" else {**ROW, "Debit": "5.00"}
        office.enter(ROW, second, invoice={"GivenNumber": number})
    office.moments("faults", kind=kind, method=method)

    with pytest.raises(MomentUnavailable):
        office.poll()
    assert office.sync.sync(number).problems == ()

    right = {"POST": ["1000.00", "1000.00"], "PUT": ["1000.00", "5.00"], "DELETE": ["1000.00"]}[method]
    assert list(office.expenses().values()) == right
    assert "?" not in {sent.digest for sent in office.sync.store.sent(number).values()}


def test_a_write_in_doubt_is_made_good_though_the_row_counts_no_more(office: Office) -> None:
    number = office.enter()
    office.moments("faults", kind="drop_response_after_write", method="POST")
    with pytest.raises(MomentUnavailable):
        office.poll()
    assert len(office.expenses()) == 1
    office.act(number, "cancel")

    office.sync.sync(number)

    assert office.expenses() == {}


def test_what_fortnox_does_not_answer_is_looked_at_later_and_the_others_now(office: Office) -> None:
    first, second = office.enter(), office.enter()
    office.advances(minutes=5)
    office.sandbox.fault("fail_next", status=500, path=f"/3/supplierinvoices/{first}")
    with pytest.raises(Unavailable):
        office.poll()

    assert [looked.number for looked in office.poll()] == [second]
    assert office.sync.store.queued() == 1


def test_a_person_is_told_of_what_gets_no_answer_for_a_day(office: Office) -> None:
    number = office.enter()
    office.sync.store.failing_since(number, datetime.now(UTC) - timedelta(hours=25))
    office.moments("faults", kind="fail_next", status=503, method="POST")

    (looked,) = office.poll()

    assert looked.number == number
    assert looked.reason == Message("expense.unanswered", reason=Message("moment.answered", status="503"))
    assert [one.problems for one in office.poll()] == [()]  # it goes through, and its trouble is forgotten
    assert office.sync.store.failing_since(number, datetime.max.replace(tzinfo=UTC)).year == 9999


def test_a_supplier_invoice_that_changed_goes_before_the_backlog(office: Office) -> None:
    for _ in range(5):
        office.enter()
    office.advances(minutes=5)
    office.sync.lister.queue_listed("changes", time.monotonic() + 600)  # the first listing: all of it is backlog
    office.advances(minutes=5)
    changed = office.enter(invoice={"GivenNumber": "5"})
    office.sync.lister.queue_listed("changes", time.monotonic() + 600)

    assert next(iter(office.sync.work(time.monotonic() + 600))).number == changed


def test_amounts_are_decimals_from_end_to_end(office: Office) -> None:
    number = office.enter({**ROW, "Debit": "0.10"}, {**ROW, "Debit": "0.20"}, {**ROW, "Debit": "123456789.01"})
    office.poll()
    assert [Decimal(a) for a in office.expenses().values()] == [
        Decimal("0.10"), Decimal("0.20"), Decimal("123456789.01"),
    ]  # fmt: skip
    office.poll()
    assert all(one["writes"] == {"POST": 1, "PUT": 0} for one in office.sandbox.expenses(COMPANY).values())
    assert number


# What ledgers and answers really hold


def test_an_article_row_costs_what_its_total_says(office: Office) -> None:
    office.sandbox.tenant(COMPANY, article_rows_without_debit=True)
    number = office.enter({**ROW, "ArticleNumber": "R-45"}, {**ROW, "Debit": "500.00"}, vat="375.00")
    euro = {**ROW, "ArticleNumber": "R-45", "Debit": "11420.00", "DebitCurrency": "1000.00"}
    foreign = office.enter(euro, invoice={"Currency": "EUR", "CurrencyRate": "11.42"})

    assert [result.problems for result in office.poll()] == [(), ()]

    assert office.expenses() == {
        f"fortnox:{number}:3": "1000.00",
        f"fortnox:{number}:4": "500.00",
        f"fortnox:{foreign}:2": "11420.00",
    }
    assert office.sandbox.expenses(COMPANY)[f"fortnox:{foreign}:2"]["description"] == "Reglar (1000.00 EUR)"


@pytest.mark.parametrize("accounts", [(), ("4535", "5420")])
def test_a_reverse_charge_purchase_costs_once(office: Office, accounts: tuple[str, ...]) -> None:
    office.sandbox.tenant(COMPANY, reverse_charge_bases=True)
    office.rules(accounts=accounts)
    row = {**ROW, "Account": 5420, "Project": ""}
    number = office.enter(row, invoice={"VATType": "EUINTERNAL", "Project": "1"})

    office.poll()

    assert office.expenses() == {f"fortnox:{number}:6": "1000.00"}


def test_what_the_grant_may_not_read_is_told_once_and_moment_keeps_what_it_has(office: Office) -> None:
    number = office.enter()
    office.poll()
    office.sandbox.tenant(COMPANY, hidden_fields=["Project"])
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})

    (result,) = office.poll()

    hidden = Message("expense.hidden-field", field="Project")
    assert result.reason == Message("expense.unclear-rows", rows="2", reason=hidden)
    assert result.remedy == Message("expense.grant-permission")
    assert office.expenses() == {f"fortnox:{number}:2": "1000.00"}
    office.sandbox.tenant(COMPANY, hidden_fields=[])
    assert office.sync.sync(number).problems == ()
    assert office.expenses() == {f"fortnox:{number}:2": "1200.00"}


@pytest.mark.parametrize("field", ["InvoiceDate", "Booked", "Cancel", "Cancelled", "SupplierInvoiceRows"])
def test_what_a_list_hides_is_not_taken_for_a_supplier_invoice_that_does_not_count(office: Office, field: str) -> None:
    office.sandbox.tenant(COMPANY, hidden_fields=[field])
    office.enter()

    (result,) = office.poll()

    if field == "Cancel":  # which only the list has
        assert result.problems == ()
    else:
        assert str(field) in say(result.reason)
        assert office.expenses() == {}


ODD: list[dict[str, Any]] = [
    {"invoice": {"InvoiceDate": "2026-13-45"}},
    {"invoice": {"InvoiceDate": "0001-01-01"}},
    {"invoice": {"InvoiceDate": "99999-01-01"}},
    {"row": {"Debit": "1E+40"}},
    {"row": {"Account": 10**200}},
    {"row": {"Project": "1" * 5000}},
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_supplier_invoice_is_its_own_problem_alone(office: Office, odd: dict[str, Any]) -> None:
    bad = office.enter(ROW | odd.get("row", {}), invoice=odd.get("invoice", {}))
    good = office.enter()

    results = {result.number: result for result in office.poll()}

    assert results[good].problems == ()
    assert list(office.expenses()) == [f"fortnox:{good}:2"]
    assert "expense.unreadable-field" in {results[bad].reason.key, getattr(cause(results[bad]), "key", "")}
    assert results[bad].remedy == Message("expense.correct-in-fortnox")


def cause(result: SyncResult) -> object:
    return result.reason.params.get("reason")


def test_a_supplier_invoice_that_fortnox_or_moment_refuses_to_speak_of_is_its_own_problem_alone(office: Office) -> None:
    first, second, good = office.enter(), office.enter({**ROW, "Project": "7"}), office.enter()
    office.sandbox.fault("fail_next", status=400, code=1, message="Nej", path=f"/3/supplierinvoices/{first}")
    office.moments("faults", kind="fail_next", status=400, body="attachment", message="Odd number")

    results = {result.number: result for result in office.poll()}

    assert "Nej" in say(results[first].reason)
    assert "Odd number" in say(results[second].reason)
    assert results[good].problems == ()
    assert office.sync.store.queued() == 2


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"SupplierInvoice": []}',
        '{"SupplierInvoice": {"GivenNumber": {}}}',
        '{"SupplierInvoice": 1E999999999}',
        "[],",
        "null",
    ],
)
def test_an_answer_about_a_supplier_invoice_that_makes_no_sense_is_asked_for_again(
    office: Office, content: str
) -> None:
    bad, good = office.enter(), office.enter()
    office.advances(minutes=5)
    office.sandbox.fault("fail_next", status=200, body="raw", content=content, path=f"/3/supplierinvoices/{bad}")

    with pytest.raises(Unavailable):
        office.poll()

    assert [result.number for result in office.poll()] == [good]
    assert office.sync.sync(bad).problems == ()


@pytest.mark.parametrize(
    "meta",
    ["[]", '"many"', '{"@TotalPages": 1e30}', '{"@TotalPages": "99999999999999999999", "@TotalResources": {}}'],
)
def test_a_list_says_what_it_likes_of_its_pages_and_ends_all_the_same(office: Office, meta: str) -> None:
    number = office.enter()
    item = f'{{"GivenNumber": "{number}", "InvoiceDate": "2026-11-02", "Booked": true}}'
    for items in (item, ""):
        content = f'{{"MetaInformation": {meta}, "SupplierInvoices": [{items}]}}'
        office.sandbox.fault("fail_next", status=200, body="raw", content=content, path="/3/supplierinvoices")

    assert office.sync.lister.queue_listed("changes", time.monotonic() + 600)
    office.sandbox.delete("faults")

    assert [result.number for result in office.sync.work(time.monotonic() + 600)] == [number]


@pytest.mark.parametrize("year", ["0001", "2050"])
def test_a_clock_that_makes_no_sense_does_not_move_the_cursor_there(office: Office, year: str) -> None:
    office.clock(f"{year}-06-01T09:00:00+00:00")
    office.sync.store.ask_import(35)

    office.poll()

    cursor = office.sync.store.cursor
    assert cursor is not None
    assert abs(cursor - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize(
    "found",
    [
        '{"amountExcludingVat": 1E+999999999}',
        '{"amountExcludingVat": "NaN", "date": "0000-00-00"}',
        '{"billable": "perhaps"}',
        "[]",
        "null",
    ],
)
def test_an_expense_that_moment_shows_as_nonsense_is_corrected(office: Office, found: str) -> None:
    number = office.enter()
    office.poll()
    office.enter({**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})
    office.moments("faults", kind="fail_next", status=200, body="raw", content=found, path="/api/1.0", method="GET")

    (result,) = office.poll()

    assert result.problems == ()
    there = office.sandbox.expenses(COMPANY)[f"fortnox:{number}:2"]
    assert (there["amountExcludingVat"], there["billable"]) == ("1200.00", True)
