"""What Fortnox's feed makes quicker, beside the same by polling alone.

From a supplier invoice posted to its expense in Moment; from an account opened to the waiting invoice posted. And what
both ask of Fortnox in a day.
"""

import logging
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from bench.environment import DATA
from bench.result import Row, Section, at_most
from bench.rounds import Bench, say
from delivery.feed.dispatcher import HintDispatcher
from delivery.polling import POLL_ID, poll_asked
from local import wait_until
from local.stack import Stack
from stores.counters import Tally
from stores.feed import Hint
from tasks.flows import EXPENSES, INTEGRATION, Flow
from tests.unit.factories import a_line, customer_json, integration_json, invoice_json
from worker.bootstrap import App, create_app
from worker.publish import publish

ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1"}
INTERVAL = 20  # seconds between polls, where there is no feed; a real company has 600
EACH = 0.4  # seconds between two changes, about: a company's rate limit allows no more
CLOSED = 3098  # the account that is opened
NOTHING = float("nan")
NAME = "acme"
TEN_MINUTES = 600  # seconds by the sandbox's clock
POLLS_A_DAY = 144


def by_feed_and_by_polls(bench: Bench) -> list[Section]:
    companies, changes = bench.size(20, 3), bench.size(200, 12)
    rows = [_run("by the feed", companies, changes, feed=True), _run("by polls alone", companies, changes, feed=False)]
    title = (
        f"{changes} supplier invoices posted and {companies} accounts opened in {companies} companies; "
        f"without the feed, polls every {INTERVAL} s (of a real company: 600)"
    )
    section, feed = Section("W", title, rows), rows[0].figures
    return [
        section.with_targets(
            at_most("expense: p50 < 2 s", feed["expense p50 s"], 2, " s"),
            at_most("expense: p99 < 6 s", feed["expense p99 s"], 6, " s"),
            at_most("account opened: p50 < 2 s", feed["released p50 s"], 2, " s"),
            at_most("account opened: p99 < 6 s", feed["released p99 s"], 6, " s"),
        ),
        _requests_of_a_day(bench.size(10, 3)),
    ]


def _requests_of_a_day(changes: int) -> Section:
    """What Fortnox is asked in a day of the sandbox's clock, polls included. A look within the minute of a change says
    nothing of the rest of that minute, in which `lastmodified` is the same: so the next poll looks again.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # the transfers run here
    alone = _day("polls alone", changes, feed=False, polls_apart=1)
    beside = _day("the feed, and polls as often", changes, feed=True, polls_apart=1)
    spaced = _day("the feed, and hourly polls", changes, feed=True, polls_apart=6)
    title = f"requests of one company in a day with {changes} supplier invoices posted; polls every 600 s"
    section = Section("W requests", title, [alone, beside, spaced])
    most = alone.figures["requests a change"]
    return section.with_targets(
        at_most("feed and hourly polls: not more than polls alone", spaced.figures["requests a change"], most),
        at_most("feed and polls as often: not more than polls alone", beside.figures["requests a change"], most),
    )


def _day(name: str, changes: int, *, feed: bool, polls_apart: int) -> Row:
    say(f"  requests, {name}")
    chance = random.Random(changes)
    when = set(chance.sample(range(1, POLLS_A_DAY), changes))
    with (
        tempfile.TemporaryDirectory(prefix="feed-", dir=DATA) as directory,
        Stack(Path(directory), options={"FORTNOX_RATE_LIMIT": "999/1"}, feed=True) as stack,
    ):
        stack.start_services()
        stack.sandbox.post("options", {"rate_limit_enabled": False})
        company = _OneCompany(stack, create_app(stack.settings))
        before = _requests(stack)
        for poll in range(POLLS_A_DAY):
            first = chance.uniform(0, TEN_MINUTES)
            stack.sandbox.post("clock", {"advance_seconds": first})
            if poll in when:
                company.posts_a_supplier_invoice(heard=feed)
            stack.sandbox.post("clock", {"advance_seconds": TEN_MINUTES - first})
            if poll % polls_apart == 0:
                company.polls()
        requests = _requests(stack) - before
        assert len(stack.sandbox.expenses(NAME)) == changes
    return Row(name, {"requests a day": requests, "requests a change": requests / changes}, 1)


class _OneCompany:
    """A company without workers: its transfers run here, when they are asked for."""

    def __init__(self, stack: Stack, app: App) -> None:
        self.stack, self.app, self.services = stack, app, app.services
        app.loader.import_default_modules()
        stack.sandbox.tenant(NAME)
        stack.sandbox.moment_project(NAME, "1")
        stack.sandbox.post("projects", {"tenant": NAME, "number": "1", "StartDate": "2026-01-01"})
        chosen = {"enabled": True, "accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None}
        enabled = {"company": NAME, "event_id": "on", "authorization_code": stack.sandbox.code(NAME)}
        publish(integration_json(**enabled, expenses=chosen), services=self.services)
        self._run(INTEGRATION, "on")
        self.polls()
        self.dispatcher = HintDispatcher(self.services, "bench")

    def polls(self) -> None:
        poll_asked(self.services.ordering, NAME)
        self._run(EXPENSES, POLL_ID)

    def posts_a_supplier_invoice(self, *, heard: bool) -> None:
        number = self.stack.sandbox.supplier_invoice(NAME, ROW)
        if heard:
            long_ago = datetime.now(UTC) - timedelta(minutes=1)  # nothing is gathered any more
            self.services.feed.take(
                [Hint(NAME, "supplier-invoice", "bookkeep", number, long_ago, long_ago)], {}, Tally()
            )
            self.dispatcher.step()
            self._run(EXPENSES, f"{EXPENSES.kind}-hints")

    def _run(self, flow: Flow, event_id: str) -> None:
        assert self.app.tasks[flow.task.name].run(NAME, event_id) == "done"


def _run(name: str, companies: int, changes: int, *, feed: bool) -> Row:
    say(f"  {name}")
    DATA.mkdir(parents=True, exist_ok=True)
    options = {} if feed else {"EXPENSE_POLL_INTERVAL": str(INTERVAL)}
    names = [f"company-{n:02}" for n in range(companies)]
    with (
        tempfile.TemporaryDirectory(prefix="feed-", dir=DATA) as directory,
        Stack(Path(directory), options=options, feed=feed) as stack,
    ):
        stack.start_services()
        app = create_app(stack.settings)
        _get_ready(stack, app, names, feed)
        expenses = _expenses(stack, names, changes)
        released = _released(stack, app, names) if feed else []
    figures = {
        "expense p50 s": _at(expenses, 0.5),
        "expense p99 s": _at(expenses, 0.99),
        "released p50 s": _at(released, 0.5),
        "released p99 s": _at(released, 0.99),
    }
    return Row(name, figures, 1)


def _get_ready(stack: Stack, app: App, names: Sequence[str], feed: bool) -> None:
    """Connect the companies; each has an invoice that waits for an account."""
    stack.start_worker(concurrency=4)
    stack.start_beat()
    for name in names:
        stack.sandbox.tenant(name)
        stack.sandbox.moment_project(name, "1")
        stack.sandbox.post("projects", {"tenant": name, "number": "1", "StartDate": "2026-01-01"})
        chosen = {"enabled": True, "accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None}
        enabled = {"company": name, "event_id": "on", "authorization_code": stack.sandbox.code(name)}
        publish(integration_json(**enabled, expenses=chosen), services=app.services)
        publish(customer_json(company=name, event_id="c"), services=app.services)
        waits = {"project": None, "attachments": [], "lines": [a_line(account_number=str(CLOSED))]}
        publish(invoice_json(company=name, event_id="i", invoice_number=1, **waits), services=app.services)
    ordering = app.services.ordering
    wait_until(lambda: all(ordering.counts(n)["failed"] == 1 for n in names), what="invoices that wait", timeout=300)
    store = app.services.stores.expenses
    wait_until(lambda: all(store(n).cursor for n in names), what="the first poll of every company", timeout=300)
    if feed:
        wait_until(
            lambda: len(stack.sandbox.get("feed")["tenants"]) == len(names),
            what="all companies on the feed",
            timeout=60,
        )
        wait_until(lambda: stack.sandbox.get("feed")["subscribed"], what="the feed", timeout=60)


def _expenses(stack: Stack, names: Sequence[str], changes: int) -> list[float]:
    """Seconds from each posting until Moment was sent the expense. Within a company they come in order."""
    chance = random.Random(changes)
    posted: dict[str, list[float]] = {name: [] for name in names}
    for at in range(changes):
        name = names[at % len(names)]
        posted[name].append(time.time())
        stack.sandbox.supplier_invoice(name, ROW)
        time.sleep(chance.uniform(0.5 * EACH, 1.5 * EACH))
    wait_until(lambda: _sent(stack, names, changes), what="every expense", timeout=300)
    return [
        one - before
        for name in names
        for before, one in zip(posted[name], _times(_of_moment(stack, name), "POST"), strict=True)
    ]


def _sent(stack: Stack, names: Sequence[str], changes: int) -> bool:
    return sum(len(stack.sandbox.expenses(name)) for name in names) >= changes


def _of_moment(stack: Stack, name: str) -> list[dict[str, Any]]:
    found = stack.sandbox.in_moment("GET", f"requests?company={name}")["requests"]
    return [one for one in found if one["path"].endswith("/projectExpenses")]


def _times(entries: Sequence[dict[str, Any]], method: str) -> list[float]:
    return [datetime.fromisoformat(one["time"]).timestamp() for one in entries if one["method"] == method]


def _released(stack: Stack, app: App, names: Sequence[str]) -> list[float]:
    """Seconds from each account opened until the invoice that waited for it was posted."""
    opened: dict[str, float] = {}
    for name in names:
        opened[name] = time.time()
        stack.sandbox.account(name, CLOSED, vat_code="MP1")
        time.sleep(EACH)
    ordering = app.services.ordering
    wait_until(lambda: all(ordering.counts(n)["failed"] == 0 for n in names), what="every invoice", timeout=120)
    found = []
    for name in names:
        wait_until(lambda name=name: _postings(stack, name), what=f"the posting of {name}", timeout=60)  # type: ignore[misc]
        found.append(_postings(stack, name)[-1] - opened[name])
    return found


def _postings(stack: Stack, name: str) -> list[float]:
    found = stack.sandbox.get("requests", tenant=name, limit="5000")["requests"]
    return _times([one for one in found if one["path"].endswith("/bookkeep") and one["status"] == 200], "PUT")


def _requests(stack: Stack) -> int:
    counted = stack.sandbox.get("requests/count")["counts"]
    return sum(count for kind, count in counted.items() if "/oauth" not in kind)


def _at(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else NOTHING
