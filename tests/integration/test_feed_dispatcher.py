"""What the dispatcher does about hints, against a real Redis: each once, gathered, and for nobody else."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import redis

from delivery.consent import problems_of
from delivery.feed import dispatcher
from delivery.feed.dispatcher import HintDispatcher
from delivery.feed.releaser import Releaser
from delivery.watching import LOCKED, look, looks_asked
from stores.counters import Tally
from stores.feed import DISPATCHER, MISSED, Hint
from stores.locks import ReaderLease
from tasks.flows import SCOPES
from tests.services import Sandbox
from tests.unattended import Unattended, unattended_services
from tests.unit.factories import a_line, integration_json, invoice_json
from tests.waiting import wait_until


class Dispatching:
    """The dispatcher, stepped by the test."""

    def __init__(self, acme: Unattended) -> None:
        self.acme = acme
        self.feed, self.ordering = acme.services.feed, acme.services.ordering
        self.dispatcher = HintDispatcher(acme.services, "one")

    def hear(self, kind: str, number: str, verb: str = "updated", *, times: int = 1, **fields: Any) -> None:
        now = datetime.now(UTC)
        given = {"company": "acme", "at": now, "received": now - timedelta(seconds=2), **fields}
        self.feed.take([Hint(kind=kind, verb=verb, number=number, **given)] * times, {}, Tally())

    def fail(self, event_id: str = "i1", number: int = 1, account: str = "3098", **settings: Any) -> None:
        """An invoice that fails."""
        self.acme.sandbox.tenant("acme", **settings)
        given = {"event_id": event_id, "invoice_number": number, "project": None, "payment_id": None}
        self.acme.publish(invoice_json(**given, attachments=[], lines=[a_line(account_number=account)]))
        self.acme.run(event_id)
        assert self.acme.event(event_id).status == "failed"

    def status(self, event_id: str = "i1") -> str:
        return self.acme.event(event_id).status


@pytest.fixture
def unattended(redis_url: str, redis_client: "redis.Redis", sandbox: Sandbox) -> Iterator[Unattended]:
    """The services, with the feed; nobody listens to it."""
    with unattended_services(redis_url, sandbox, fortnox_feed_url=sandbox.addresses.feed) as services:
        yield services


@pytest.fixture
def one(acme: Unattended) -> Iterator[Dispatching]:
    dispatching = Dispatching(acme)
    yield dispatching
    dispatching.dispatcher.close()


def test_many_hints_of_one_thing_release_a_failure_once(one: Dispatching) -> None:
    one.fail()
    one.hear("account", "3098", times=20)
    one.dispatcher.step()
    assert one.status() == "ready"
    assert one.feed.length() == 0
    timeline = one.acme.services.telemetry.timeline.read("acme", "i1")
    assert [entry.what for entry in timeline].count("tried again") == 1


def test_what_fails_again_is_tried_once_more_as_the_feed_can_precede_the_api(
    one: Dispatching, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.fail("i2", 2, account="3097")
    one.fail()
    one.hear("account", "3098")
    one.dispatcher.step()
    one.acme.run("i1")
    one.dispatcher.step()
    assert one.status() == "failed"  # not at once
    monkeypatch.setattr(dispatcher.time, "monotonic", lambda now=time.monotonic: now() + dispatcher.AGAIN)
    one.dispatcher.step()
    assert (one.status(), one.status("i2")) == ("ready", "failed")

    one.acme.run("i1")
    one.dispatcher.step()

    assert one.status() == "failed"  # and not for ever


def test_releases_are_gathered_for_a_second(one: Dispatching) -> None:
    one.fail()
    one.hear("account", "3098", received=datetime.now(UTC))
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 1)


def test_hints_outlive_a_dispatcher_that_dies_and_are_acted_on_by_the_next(one: Dispatching) -> None:
    one.fail()
    one.hear("account", "3098")
    lease = ReaderLease(one.acme.services.redis, DISPATCHER, "other", 5)
    assert lease.ask()
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 1)
    lease.release()
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("ready", 0)


def test_a_cost_centre_releases_what_failed_for_it(one: Dispatching) -> None:
    one.acme.sandbox.account("acme", 3010, cost_center_settings="MANDATORY")
    one.fail(account="3010")
    assert one.acme.event("i1").code.startswith("cost-centre")
    one.hear("cost-center", "MA", "created")  # the text names the account, not a cost centre
    one.dispatcher.step()
    assert one.status() == "failed"
    one.hear("account", "3010")
    one.dispatcher.step()
    assert one.status() == "ready"


def test_a_supplier_has_its_failed_supplier_invoices_looked_at_again(one: Dispatching) -> None:
    store = one.acme.services.stores.expenses("acme")
    one.fail()  # a company without failures is not looked through
    store.set_failure("7", "supplierinvoice-7", "12")
    store.set_failure("8", "supplierinvoice-8", "13")
    one.hear("supplier", "12")
    one.dispatcher.step()
    assert store.take(datetime.now(UTC), timedelta(minutes=1)) == "7"
    assert store.take(datetime.now(UTC), timedelta(minutes=1)) is None


def test_our_own_write_releases_nothing_however_often_it_is_told(one: Dispatching) -> None:
    one.fail()
    now = datetime.now(UTC)
    one.acme.services.stores.own_writes.note("acme", "account", "3098", "updated", now - timedelta(seconds=1), now)
    one.hear("account", "3098", at=now, offset="x1", times=2)
    one.dispatcher.step()
    one.hear("account", "3098", at=now, offset="x1")  # once more, after a reconnect
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 0)


@pytest.mark.parametrize("order", [("x1", "x2"), ("x2", "x1")])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_persons_change_in_the_second_of_ours_releases(
    one: Dispatching, order: tuple[str, str], at_once: bool
) -> None:
    one.fail()
    now = datetime.now(UTC)
    one.acme.services.stores.own_writes.note("acme", "account", "3098", "updated", now - timedelta(seconds=1), now)
    for offset in order:
        one.hear("account", "3098", at=now, offset=offset)
        if not at_once:
            one.dispatcher.step()
    one.dispatcher.step()
    assert one.status() == "ready"


def test_a_persons_change_long_after_ours_releases(one: Dispatching) -> None:
    one.fail()
    now = datetime.now(UTC)
    one.acme.services.stores.own_writes.note("acme", "account", "3098", "updated", now - timedelta(seconds=1), now)
    one.hear("account", "3098", at=now + timedelta(seconds=5))
    one.dispatcher.step()
    assert one.status() == "ready"


def test_an_invoice_that_somebody_cancels_in_the_second_in_which_we_post_it_is_looked_at(one: Dispatching) -> None:
    services, now = one.acme.services, datetime.now(UTC)
    services.stores.transferred("acme", services.stores.connections.ledger("acme")).add("1", "i1")
    services.stores.own_writes.note("acme", "invoice", "1", "bookkeep", now, now)
    one.hear("invoice", "1", "bookkeep", at=now, offset="x1")
    one.dispatcher.step()
    assert one.feed.looking() == frozenset()
    one.hear("invoice", "1", "cancelled", at=now, offset="x2")
    one.dispatcher.step()
    assert one.feed.looking() == {"acme/hints"}


@pytest.mark.parametrize("company", ["nobody", "other"])
def test_hints_of_a_company_that_is_not_connected_are_dropped(one: Dispatching, company: str) -> None:
    one.fail()
    for kind in ("account", "supplier-invoice", "invoice", "invoicepayment", "project", "customer"):
        one.hear(kind, "3098", company=company)
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 0)


def test_deletions_release_nothing(one: Dispatching) -> None:
    one.fail()
    one.hear("account", "3098", "deleted")
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 0)


def test_supplier_invoices_of_a_company_without_expenses_cost_nothing(one: Dispatching) -> None:
    one.hear("supplier-invoice", "7", "bookkeep")
    one.dispatcher.step()
    assert one.feed.looking() == frozenset()
    assert one.ordering.event("acme", "expenses-hints") is None


def test_an_invoice_that_is_not_ours_is_not_looked_at(one: Dispatching) -> None:
    one.hear("invoice", "4711")
    one.dispatcher.step()
    assert one.feed.looking() == frozenset()


def test_an_invoice_that_we_posted_ourselves_is_not_looked_at_for_payments(one: Dispatching) -> None:
    services, now = one.acme.services, datetime.now(UTC)
    one.acme.connect("e9", payments={"enabled": True, "fromDate": None})
    ledger = services.stores.connections.ledger("acme")
    for number in ("1", "2"):
        services.stores.transferred("acme", ledger).add(number, f"i{number}")
    services.stores.own_writes.note("acme", "invoice", "1", "bookkeep", now, now)
    for number in ("1", "2", "3"):
        one.hear("invoice", number, "bookkeep", at=now)
    one.dispatcher.step()
    store = services.stores.payments("acme", ledger)
    assert store.next(datetime.now(UTC)) == "2"
    store.finish("2", datetime.now(UTC))
    assert store.next(datetime.now(UTC)) is None


def test_a_look_that_finds_the_rate_limit_full_lets_the_companys_transfers_go_on(one: Dispatching) -> None:
    one.fail(locked_until="2026-11-30", account="3010")
    look(one.acme.services, "acme", LOCKED)
    looks_asked(one.ordering, "acme")
    one.acme.run("hints", capacity=0)
    record = one.ordering.event("acme", "hints")
    assert record is not None
    assert record.status == "retrying"
    assert not one.ordering.resting("acme")
    assert one.acme.services.stores.looks("acme").next(datetime.now(UTC)) == LOCKED


def test_missed_events_have_everything_that_they_could_have_mended_tried_again_once(one: Dispatching) -> None:
    one.fail("i1", 1)
    one.fail("i2", 2, account="3097")
    one.fail("i3", 3, account="3010", locked_until="2026-11-30")  # opening a period makes no event
    for received in (datetime.now(UTC), datetime.now(UTC)):
        one.hear("account customer", "", MISSED, company="", received=received)
        wait_until(lambda: one.dispatcher.step() and not one.feed.length(), what="the hint to be acted on")
    assert [one.status(event_id) for event_id in ("i1", "i2", "i3")] == ["ready", "ready", "failed"]
    one.acme.run("i1")
    one.hear("account", "", MISSED, company="", received=datetime.now(UTC) - timedelta(seconds=2))
    one.dispatcher.step()
    assert one.status() == "failed"  # not again within ten minutes


def test_what_was_missed_is_tried_again_though_the_first_try_broke_off(one: Dispatching) -> None:
    one.fail()
    one.hear("account", "", MISSED, company="", received=datetime.now(UTC))

    with patch.object(Releaser, "release_all", side_effect=ConnectionError) as release:

        def breaks_off() -> bool:
            with suppress(ConnectionError):
                one.dispatcher.step()
            return release.called

        wait_until(breaks_off, what="the first try")
    assert (one.status(), one.feed.length()) == ("failed", 1)
    wait_until(lambda: one.dispatcher.step() and not one.feed.length(), what="the hint to be acted on")
    assert one.status() == "ready"


@pytest.mark.parametrize("kinds", ["customer project", "cost-center"])
def test_missed_events_of_other_kinds_release_nothing(one: Dispatching, kinds: str) -> None:
    one.fail()
    one.hear(kinds, "", MISSED, received=datetime.now(UTC))
    wait_until(lambda: one.dispatcher.step() and not one.feed.length(), what="the hint to be acted on")
    assert one.status() == "failed"


def test_what_failed_after_the_gap_is_not_tried_again(one: Dispatching) -> None:
    one.hear("account", "", MISSED, company="acme")
    one.fail()
    one.dispatcher.step()
    assert (one.status(), one.feed.length()) == ("failed", 0)


def test_a_grant_from_before_the_locked_period_was_asked_for_fails_nothing(one: Dispatching) -> None:
    """A person retries then, as before; what needs no new permission goes on."""
    acme = one.acme
    code = acme.sandbox.code("acme", scopes=" ".join(set(SCOPES) - {"settings", "payment"}))
    acme.publish(integration_json(event_id="e9", authorization_code=code, expenses={"enabled": False}))
    assert acme.run("e9") == "done"
    one.fail(locked_until="2026-11-30", account="3010")
    look(acme.services, "acme", LOCKED)
    looks_asked(one.ordering, "acme")
    before = acme.reported()
    assert acme.run("hints") == "done"
    assert (acme.reported(), one.status()) == (before, "failed")
    acme.sandbox.tenant("acme", locked_until=None)
    assert one.ordering.retry("acme", "i1")
    assert acme.run("i1") == "done"
    (lacking,) = problems_of(acme.services.stores.connections.get("acme"))
    assert (lacking.what.params["scope"], lacking.stops) == ("settings", ())


def test_an_invoice_that_a_person_corrects_in_fortnox_goes_on(acme: Unattended) -> None:
    one = Dispatching(acme)
    row = {"AccountNumber": 3010, "Description": "x", "DeliveredQuantity": "1", "Price": 99, "VAT": 25}
    by_hand = {"DocumentNumber": "1", "CustomerNumber": "10001", "InvoiceDate": "2026-11-20", "Currency": "SEK"}
    acme.by_hand("invoices", {"Invoice": {**by_hand, "ExternalInvoiceReference1": "106939080", "InvoiceRows": [row]}})
    one.fail(account="3010")
    assert acme.event("i1").code == "NotAsBilled"

    acme.by_hand("invoices/1", {"Invoice": {"InvoiceRows": [{**row, "Price": 10000}]}}, method="PUT")
    one.hear("invoice", "1", at=datetime.now(UTC) + timedelta(minutes=1))
    one.dispatcher.step()
    assert acme.run("hints") == "done"

    assert one.status() == "ready"
    assert acme.run("i1") == "done"
    one.dispatcher.close()
