"""A company that connects to another ledger in the middle of a transfer: what was done in the old one stays there."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis
import requests
from celery.exceptions import Retry as ShownAsRetry

from config import load_settings
from tasks.names import TRANSFERS
from tasks.transfer import Job, TransferFailed, TransferTask, counting
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox
from tests.unit.factories import customer_json, integration_json, invoice_json
from worker.assembly import App, create_app
from worker.doors.publish import publish
from worker.ordering import Done, EventRecord, Outcome

BOOKKEEP = "/3/invoices/1001/bookkeep"


@pytest.fixture
def app(redis_url: str, redis_client: "redis.Redis", sandbox: Sandbox) -> Iterator[App]:
    """Connected to the ledger `acme`; there is another, `other`. Without a worker: a test runs the tasks itself."""
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
    sandbox.post("options", {"rate_limit_enabled": False})
    for name in ("acme", "other"):
        sandbox.tenant(name)
        sandbox.post("projects", {"tenant": name, "number": "1", "StartDate": "2026-01-01"})
    connect(app, sandbox, "acme", "e4")
    yield app
    app.close()


def connect(app: App, sandbox: Sandbox, ledger: str, event_id: str) -> None:
    code = sandbox.code(ledger)
    publish(integration_json(event_id=event_id, authorization_code=code, expenses={"enabled": False}), app=app)
    assert run(app, "integration", event_id) == "done"


def run(app: App, kind: str, event_id: str) -> Any:
    """Runs the transfer that is due now or later; how it was shown."""
    app.house.redis.delete("-", *app.house.redis.scan_iter("fortnox:rate*"))
    app.house.ordering.retry("acme", event_id)
    try:
        return app.tasks[TRANSFERS[kind]].run("acme", event_id)
    except (ShownAsRetry, TransferFailed) as shown:
        return shown


def settled(app: App, event_id: str) -> EventRecord:
    record = app.house.ordering.event("acme", event_id)
    assert record is not None
    return record


def by_hand(app: App, sandbox: Sandbox, ledger: str, path: str, document: dict[str, Any]) -> None:
    """What an accountant entered in that ledger."""
    token = app.house.oauth.exchange_code(sandbox.code(ledger)).access_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{sandbox.fortnox}/3/{path}", json=document, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text


def invoices(sandbox: Sandbox, ledger: str) -> dict[int, dict[str, Any]]:
    return {int(one["DocumentNumber"]): one for one in sandbox.state(ledger)["invoices"]}


def test_an_invoice_of_the_same_number_in_the_new_ledger_is_not_posted_for_ours(app: App, sandbox: Sandbox) -> None:
    publish(customer_json(), app=app)
    assert run(app, "customer", "e1") == "done"
    sandbox.fault("fail_next", status=503, path=BOOKKEEP, body="html", tenant="acme")
    publish(invoice_json(project=None, attachments=[]), app=app)
    run(app, "invoice", "e3")
    assert list(invoices(sandbox, "acme")) == [1001]
    by_hand(app, sandbox, "other", "customers", {"Customer": {"CustomerNumber": "10001", "Name": "En annan kund"}})
    row = {"AccountNumber": 3010, "Description": "Deras", "DeliveredQuantity": "1", "Price": 100, "VAT": 25}
    theirs = {"CustomerNumber": "10001", "DocumentNumber": "1001", "InvoiceRows": [row]}
    by_hand(app, sandbox, "other", "invoices", {"Invoice": theirs})
    connect(app, sandbox, "other", "moved")

    run(app, "invoice", "e3")

    refused = settled(app, "e3")
    assert (refused.status, refused.code) == ("failed", "NumberTaken")
    assert not invoices(sandbox, "other")[1001]["Booked"]


def test_an_invoice_that_was_left_half_way_in_the_old_ledger_is_whole_in_the_new_one(
    app: App, sandbox: Sandbox
) -> None:
    publish(customer_json(), app=app)
    assert run(app, "customer", "e1") == "done"
    sandbox.fault("fail_next", status=503, path=BOOKKEEP, body="html", tenant="acme")
    publish(invoice_json(project=None, attachments=[]), app=app)
    run(app, "invoice", "e3")
    connect(app, sandbox, "other", "moved")
    publish(customer_json(event_id="again"), app=app)
    assert run(app, "customer", "again") == "done"

    assert run(app, "invoice", "e3") == "done"

    assert invoices(sandbox, "other")[1001]["Booked"]
    assert not invoices(sandbox, "acme")[1001]["Booked"]


def test_a_transfer_that_the_move_meets_between_two_requests_sends_nothing_more_and_begins_anew(
    app: App, sandbox: Sandbox
) -> None:
    publish(customer_json(), app=app)
    task = cast(TransferTask, app.tasks[TRANSFERS["customer"]])

    def moved_on_the_way(job: Job) -> Outcome:
        job.fortnox.company_information()
        job.record("halfway")
        connect(app, sandbox, "other", "moved")
        job.links.remember("customer", "10001", "written in the old ledger")
        before.extend(sandbox.requests("other"))
        job.fortnox.company_information()
        return Done()

    before: list[str] = []
    assert task.deliver("acme", "e1", moved_on_the_way) == "yield"
    assert sandbox.requests("other") == before
    assert settled(app, "e1").status == "ready"

    def from_the_start(job: Job) -> Outcome:
        assert job.taken("halfway") is None
        assert job.links.remembered("customer", "10001") is None
        job.fortnox.company_information()
        return Done()

    assert task.deliver("acme", "e1", from_the_start) == "done"
    assert len(sandbox.requests("other")) == len(before) + 1


def test_a_step_counts_in_the_ledger_that_it_was_taken_in_and_a_persons_word_in_each() -> None:
    progress = {"created@1": "1", "posted@1": "?", "created@12": "?", "accept-existing": "1"}
    assert counting(progress, 1) == {"created": "1", "posted": "?", "accept-existing": "1"}
    assert counting(progress, 2) == {"accept-existing": "1"}
    assert counting(progress, None) == {"accept-existing": "1"}
