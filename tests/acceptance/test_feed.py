"""Fortnox's feed through real workers, with polls too far apart to help.

What somebody mends in Fortnox goes on by itself, and nothing else does.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.processes import ManagedProcess
from local.stack import Stack
from ordering import EventRecord
from tests.acceptance.conftest import System
from tests.unit.factories import a_line, customer_json, integration_json, invoice_json, project_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

ROW = {"Account": 4010, "Debit": 1000, "Project": "1"}


@dataclass
class Feed(System):
    """A running system with the feed. `first`: its worker."""

    first: ManagedProcess = field(kw_only=True)

    def hear(self, company: str) -> None:
        """Wait until the feed tells of this company."""
        tenant = self.stack.sandbox.state(company)["tenantId"]
        wait_until(lambda: tenant in self.stack.sandbox.get("feed")["tenants"], what="the feed to have the company")
        wait_until(lambda: self.stack.sandbox.get("feed")["subscribed"], what="the feed to be subscribed")

    def failed(self, company: str, event_id: str, code: str) -> EventRecord:
        record = self.settled(company, event_id)
        assert (record.status, record.code.partition(" ")[0]) == ("failed", code)
        return record

    def goes_through(self, company: str, event_id: str) -> EventRecord:
        def look() -> EventRecord | None:
            record = self.app.services.ordering.event(company, event_id)
            return record if record is not None and record.status == "done" else None

        found = wait_until(look, what=f"{event_id} to go through by itself")
        assert found is not None
        return found

    def untouched(self, *records: EventRecord) -> None:
        """Nothing was tried again since."""
        for before in records:
            now = self.app.services.ordering.event(before.company, before.id)
            assert now is not None
            assert (now.status, now.settled_at, now.attempts) == (before.status, before.settled_at, before.attempts)

    def quiet(self, company: str) -> None:
        """Wait until all that was told of the company so far was acted on."""
        feed = self.app.services.feed
        wait_until(lambda: not feed.waiting(1) and not feed.looking(), what="the hints to be acted on")

    def by_hand(self, company: str, method: str, path: str, *numbers: str, body: Any) -> None:
        """A person does this in Fortnox."""

        def ignore(_: Any) -> None:
            return None

        self.fortnox(company)._access.call(ignore, method, path, *numbers, body=body)

    def timeline(self, company: str, event_id: str) -> list[str]:
        return [one.what for one in self.app.services.telemetry.timeline.read(company, event_id)]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    with Stack(Path(tmp_path_factory.mktemp("feed")), feed=True, appendfsync="no") as stack:
        stack.start_services()
        stack.start_beat()
        worker = stack.start_worker()
        yield Feed(stack, create_app(stack.settings), first=worker)


def _of(company: str, event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "company": company}


def _invoice(company: str, event_id: str, number: int, **fields: Any) -> dict[str, Any]:
    defaults = {"event_id": event_id, "id": number, "invoice_number": number, "payment_id": None, "project": None}
    return _of(company, invoice_json(**{**defaults, "attachments": [], **fields}))


def _on(account: str) -> list[dict[str, Any]]:
    return [a_line(account_number=account)]


def _connect(feed: Feed, company: str, **options: Any) -> None:
    feed.connect(company, **options)
    feed.hear(company)
    feed.publish(_of(company, customer_json(event_id="c1")))
    assert feed.settled(company, "c1").status == "done"


def test_an_opened_account_releases_what_waited_for_it_and_nothing_else(feed: Feed) -> None:
    _connect(feed, "accounts")
    feed.publish(
        _invoice("accounts", "i1", 1, lines=_on("3098")),
        _invoice("accounts", "i2", 2, lines=_on("3098")),
        _invoice("accounts", "i3", 3, lines=_on("3097")),
    )
    for event_id in ("i1", "i2"):
        feed.failed("accounts", event_id, "account-unknown")
    other = feed.failed("accounts", "i3", "account-unknown")

    feed.stack.sandbox.account("accounts", 3098, vat_code="MP1")

    for event_id in ("i1", "i2"):
        feed.goes_through("accounts", event_id)
        assert "tried again" in feed.timeline("accounts", event_id)
    feed.quiet("accounts")
    feed.untouched(other)
    feed.stack.sandbox.account("accounts", 3097, vat_code="MP1", active=True)
    feed.goes_through("accounts", "i3")


def test_an_account_that_is_activated_releases_what_waited_for_it(feed: Feed) -> None:
    _connect(feed, "inactive")
    feed.stack.sandbox.account("inactive", 3010, active=False)
    feed.quiet("inactive")
    feed.publish(_invoice("inactive", "i1", 1))
    feed.failed("inactive", "i1", "account-inactive")
    feed.stack.sandbox.account("inactive", 3010, active=True)
    feed.goes_through("inactive", "i1")


def test_a_new_financial_year_releases_what_is_dated_in_it_and_nothing_else(feed: Feed) -> None:
    _connect(feed, "years")
    feed.stack.sandbox.post("financialyears", {"tenant": "years", "years": [2026]})
    feed.quiet("years")
    feed.publish(
        _invoice("years", "i1", 1, invoice_date="2027-01-15", due_date="2027-02-15"),
        _invoice("years", "i2", 2, invoice_date="2025-01-15", due_date="2027-02-15"),
    )
    feed.failed("years", "i1", "financial-year-missing")
    other = feed.failed("years", "i2", "financial-year-missing")

    feed.stack.sandbox.post("financialyears", {"tenant": "years", "years": [2026, 2027]})

    feed.goes_through("years", "i1")
    feed.quiet("years")
    feed.untouched(other)


def test_an_opened_period_releases_what_is_dated_in_it_and_nothing_else(feed: Feed) -> None:
    """It makes no event: it is asked for while something waits for it."""
    _connect(feed, "locked")
    feed.stack.sandbox.post("lock", {"tenant": "locked", "until": "2026-11-30"})
    feed.publish(
        _invoice("locked", "i1", 1, invoice_date="2026-11-20"),
        _invoice("locked", "i2", 2, invoice_date="2026-10-20"),
    )
    first = feed.failed("locked", "i1", "period-locked")
    other = feed.failed("locked", "i2", "period-locked")
    redis, locks = feed.app.services.redis, feed.app.services.polling.locks
    wait_until(lambda: locks.next("locked"), what="the locked period to be asked for later")
    asked = locks.next("locked")
    assert asked is not None
    assert asked - datetime.now(UTC) <= timedelta(minutes=5)
    redis.zadd("mf:timetable:locks", {"locked": 0})  # as if five minutes had passed
    wait_until(lambda: _asked_for_lock(feed) == 1, what="the locked period to be asked for")
    feed.untouched(first, other)

    feed.stack.sandbox.post("lock", {"tenant": "locked", "until": "2026-10-31"})
    redis.zadd("mf:timetable:locks", {"locked": 0})

    feed.goes_through("locked", "i1")
    feed.untouched(other)
    feed.stack.sandbox.post("lock", {"tenant": "locked", "until": None})
    redis.zadd("mf:timetable:locks", {"locked": 0})
    feed.goes_through("locked", "i2")
    redis.zadd("mf:timetable:locks", {"locked": 0})
    wait_until(lambda: locks.next("locked") is None, what="nothing to be asked for any more")
    assert _asked_for_lock(feed) == 3


def _asked_for_lock(feed: Feed) -> int:
    return feed.stack.sandbox.requests("locked").count("GET /3/settings/lockedperiod")


def test_a_customer_that_is_entered_again_releases_what_waited_for_it_and_nothing_else(feed: Feed) -> None:
    _connect(feed, "customers")
    feed.publish(_of("customers", customer_json(event_id="c2", customer_number="10002")))
    feed.goes_through("customers", "c2")
    for number in ("10001", "10002"):
        feed.stack.sandbox.delete(f"customers/{number}?tenant=customers")
    other = {"id": 2, "customerNumber": "10002"}
    feed.publish(_invoice("customers", "i1", 1), _invoice("customers", "i2", 2, customer=other))
    assert feed.settled("customers", "i1").status == "held"
    waits = feed.settled("customers", "i2")
    assert waits.status == "held"

    feed.stack.sandbox.customer("customers", "10001", Name="Skånska Bygg AB")

    feed.goes_through("customers", "i1")
    feed.quiet("customers")
    feed.untouched(waits)


def test_a_project_whose_period_is_mended_releases_what_waited_for_it_and_nothing_else(feed: Feed) -> None:
    _connect(feed, "projects")
    ended = {"end_date": "2026-10-31", "start_date": "2026-01-01"}
    for n in ("1", "2"):
        feed.publish(_of("projects", project_json(event_id=f"p{n}", project_number=n, **ended)))
        feed.goes_through("projects", f"p{n}")
    feed.publish(
        _invoice("projects", "i1", 1, project={"id": 1, "projectNumber": "1"}),
        _invoice("projects", "i2", 2, project={"id": 2, "projectNumber": "2"}),
    )
    for event_id in ("i1", "i2"):
        assert feed.settled("projects", event_id).code.startswith("project-period")
    waits = feed.settled("projects", "i2")

    feed.stack.sandbox.post("projects/1", {"tenant": "projects", "EndDate": "2027-12-31"})

    feed.goes_through("projects", "i1")
    feed.quiet("projects")
    feed.untouched(waits)


def test_a_cost_centre_releases_what_waited_for_it_and_nothing_else(feed: Feed) -> None:
    """Where the grant has its scope, as `FORTNOX_EXTRA_SCOPES` asks for."""
    _connect(feed, "centres", more_scopes=("costcenter",), posting_stopped="Kostnadsställe MA är inte aktivt.")
    feed.publish(_invoice("centres", "i1", 1), _invoice("centres", "i2", 2, lines=_on("3097")))
    feed.failed("centres", "i1", "cost-centre")
    other = feed.failed("centres", "i2", "account-unknown")

    feed.stack.sandbox.post("registers", {"tenant": "centres", "cost_centers": ["LAGER"]})
    feed.stack.sandbox.tenant("centres", posting_stopped="")
    feed.stack.sandbox.post("registers", {"tenant": "centres", "cost_centers": ["MA"]})

    feed.goes_through("centres", "i1")
    feed.quiet("centres")
    assert feed.timeline("centres", "i1").count("tried again") == 1
    feed.untouched(other)


def test_a_supplier_has_its_failed_supplier_invoices_looked_at_and_nobody_elses(feed: Feed) -> None:
    """Where the grant has its scope, as `FORTNOX_EXTRA_SCOPES` asks for."""
    expenses = {"accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None}
    _connect(feed, "suppliers", expenses=expenses, more_scopes=("supplier",), hidden_fields=["InvoiceDate"])
    sandbox = feed.stack.sandbox
    sandbox.moment_project("suppliers", "1")
    sandbox.post("projects", {"tenant": "suppliers", "number": "1", "StartDate": "2026-01-01"})
    for number in ("12", "13"):
        sandbox.supplier_invoice("suppliers", ROW, invoice={"SupplierNumber": number})
    store = feed.app.services.stores.expenses("suppliers")
    wait_until(lambda: len(store.failures()) == 2, what="both to fail")
    feed.quiet("suppliers")

    sandbox.tenant("suppliers", hidden_fields=[])
    changed = {"topic": "suppliers", "type": "supplier-updated-v1", "entityId": "12"}
    sandbox.post("feed/events", {"tenant": "suppliers", **changed})

    wait_until(lambda: sandbox.expenses("suppliers"), what="the expense of the first")
    feed.quiet("suppliers")
    assert set(sandbox.expenses("suppliers")) == {"fortnox:1:2"}
    assert set(store.failures()) == {"2"}


def test_an_invoice_that_somebody_corrects_as_billed_goes_on_and_nothing_else(feed: Feed) -> None:
    _connect(feed, "corrected")
    row = {"AccountNumber": 3010, "Description": "x", "DeliveredQuantity": "1", "Price": 99, "VAT": 25}
    for number in ("1", "2"):
        head = {"DocumentNumber": number, "CustomerNumber": "10001", "InvoiceDate": "2026-11-20", "Currency": "SEK"}
        head |= {"ExternalInvoiceReference1": number}
        feed.by_hand("corrected", "POST", "/3/invoices", body={"Invoice": {**head, "InvoiceRows": [row]}})
    feed.publish(_invoice("corrected", "i1", 1), _invoice("corrected", "i2", 2))
    feed.failed("corrected", "i1", "NotAsBilled")
    other = feed.failed("corrected", "i2", "NotAsBilled")

    rows = {"Invoice": {"InvoiceRows": [{**row, "Price": 10000}]}}
    feed.by_hand("corrected", "PUT", "/3/invoices/{number}", "1", body=rows)

    feed.goes_through("corrected", "i1")
    feed.quiet("corrected")
    feed.untouched(other)


def test_what_was_mended_while_the_feed_missed_it_is_tried_again_once_and_nobody_is_told_again(feed: Feed) -> None:
    """The gap is not replayed: Fortnox no longer takes the offset."""
    _connect(feed, "missed")
    feed.publish(
        _invoice("missed", "i1", 1, lines=_on("3098")),
        _invoice("missed", "i2", 2, lines=_on("3097")),
        _invoice("missed", "i3", 3, invoice_date="2019-01-15", due_date="2019-02-15"),
    )
    for event_id in ("i1", "i2"):
        feed.failed("missed", event_id, "account-unknown")
    other = feed.settled("missed", "i3")
    wait_until(lambda: len(feed.mails_to("ekonomi@missed.example")) >= 2, what="the mails about both accounts")
    feed.quiet("missed")
    sandbox, redis = feed.stack.sandbox, feed.app.services.redis
    redis.delete("mf:feed:looked-back")  # as if ten minutes had passed
    before = feed.timeline("missed", "i2").count("tried again")
    told = len(feed.mails_to("ekonomi@missed.example"))
    sandbox.post("options", {"feed_enabled": False, "feed_unknown_offset": "refused"})
    sandbox.post("feed/close")
    wait_until(lambda: not sandbox.get("feed")["sockets"], what="the feed to be down")
    sandbox.account("missed", 3098, vat_code="MP1")
    redis.hset("mf:feed:offsets", "financial-years", "stale")
    try:
        sandbox.post("options", {"feed_enabled": True})
        feed.goes_through("missed", "i1")
    finally:
        sandbox.post("options", {"feed_unknown_offset": "earliest"})
    wait_until(lambda: feed.timeline("missed", "i2").count("tried again") > before, what="the other to be tried again")
    feed.failed("missed", "i2", "account-unknown")
    feed.quiet("missed")
    assert feed.timeline("missed", "i2").count("tried again") == before + 1
    ordering = feed.app.services.ordering
    wait_until(lambda: not any(one.company == "missed" for one in ordering.unreported()), what="the round of mails")
    assert len(feed.mails_to("ekonomi@missed.example")) == told
    feed.untouched(other)


def test_our_own_writes_release_nothing(feed: Feed) -> None:
    _connect(feed, "own")
    feed.publish(_of("own", customer_json(event_id="c2", customer_number="7", organization_number="556677-8899")))
    feed.goes_through("own", "c2")
    feed.stack.sandbox.customer("own", "8", Name="Någon helt annan", OrganisationNumber="165566-7788")
    feed.quiet("own")
    feed.publish(_of("own", customer_json(event_id="c3", customer_number="8")))
    waits = feed.failed("own", "c3", "HeldByAnother")
    before = feed.app.services.telemetry.counters.read().get(("feed_events", "customer-updated"), 0)

    feed.publish(_of("own", customer_json(event_id="c4", customer_number="7", name="Nytt Namn AB")))
    feed.goes_through("own", "c4")

    def told() -> bool:
        counted = feed.app.services.telemetry.counters.read().get(("feed_events", "customer-updated"), 0)
        return counted > before

    wait_until(told, what="the feed to tell of our own write")
    feed.quiet("own")
    feed.untouched(waits)
    feed.stack.sandbox.customer("own", "8", Name="Skånska Bygg AB", OrganisationNumber="556677-8899")
    feed.goes_through("own", "c3")


def test_a_posted_supplier_invoice_is_an_expense_at_once_and_a_cancelled_one_is_withdrawn(feed: Feed) -> None:
    expenses = {"accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None}
    _connect(feed, "expenses", expenses=expenses)
    sandbox = feed.stack.sandbox
    sandbox.moment_project("expenses", "1")
    sandbox.post("projects", {"tenant": "expenses", "number": "1", "StartDate": "2026-01-01"})
    number = sandbox.supplier_invoice("expenses", ROW, booked=False)
    feed.quiet("expenses")
    assert sandbox.expenses("expenses") == {}

    sandbox.post(f"supplierinvoices/{number}/book", {"tenant": "expenses"})

    wait_until(lambda: sandbox.expenses("expenses"), what="the expense")
    sandbox.post(f"supplierinvoices/{number}/cancel", {"tenant": "expenses"})
    wait_until(lambda: not sandbox.expenses("expenses"), what="the expense to be withdrawn")


def test_a_supplier_invoice_that_the_api_does_not_show_yet_is_read_again(feed: Feed) -> None:
    _connect(feed, "early", expenses={"accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None})
    sandbox = feed.stack.sandbox
    sandbox.moment_project("early", "1")
    sandbox.post("projects", {"tenant": "early", "number": "1", "StartDate": "2026-01-01"})
    number = sandbox.supplier_invoice("early", ROW, booked=False)
    feed.quiet("early")
    sandbox.post("options", {"feed_ahead_seconds": 1.5})
    try:
        sandbox.post(f"supplierinvoices/{number}/book", {"tenant": "early"})
        wait_until(lambda: sandbox.expenses("early"), what="the expense")
    finally:
        sandbox.post("options", {"feed_ahead_seconds": 0})
    assert sandbox.requests("early").count(f"GET /3/supplierinvoices/{number}") >= 3


def test_a_supplier_invoice_whose_project_gets_a_start_date_is_an_expense(feed: Feed) -> None:
    _connect(feed, "startless", expenses={"accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None})
    sandbox = feed.stack.sandbox
    sandbox.moment_project("startless", "1")
    sandbox.post("projects", {"tenant": "startless", "number": "1"})
    sandbox.supplier_invoice("startless", ROW)
    store = feed.app.services.stores.expenses("startless")
    wait_until(lambda: store.waiting_for("1"), what="the row to wait for its project")

    sandbox.post("projects/1", {"tenant": "startless", "StartDate": "2026-01-01"})

    wait_until(lambda: sandbox.expenses("startless"), what="the expense")


def test_an_invoice_of_ours_that_somebody_changes_or_cancels_is_told_once_with_both_values(feed: Feed) -> None:
    _connect(feed, "changed")
    feed.in_english("changed")
    feed.stack.sandbox.tenant("changed", posting_stopped="Kontakta supporten.")
    feed.publish(_invoice("changed", "i1", 1))
    feed.failed("changed", "i1", "posting-refused")

    def change(**fields: Any) -> None:
        feed.by_hand("changed", "PUT", "/3/invoices/{number}", "1", body={"Invoice": fields})

    change(YourReference="Någon Annan")
    told = wait_until(lambda: _notices(feed, "changed"), what="the change to be told")
    assert len(told) == 1
    assert "changed in Fortnox" in feed.timeline("changed", "i1")
    change(YourReference="Någon Annan")
    feed.stack.sandbox.post("invoices/1/cancel", {"tenant": "changed"})
    wait_until(lambda: len(_notices(feed, "changed")) == 2, what="the cancellation to be told")
    feed.quiet("changed")
    assert len(_notices(feed, "changed")) == 2
    mails = wait_until(
        lambda: [
            mail["text"] for mail in feed.mails_to("ekonomi@changed.example") if "Somebody changed" in mail["text"]
        ],
        what="the mail",
    )
    assert "Någon Annan" in mails[0]
    assert "Bo Lind" in mails[0]


def _notices(feed: Feed, company: str) -> list[EventRecord]:
    page = feed.app.services.ordering.latest(["done"], companies=[company])
    records = feed.app.services.ordering.events((one.company, one.id) for one in page.found)
    return [one for one in records if one.type == "hints.change"]


def test_an_invoice_that_somebody_posts_settles_what_waits_for_it(feed: Feed) -> None:
    _connect(feed, "posted")
    feed.stack.sandbox.tenant("posted", posting_stopped="Kontakta supporten.")
    feed.publish(_invoice("posted", "i1", 1))
    feed.failed("posted", "i1", "posting-refused")
    feed.stack.sandbox.tenant("posted", posting_stopped="")

    feed.stack.sandbox.post("invoices/1/book", {"tenant": "posted"})

    assert feed.goes_through("posted", "i1").document == "1"
    assert _notices(feed, "posted") == []


def test_a_company_whose_consent_is_withdrawn_pauses_where_the_feed_tells_and_the_others_go_on(feed: Feed) -> None:
    _connect(feed, "gone")
    feed.stack.sandbox.post("options", {"feed_revoked": "removed"})
    feed.stack.sandbox.post("grants/revoke", {"tenant": "gone"})
    wait_until(lambda: feed.app.services.ordering.paused("gone"), what="the company to be paused")
    wait_until(lambda: feed.mails_to("ekonomi@gone.example"), what="the mail")
    state = feed.app.services.feed.state()
    assert state is not None
    assert state.connected


def test_status_says_that_the_feed_is_connected(feed: Feed) -> None:
    told = json.loads(feed.run("status", "--json").stdout)["feed"]
    assert (told["state"], told["why"]) == ("connected", "")


def test_a_payment_is_in_moment_at_once_and_gone_when_it_is_undone(feed: Feed) -> None:
    feed.connect("paid")
    feed.publish(
        _of(
            "paid",
            {
                **integration_json(
                    event_id="e9", payments={"enabled": True, "fromDate": None}, authorization_code=None
                ),
                "type": "integration.updated",
            },
        )
    )
    assert feed.settled("paid", "e9").status == "done"
    feed.hear("paid")
    feed.publish(_of("paid", customer_json(event_id="c1")), _invoice("paid", "i1", 1))
    feed.goes_through("paid", "i1")
    sandbox = feed.stack.sandbox

    number = sandbox.post("invoicepayments", {"tenant": "paid", "invoice": "1", "amount": "2500"})["Number"]

    paid = wait_until(lambda: sandbox.payments("paid"), what="the payment")
    assert paid["fortnox:1"]["amount"] == "2500.00"
    sandbox.delete(f"invoicepayments/{number}?tenant=paid")
    wait_until(lambda: not sandbox.payments("paid"), what="the payment to be undone")


def test_when_the_worker_that_listens_is_killed_another_listens_within_15_seconds(feed: Feed) -> None:
    _connect(feed, "killed")
    feed.stack.sandbox.customer("killed", "2")  # so that the feed has an offset to go on from
    feed.quiet("killed")
    before = feed.app.services.feed.state()
    assert before is not None
    second = feed.stack.start_worker("second")
    listening = feed.first if before.worker.endswith(f":{feed.first.pid}") else second
    assert before.worker.endswith(f":{listening.pid}")

    counted = ("feed_events", "customer-created")
    told = feed.app.services.telemetry.counters.read()[counted]
    listening.kill()
    killed = datetime.now(UTC)
    feed.stack.sandbox.customer("killed", "3")

    def heard() -> bool:
        return feed.app.services.telemetry.counters.read()[counted] > told

    wait_until(heard, what="another worker to listen")
    assert (datetime.now(UTC) - killed).total_seconds() < 15
    state = wait_until(feed.app.services.feed.state, what="the listener to say something")
    assert state is not None
    assert state.worker != before.worker
