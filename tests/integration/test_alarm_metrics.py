"""What the metrics say of a real Redis in the situations that alarms are for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.mail_desk import Desk, running_desk
from tests.unit.factories import customer_json, invoice_json
from worker.assembly import App
from worker.cli.status import overview
from worker.doors.publish import publish
from worker.local.sandbox import Sandbox
from worker.metrics import PREFIX, registry
from worker.ordering import Failed, Submission
from worker.ordering.engine import HELD_PASSED_OVER


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Sandbox]]:
    with running_desk(Path(tmp_path_factory.mktemp("metrics"))) as running:
        yield running


@pytest.fixture
def desk(running: tuple[App, Sandbox]) -> Desk:
    return Desk(*running)


def value(desk: Desk, name: str, **labels: str) -> float | None:
    return registry(desk.app).get_sample_value(PREFIX + name, labels)


def ago(desk: Desk, index: str, event_id: str, **time: float) -> None:
    """As if the event had come to stand in this index so long ago."""
    at = (datetime.now(UTC) - timedelta(**time)).timestamp() * 1000
    desk.house.redis.zadd(f"mf:company:acme:{index}", {event_id: round(at)}, xx=True)


def test_held_events_do_not_make_old_what_is_under_way(desk: Desk) -> None:
    desk.ends(customer_json(), Failed("No."))
    publish(invoice_json(), app=desk.app)
    ago(desk, "open", "e3", hours=9)
    assert desk.ordering.counts("acme")["held"] == 1
    assert value(desk, "oldest_event_age_seconds") == 0
    assert overview(desk.house)["oldestWaitingSeconds"] is None
    publish(customer_json(event_id="e9", customer_number="9"), app=desk.app)
    ago(desk, "open", "e9", minutes=5)
    assert value(desk, "company_oldest_event_age_seconds", company="acme") == pytest.approx(300, abs=30)
    assert overview(desk.house, "acme")["oldestWaitingSeconds"] == pytest.approx(300, abs=30)


def test_behind_very_many_held_events_what_is_under_way_counts_as_old_as_the_last_one_looked_at(desk: Desk) -> None:
    desk.ends(customer_json(), Failed("No."))
    for number in range(HELD_PASSED_OVER):
        held = Submission(
            "acme",
            f"h{number}",
            f"acme/invoice/{number}",
            "invoice.finalized",
            "{}",
            desk.now,
            ("acme/customer/10001",),
        )
        desk.ordering.publish(held)
        ago(desk, "open", held.id, hours=9)
    publish(customer_json(event_id="e9", customer_number="9"), app=desk.app)
    assert value(desk, "oldest_event_age_seconds") == pytest.approx(9 * 3600, abs=60)


def test_a_failed_event_has_an_age(desk: Desk) -> None:
    for number in ("1", "2"):
        desk.ends(customer_json(event_id=f"c{number}", customer_number=number), Failed("No."))
    ago(desk, "failed", "c1", days=4)
    for name, labels in (("oldest_failed_age_seconds", {}), ("company_oldest_failed_age_seconds", {"company": "acme"})):
        assert value(desk, name, **labels) == pytest.approx(4 * 86400, abs=60)
    desk.ordering.skip("acme", "c1", "given up")
    assert value(desk, "oldest_failed_age_seconds") == pytest.approx(0, abs=60)


@pytest.mark.parametrize("how", ["disabled", "paused"])
def test_only_companies_that_are_polled_can_be_polled_late(desk: Desk, how: str) -> None:
    for company in ("acme", "beta"):
        publish(customer_json(company=company), app=desk.app)
        desk.house.polls.add(company, datetime.now(UTC))
        since = datetime.now(UTC) - timedelta(hours=2 if company == "acme" else 1)
        desk.house.redis.hset(f"mf:expenses:{company}:state", "cursor", since.isoformat())
    assert value(desk, "poll_age_seconds_max") == pytest.approx(7200, abs=60)
    if how == "paused":
        desk.ordering.pause("acme", "The connection to Fortnox has ended.")
    else:
        desk.house.polls.remove("acme")
    assert value(desk, "poll_age_seconds_max") == pytest.approx(3600, abs=60)
    assert value(desk, "poll_age_seconds", company="acme") is None


def test_a_lost_connection_that_nobody_could_be_told_of_waits_to_be_told(desk: Desk) -> None:
    desk.now = datetime.now(UTC)  # by which the metrics go
    desk.connect()
    publish(customer_json(), app=desk.app)
    desk.ordering.pause("acme", "The connection to Fortnox has ended.")
    desk.sandbox.refuse_mail("450")
    assert desk.told() == 0
    assert value(desk, "reports_waiting") == 1
    desk.sandbox.refuse_mail(None)
    assert desk.told(minutes=3) == 1
    assert value(desk, "reports_waiting") == 0
