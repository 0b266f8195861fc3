"""A poll as its task runs it: through the engine, with the rate limit that it shares with the company's transfers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from config import load_settings
from fortnox import Limiter
from tasks.names import POLL, TRANSFERS
from tasks.schedule import POLL_ID, poll_asked
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox
from tests.unit.factories import integration_json
from worker.assembly import App, create_app
from worker.doors.publish import publish

ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1"}


@pytest.fixture
def app(redis_url: str, redis_client: "redis.Redis", sandbox: Sandbox) -> Iterator[App]:
    """Without a worker: a test runs the tasks itself, so that it can look between them."""
    settings = load_settings(
        None,
        redis_url=redis_url,
        fortnox_api_url=sandbox.fortnox,
        fortnox_auth_url=sandbox.fortnox,
        fortnox_client_id=CLIENT_ID,
        fortnox_client_secret=CLIENT_SECRET,
        moment_api_url=f"{sandbox.moment}/api/1.0",
        moment_api_key="sandbox-key",
    )
    app = create_app(settings)
    app.loader.import_default_modules()
    sandbox.tenant("acme")
    sandbox.moment_project("acme", "1")
    sandbox.post("projects", {"tenant": "acme", "number": "1", "StartDate": "2026-01-01"})
    publish(integration_json(authorization_code=sandbox.code("acme")), app=app)
    assert run(app, TRANSFERS["integration"], "e4") == "done"
    yield app
    app.close()


def run(app: App, task: str, event_id: str) -> Any:
    return app.tasks[task].run("acme", event_id)


def test_a_poll_leaves_rate_to_the_companys_transfers_and_gives_its_slot_back(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.supplier_invoice("acme", ROW, copies=29)
    poll_asked(app.house, "acme")

    assert run(app, POLL, POLL_ID) == "later"

    assert app.house.ordering.counts("acme")["retrying"] == 1
    assert not app.house.ordering.resting("acme")
    limiter = Limiter(redis_client)
    assert limiter.room("acme").used == 18
    for _ in range(6):
        limiter.acquire("acme")  # an invoice with a file takes four
    sent = app.house.expenses("acme").summary()["supplierInvoicesSent"]
    assert 0 < sent < 30
    assert app.house.expenses("acme").due() == 30 - sent  # the one that found no room goes on at once


def test_a_poll_that_was_interrupted_goes_on_from_its_list_without_listing_again(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.supplier_invoice("acme", ROW, copies=29)
    sandbox.post("options", {"rate_limit_enabled": False})  # ours stays
    poll_asked(app.house, "acme")
    for _ in range(10):
        ended = run(app, POLL, POLL_ID)
        if ended != "later":
            break
        redis_client.delete(*redis_client.scan_iter("fortnox:rate*"), *redis_client.scan_iter("*LIMITER*"))
        app.house.ordering.retry("acme", POLL_ID)

    assert ended == "done"
    expenses = sandbox.expenses("acme")
    assert len(expenses) == 30
    assert all(one["writes"] == {"POST": 1, "PUT": 0} for one in expenses.values())
    assert sandbox.requests("acme").count("GET /3/supplierinvoices") == 2  # the list, and who waits for approval
    assert app.house.expenses("acme").summary()["counts"]["created"] == 30


def test_while_moment_is_down_the_poll_backs_off_and_the_companys_transfers_go_on(app: App, sandbox: Sandbox) -> None:
    sandbox.supplier_invoice("acme", ROW)
    sandbox.in_moment("POST", "faults", {"kind": "fail_next", "status": 503, "count": 99})
    poll_asked(app.house, "acme")
    with pytest.raises(Exception, match="again in"):  # how a retry shows in Flower
        run(app, POLL, POLL_ID)
    record = app.house.ordering.event("acme", POLL_ID)
    assert record is not None
    assert (record.status, record.reason) == ("retrying", "Moment did not answer as it should (status 503).")
    assert not app.house.ordering.resting("acme")


def test_a_failed_event_names_its_supplier_invoice_and_is_over_when_that_goes_through(
    app: App, sandbox: Sandbox
) -> None:
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "no", "method": "POST"}
    sandbox.in_moment("POST", "faults", refusal)
    number = sandbox.supplier_invoice("acme", ROW)
    poll_asked(app.house, "acme")
    assert run(app, POLL, POLL_ID) == "done"
    (failed,) = app.house.ordering.failed("acme")
    assert failed.id.startswith(f"supplierinvoice-{number}-")
    assert [one[:2] for one in app.house.ordering.unreported()] == [("acme", failed.id)]

    app.house.expenses("acme").add([number], datetime.now(UTC))
    poll_asked(app.house, "acme")
    assert run(app, POLL, POLL_ID) == "done"

    over = app.house.ordering.event("acme", failed.id)
    assert over is not None
    assert (over.status, over.reason) == ("skipped", "It went through since.")
    assert app.house.expenses("acme").failure(number) is None
