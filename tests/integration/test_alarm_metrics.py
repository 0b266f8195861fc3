"""What the metrics say of a real Redis in the situations that alarms are for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.status import overview
from local.sandbox import Sandbox
from ordering import Failed, Submission
from ordering.engine import HELD_PASSED_OVER
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
    return registry(sync.app).get_sample_value(PREFIX + name, labels)


def ago(sync: MailDispatch, index: str, event_id: str, **time: float) -> None:
    """As if the event had come to stand in this index so long ago."""
    at = (datetime.now(UTC) - timedelta(**time)).timestamp() * 1000
    sync.services.redis.zadd(f"mf:company:acme:{index}", {event_id: round(at)}, xx=True)


def test_held_events_do_not_make_old_what_is_under_way(sync: MailDispatch) -> None:
    sync.ends(customer_json(), Failed("No."))
    publish(invoice_json(), app=sync.app)
    ago(sync, "open", "e3", hours=9)
    assert sync.ordering.counts("acme")["held"] == 1
    assert value(sync, "oldest_event_age_seconds") == 0
    assert overview(sync.services)["oldestWaitingSeconds"] is None
    publish(customer_json(event_id="e9", customer_number="9"), app=sync.app)
    ago(sync, "open", "e9", minutes=5)
    assert value(sync, "company_oldest_event_age_seconds", company="acme") == pytest.approx(300, abs=30)
    assert overview(sync.services, "acme")["oldestWaitingSeconds"] == pytest.approx(300, abs=30)


def test_behind_very_many_held_events_what_is_under_way_counts_as_old_as_the_last_one_looked_at(
    sync: MailDispatch,
) -> None:
    sync.ends(customer_json(), Failed("No."))
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
    publish(customer_json(event_id="e9", customer_number="9"), app=sync.app)
    assert value(sync, "oldest_event_age_seconds") == pytest.approx(9 * 3600, abs=60)


def test_a_failed_event_has_an_age(sync: MailDispatch) -> None:
    for number in ("1", "2"):
        sync.ends(customer_json(event_id=f"c{number}", customer_number=number), Failed("No."))
    ago(sync, "failed", "c1", days=4)
    for name, labels in (("oldest_failed_age_seconds", {}), ("company_oldest_failed_age_seconds", {"company": "acme"})):
        assert value(sync, name, **labels) == pytest.approx(4 * 86400, abs=60)
    sync.ordering.skip("acme", "c1", "given up")
    assert value(sync, "oldest_failed_age_seconds") == pytest.approx(0, abs=60)


@pytest.mark.parametrize("how", ["disabled", "paused"])
def test_only_companies_that_are_polled_can_be_polled_late(sync: MailDispatch, how: str) -> None:
    for company in ("acme", "beta"):
        publish(customer_json(company=company), app=sync.app)
        sync.services.polling.polls.add(company, datetime.now(UTC))
        since = datetime.now(UTC) - timedelta(hours=2 if company == "acme" else 1)
        sync.services.redis.hset(f"mf:expenses:{company}:state", "cursor", since.isoformat())
    assert value(sync, "poll_age_seconds_max") == pytest.approx(7200, abs=60)
    if how == "paused":
        sync.ordering.pause("acme", "The connection to Fortnox has ended.")
    else:
        sync.services.polling.polls.remove("acme")
    assert value(sync, "poll_age_seconds_max") == pytest.approx(3600, abs=60)
    assert value(sync, "poll_age_seconds", company="acme") is None


def test_a_lost_connection_that_nobody_could_be_told_of_waits_to_be_told(sync: MailDispatch) -> None:
    sync.now = datetime.now(UTC)  # by which the metrics go
    sync.connect()
    publish(customer_json(), app=sync.app)
    sync.ordering.pause("acme", "The connection to Fortnox has ended.")
    sync.sandbox.refuse_mail("450")
    assert sync.round() == 0
    assert value(sync, "reports_waiting") == 1
    sync.sandbox.refuse_mail(None)
    assert sync.round(minutes=3) == 1
    assert value(sync, "reports_waiting") == 0
