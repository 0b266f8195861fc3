"""What the metrics say of a real Redis in the situations that alarms are for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.sandbox import Sandbox
from messages import Message
from operations.status import overview
from ordering import Failed, Submission
from ordering.queries import HELD_PASSED_OVER
from stores.expenses import Listing
from tests.mail_dispatch import MailDispatch, running_dispatch
from tests.unit.factories import customer_json, invoice_json
from worker.bootstrap import App
from worker.metrics import PREFIX, registry
from worker.publish import publish


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Sandbox]]:
    with running_dispatch(Path(tmp_path_factory.mktemp("metrics"))) as running:
        yield running


@pytest.fixture
def sync(running: tuple[App, Sandbox]) -> MailDispatch:
    return MailDispatch(*running)


def value(sync: MailDispatch, name: str, **labels: str) -> float | None:
    return registry(sync.app.services).get_sample_value(PREFIX + name, labels)


def ago(sync: MailDispatch, index: str, event_id: str, **time: float) -> None:
    """As if the event had come to stand in this index so long ago."""
    at = (datetime.now(UTC) - timedelta(**time)).timestamp() * 1000
    sync.services.redis.zadd(f"mf:company-{index}:acme", {event_id: round(at)}, xx=True)


def test_held_events_do_not_make_old_what_is_under_way(sync: MailDispatch) -> None:
    sync.ends(customer_json(), Failed(Message("test.no")))
    publish(invoice_json(), services=sync.app.services)
    ago(sync, "open", "e3", hours=9)
    assert sync.ordering.counts("acme")["held"] == 1
    assert value(sync, "oldest_event_age_seconds") == 0
    assert overview(sync.services).oldest is None
    publish(customer_json(event_id="e9", customer_number="9"), services=sync.app.services)
    ago(sync, "open", "e9", minutes=5)
    assert value(sync, "company_oldest_event_age_seconds", company="acme") == pytest.approx(300, abs=30)
    oldest = overview(sync.services, "acme").oldest
    assert oldest is not None
    assert oldest.total_seconds() == pytest.approx(300, abs=30)


def test_behind_very_many_held_events_what_is_under_way_counts_as_old_as_the_last_one_looked_at(
    sync: MailDispatch,
) -> None:
    sync.ends(customer_json(), Failed(Message("test.no")))
    for number in range(HELD_PASSED_OVER):
        held = Submission(
            "acme",
            f"h{number}",
            f"acme/invoice/{number}",
            "invoice.finalized",
            "{}",
            sync.now,
            ("acme/customer/10001",),
        )
        sync.ordering.publish(held)
        ago(sync, "open", held.id, hours=9)
    publish(customer_json(event_id="e9", customer_number="9"), services=sync.app.services)
    assert value(sync, "oldest_event_age_seconds") == pytest.approx(9 * 3600, abs=60)


def test_a_failed_event_has_an_age(sync: MailDispatch) -> None:
    for number in ("1", "2"):
        sync.ends(customer_json(event_id=f"c{number}", customer_number=number), Failed(Message("test.no")))
    ago(sync, "failed", "c1", days=4)
    for name, labels in (("oldest_failed_age_seconds", {}), ("company_oldest_failed_age_seconds", {"company": "acme"})):
        assert value(sync, name, **labels) == pytest.approx(4 * 86400, abs=60)
    sync.ordering.skip("acme", "c1", Message("test.given-up"))
    assert value(sync, "oldest_failed_age_seconds") == pytest.approx(0, abs=60)


@pytest.mark.parametrize("how", ["disabled", "paused"])
def test_only_companies_that_are_polled_can_be_polled_late(sync: MailDispatch, how: str) -> None:
    for company in ("acme", "beta"):
        publish(customer_json(company=company), services=sync.app.services)
        sync.services.polling.polls.add(company, datetime.now(UTC))
        since = datetime.now(UTC) - timedelta(hours=2 if company == "acme" else 1)
        sync.services.redis.hset(f"mf:expenses:{company}:state", "cursor", since.isoformat())
    assert value(sync, "poll_age_seconds_max") == pytest.approx(7200, abs=60)
    if how == "paused":
        sync.ordering.pause("acme", Message("test.ended"))
    else:
        sync.services.polling.polls.remove("acme")
    assert value(sync, "poll_age_seconds_max") == pytest.approx(3600, abs=60)
    assert value(sync, "poll_age_seconds", company="acme") is None


def test_a_company_that_moved_to_another_ledger_is_as_late_as_the_polls_of_that_ledger(sync: MailDispatch) -> None:
    stores = sync.services.stores
    sync.connect()
    sync.services.polling.polls.add("acme", datetime.now(UTC))

    def lists(tenant_id: int, **ago: float) -> None:
        """As if the company was connected to that ledger, which was listed so long ago."""
        connection = stores.connections.get("acme")
        stores.connections.save(connection.model_copy(update={"tenant_id": tenant_id}))
        stores.ledgers.enter("acme", tenant_id)
        listing = Listing(since=None)
        stores.expenses("acme").end_listing("changes", listing, datetime.now(UTC) - timedelta(**ago))

    lists(1, hours=5)
    assert value(sync, "poll_age_seconds", company="acme") == pytest.approx(5 * 3600, abs=60)
    lists(2, minutes=4)
    assert value(sync, "poll_age_seconds", company="acme") == pytest.approx(240, abs=60)
    assert value(sync, "poll_age_seconds_max") == pytest.approx(240, abs=60)
    lists(1, minutes=9)
    assert value(sync, "poll_age_seconds", company="acme") == pytest.approx(540, abs=60)


def test_a_lost_connection_that_nobody_could_be_told_of_waits_to_be_told(sync: MailDispatch) -> None:
    sync.now = datetime.now(UTC)  # by which the metrics go
    sync.connect()
    publish(customer_json(), services=sync.app.services)
    sync.ordering.pause("acme", Message("test.ended"))
    sync.sandbox.refuse_mail("450")
    assert sync.round() == 0
    assert value(sync, "reports_waiting") == 1
    sync.sandbox.refuse_mail(None)
    assert sync.round(minutes=3) == 1
    assert value(sync, "reports_waiting") == 0
