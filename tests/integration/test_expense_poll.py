"""A poll as its task runs it: through the engine, with the rate limit that it shares with the company's transfers."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery.exceptions import Retry as ShownAsRetry

from delivery.context import TransferContext
from delivery.polling import POLL_ID, poll_asked
from fortnox.limiter import Limiter
from messages import NOTHING, Message
from operations import expenses as operations
from operations.audit import Actor, ActorKind
from operations.errors import OperationError, WrongArgument
from ordering import EventRecord, Release
from stores import Heartbeats
from tasks import expenses
from tasks.base import TransferFailed
from tasks.expenses import PollRequest
from tasks.flows import CUSTOMER, EXPENSES, INTEGRATION
from tests.services import Sandbox
from tests.unattended import Unattended
from tests.unit.factories import customer_json, integration_json
from worker.bootstrap import App
from worker.publish import publish

MAJA = Actor(ActorKind.COMMAND_LINE, "maja")
ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1"}


@pytest.fixture
def app(unattended: Unattended, sandbox: Sandbox) -> App:
    """Without a worker: a test runs the tasks itself, so that it can look between them."""
    sandbox.post("options", {"rate_limit_enabled": True})
    sandbox.moment_project("acme", "1")
    sandbox.post("projects", {"tenant": "acme", "number": "1", "StartDate": "2026-01-01"})
    publish(integration_json(authorization_code=sandbox.code("acme")), services=unattended.app.services)
    assert run(unattended.app, INTEGRATION.task.name, "e4") == "done"
    return unattended.app


def run(app: App, task: str, event_id: str) -> Any:
    return app.tasks[task].run("acme", event_id)


def failed(app: App) -> int:
    (one,) = operations.status(app.services, "acme")
    return one.failed


def told(event: EventRecord) -> list[tuple[str, str]]:
    """What the event says of which row."""
    return [(part.key, str(part.params["row"])) for part in event.reason.parts]


def test_a_poll_leaves_rate_to_the_companys_transfers_and_gives_its_slot_back(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.supplier_invoice("acme", ROW, copies=29)
    poll_asked(app.services.ordering, "acme")

    assert run(app, EXPENSES.task.name, POLL_ID) == "snooze"

    assert app.services.ordering.counts("acme")["retrying"] == 1
    assert not app.services.ordering.resting("acme")
    limiter = Limiter(redis_client)
    assert limiter.window("acme").used == 18
    for _ in range(6):
        limiter.acquire("acme")  # an invoice with a file takes four
    sent = app.services.stores.expenses("acme").summary()["supplierInvoicesSent"]
    assert 0 < sent < 30
    assert app.services.stores.expenses("acme").due() == 30 - sent  # the one that found no room goes on at once


def test_a_poll_leaves_nearly_everything_while_the_company_has_transfers_waiting(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.supplier_invoice("acme", ROW, copies=29)
    publish(customer_json(), services=app.services)
    pass_time(app)
    poll_asked(app.services.ordering, "acme")

    assert run(app, EXPENSES.task.name, POLL_ID) == "snooze"

    assert Limiter(redis_client).window("acme").used == 1
    assert run(app, CUSTOMER.task.name, customer_json()["id"]) == "done"
    pass_time(app)
    app.services.ordering.retry("acme", POLL_ID)
    assert run(app, EXPENSES.task.name, POLL_ID) == "snooze"
    assert Limiter(redis_client).window("acme").used == 18


def test_a_poll_that_was_interrupted_goes_on_from_its_list_without_listing_again(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.supplier_invoice("acme", ROW, copies=29)
    sandbox.post("options", {"rate_limit_enabled": False})  # ours stays
    poll_asked(app.services.ordering, "acme")
    for _ in range(10):
        ended = run(app, EXPENSES.task.name, POLL_ID)
        if ended != "snooze":
            break
        redis_client.delete(*redis_client.scan_iter("fortnox:rate*"))
        app.services.ordering.retry("acme", POLL_ID)

    assert ended == "done"
    expenses = sandbox.expenses("acme")
    assert len(expenses) == 30
    assert all(one["writes"] == {"POST": 1, "PUT": 0} for one in expenses.values())
    assert sandbox.requests("acme").count("GET /3/supplierinvoices") == 2  # the list, and who waits for approval
    assert app.services.stores.expenses("acme").summary()["counts"]["created"] == 30


def test_while_moment_is_down_the_poll_backs_off_and_the_companys_transfers_go_on(app: App, sandbox: Sandbox) -> None:
    sandbox.supplier_invoice("acme", ROW)
    sandbox.in_moment("POST", "faults", {"kind": "fail_next", "status": 503, "count": 99})
    poll_asked(app.services.ordering, "acme")
    with pytest.raises(ShownAsRetry):
        run(app, EXPENSES.task.name, POLL_ID)
    record = app.services.ordering.event("acme", POLL_ID)
    assert record is not None
    assert (record.status, record.reason) == ("retrying", Message("moment.answered", status="503"))
    assert not app.services.ordering.resting("acme")


def comes_due(app: App) -> None:
    """As if the poll's pause were over. (A person's retry would count its attempts anew.)"""
    app.services.redis.zadd("mf:due", {f"acme:{POLL_ID}": 0}, xx=True)
    app.services.ordering.pump()


def test_while_fortnox_is_down_a_poll_is_tried_again_every_interval_and_a_person_told_after_a_day(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    sandbox.post("options", {"rate_limit_enabled": False})
    sandbox.fault("fail_next", status=503, count=999, path="/3/supplierinvoices")
    poll_asked(app.services.ordering, "acme")
    for _ in range(143):
        with pytest.raises(ShownAsRetry) as shown:
            run(app, EXPENSES.task.name, POLL_ID)
        redis_client.delete(*redis_client.scan_iter("fortnox:rate*"))  # as if five seconds had passed
        app.services.ordering.resume("acme")  # the breaker's rest, which others than the poll would end too
        comes_due(app)
    assert shown.value.when <= datetime.now(UTC) + timedelta(minutes=10)  # where a transfer waits for hours
    for _ in range(2):
        with suppress(ShownAsRetry, TransferFailed):
            run(app, EXPENSES.task.name, POLL_ID)
        redis_client.delete(*redis_client.scan_iter("fortnox:rate*"))
        app.services.ordering.resume("acme")
        if app.services.ordering.event("acme", POLL_ID).status == "retrying":  # type: ignore[union-attr]
            comes_due(app)
    record = app.services.ordering.event("acme", POLL_ID)
    assert record is not None
    assert record.status == "failed"
    assert record.reason.parts[-1] == Message("delivery.gave-up", n=145)
    assert record.remedy == Message("expenses.resumes-with-fortnox")

    sandbox.delete("faults")
    assert poll_asked(app.services.ordering, "acme")  # as in the company's next slot
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"


def test_a_person_who_is_told_after_a_day_is_told_which_system_is_down(app: App, sandbox: Sandbox) -> None:
    sandbox.supplier_invoice("acme", ROW)
    for status, remedy in ((503, "expenses.resumes-with-moment"), (401, "expenses.renew-api-key")):
        sandbox.in_moment("POST", "faults", {"kind": "fail_next", "status": status, "count": 1})
        poll_asked(app.services.ordering, "acme")
        app.services.redis.hset(f"mf:event:acme:{POLL_ID}", "attempts", 144)  # as if for a day
        app.services.stores.expenses("acme").add(["1"], datetime.now(UTC))
        pass_time(app)
        with pytest.raises(TransferFailed):
            run(app, EXPENSES.task.name, POLL_ID)
        record = app.services.ordering.event("acme", POLL_ID)
        assert record is not None
        assert record.remedy == Message(remedy)


def test_a_failed_event_names_its_supplier_invoice_and_is_over_when_that_goes_through(
    app: App, sandbox: Sandbox
) -> None:
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "no", "method": "POST"}
    sandbox.in_moment("POST", "faults", refusal)
    number = sandbox.supplier_invoice("acme", ROW)
    poll_asked(app.services.ordering, "acme")
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"
    (failed,) = app.services.ordering.failed("acme")
    assert failed.id.startswith(f"supplierinvoice-{number}-")
    assert [one[:2] for one in app.services.ordering.unreported()] == [("acme", failed.id)]

    app.services.stores.expenses("acme").add([number], datetime.now(UTC))
    poll_asked(app.services.ordering, "acme")
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"

    over = app.services.ordering.event("acme", failed.id)
    assert over is not None
    assert (over.status, over.reason) == ("skipped", Message("expense.went-through"))
    assert app.services.stores.expenses("acme").failure(number) is None


def test_a_refusal_that_comes_again_is_the_same_failure(app: App, sandbox: Sandbox) -> None:
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "no", "method": "POST", "count": 2}
    sandbox.in_moment("POST", "faults", refusal)
    number = sandbox.supplier_invoice("acme", ROW)
    poll_to_the_end(app)
    (failed,) = app.services.ordering.failed("acme")

    app.services.stores.expenses("acme").add([number], datetime.now(UTC))
    poll_to_the_end(app)

    assert [event.id for event in app.services.ordering.failed("acme")] == [failed.id]
    assert app.services.stores.expenses("acme").summary()["counts"]["failed"] == 1


def test_the_same_difference_is_told_again_when_it_was_settled_in_between(
    app: App, sandbox: Sandbox, redis_client: "redis.Redis"
) -> None:
    def change(amount: str) -> list[str]:
        redis_client.delete("-", *redis_client.scan_iter("fortnox:rate*"))
        sandbox.supplier_invoice("acme", {**ROW, "Debit": amount}, invoice={"GivenNumber": "1"})
        poll_asked(app.services.ordering, "acme")
        assert run(app, EXPENSES.task.name, POLL_ID) == "done"
        return [event.id for event in app.services.ordering.failed("acme")]

    assert change("1000.00") == []
    sandbox.in_moment("POST", "expenses", {"company": "acme", "externalId": "fortnox:1:2", "invoiced": True})
    (first,) = change("1200.00")
    assert change("1000.00") == []

    (second,) = change("1200.00")

    assert second != first
    assert change("1200.00") == [second]  # once for each change
    assert failed(app) == 1
    app.services.ordering.skip("acme", second, Message("expense.went-through"))
    counted = app.services.stores.expenses("acme").summary()["counts"]
    assert change("1200.00") == []
    assert failed(app) == 0
    after = app.services.stores.expenses("acme").summary()["counts"]
    assert (after["needAPerson"], after["looked"]) == (counted["needAPerson"], counted["looked"] + 1)


def test_a_refusal_that_goes_through_leaves_only_what_still_stands(app: App, sandbox: Sandbox) -> None:
    second = {**ROW, "Debit": "500.00"}
    sandbox.supplier_invoice("acme", ROW, second)
    poll_asked(app.services.ordering, "acme")
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"
    sandbox.in_moment("POST", "expenses", {"company": "acme", "externalId": "fortnox:1:2", "invoiced": True})
    row = {**ROW, "Debit": "1200.00"}
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "no", "method": "POST"}
    sandbox.in_moment("POST", "faults", refusal)
    sandbox.supplier_invoice("acme", row, second, {**ROW, "Debit": "7.00"}, invoice={"GivenNumber": "1"})
    poll_asked(app.services.ordering, "acme")
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"
    (failed,) = app.services.ordering.failed("acme")
    assert told(failed) == [("expense.already-invoiced", "2"), ("expense.rejected", "4")]

    app.services.ordering.retry("acme", failed.id)
    with suppress(TransferFailed):
        run(app, EXPENSES.task.name, failed.id)

    (failed,) = app.services.ordering.failed("acme")
    assert told(failed) == [("expense.already-invoiced", "2")]
    assert "fortnox:1:4" in sandbox.expenses("acme")


# An import by hand


def why(app: App) -> Message:
    return operations.why_waiting(app.services, "acme", app.services.ordering.event("acme", POLL_ID))


def test_who_watches_an_import_is_told_what_it_waits_for(app: App, sandbox: Sandbox) -> None:
    sandbox.supplier_invoice("acme", ROW)
    poll_asked(app.services.ordering, "acme")
    app.services.redis.delete("mf:heartbeats")
    assert why(app) == Message("expenses.import-without-worker")
    Heartbeats(app.services.redis).beat("worker")
    assert why(app) == NOTHING
    sandbox.in_moment("POST", "faults", {"kind": "fail_next", "status": 503})
    with pytest.raises(ShownAsRetry):
        run(app, EXPENSES.task.name, POLL_ID)
    Heartbeats(app.services.redis).beat("worker")
    assert why(app) == Message("expenses.import-retries", reason=Message("moment.answered", status="503"))
    grant_ended = Message("expenses.not-connected", company="acme")
    app.services.ordering.pause("acme", grant_ended)
    assert why(app) == Message("expenses.import-paused", company="acme", reason=grant_ended)


def test_an_import_yields_how_far_it_is_until_a_worker_is_through_with_it(app: App, sandbox: Sandbox) -> None:
    sandbox.supplier_invoice("acme", ROW)
    steps = operations.import_(app.services, "acme", days_back=30, timeout=60, by=MAJA)

    first = next(steps)

    assert (first.done, first.left) == (False, 1)
    assert first.listing is not None
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"
    *_, last = steps
    assert (last.done, last.left, last.waits_for) == (True, 0, NOTHING)
    assert {name: last.counts[name] for name in ("looked", "created", "needAPerson")} == {
        "looked": 1,
        "created": 1,
        "needAPerson": 0,
    }


def test_an_import_ends_with_why_its_poll_failed_and_is_not_begun_for_who_wants_no_expenses(
    app: App, sandbox: Sandbox
) -> None:
    sandbox.fault("fail_next", status=400, path="/3/supplierinvoices")
    steps = operations.import_(app.services, "acme", days_back=30, timeout=60, by=MAJA)
    next(steps)
    with pytest.raises(TransferFailed):
        run(app, EXPENSES.task.name, POLL_ID)
    with pytest.raises(OperationError) as failed:
        next(steps)
    record = app.services.ordering.event("acme", POLL_ID)
    assert record is not None
    assert failed.value.message == Message.join(record.reason, record.remedy)
    with pytest.raises(WrongArgument) as unknown:
        next(operations.import_(app.services, "nobody", days_back=30, timeout=60, by=MAJA))
    assert unknown.value.message == Message("operation.unknown-company", company="nobody")
    publish(customer_json(company="nobody"), services=app.services)
    with pytest.raises(WrongArgument) as unconnected:
        next(operations.import_(app.services, "nobody", days_back=30, timeout=60, by=MAJA))
    assert unconnected.value.message == Message("expenses.not-connected", company="nobody")


# Another ledger


@pytest.fixture
def other(sandbox: Sandbox) -> str:
    """A ledger of another company's, which has project 1 too."""
    sandbox.tenant("other")
    sandbox.post("projects", {"tenant": "other", "number": "1", "StartDate": "2026-01-01"})
    return "other"


def connect(app: App, sandbox: Sandbox, ledger: str, event_id: str) -> None:
    """Connects the company to that ledger."""
    publish(integration_json(event_id=event_id, authorization_code=sandbox.code(ledger)), services=app.services)
    pass_time(app)
    assert run(app, INTEGRATION.task.name, event_id) == "done"


def pass_time(app: App) -> None:
    """As if five seconds had passed."""
    app.services.redis.delete("-", *app.services.redis.scan_iter("fortnox:rate*"))


def poll_to_the_end(app: App) -> None:
    pass_time(app)
    poll_asked(app.services.ordering, "acme")
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"


def amounts(sandbox: Sandbox) -> dict[str, str]:
    return {name: one["amountExcludingVat"] for name, one in sandbox.expenses("acme").items()}


def test_another_ledger_starts_anew_under_ids_of_its_own_and_leaves_the_first_ones_expenses_alone(
    app: App, sandbox: Sandbox, other: str
) -> None:
    for _ in range(2):
        sandbox.supplier_invoice("acme", ROW)
    poll_to_the_end(app)
    of_the_first = {"fortnox:1:2": "1000.00", "fortnox:2:2": "1000.00"}
    assert amounts(sandbox) == of_the_first
    sandbox.supplier_invoice(other, {**ROW, "Debit": "77.00"})
    sandbox.supplier_invoice(other, {**ROW, "Project": ""})  # number 2, which does not count here
    connect(app, sandbox, other, "e5")
    tenant_id = app.services.stores.connections.get("acme").tenant_id

    poll_to_the_end(app)

    assert amounts(sandbox) == of_the_first | {f"fortnox:{tenant_id}:1:2": "77.00"}
    assert all(one["writes"] == {"POST": 1, "PUT": 0} for one in sandbox.expenses("acme").values())
    sandbox.post("supplierinvoices/1/cancel", {"tenant": other})
    poll_to_the_end(app)
    assert amounts(sandbox) == of_the_first


def test_a_company_that_goes_back_to_its_first_ledger_goes_on_where_it_was(
    app: App, sandbox: Sandbox, other: str
) -> None:
    for _ in range(2):
        sandbox.supplier_invoice("acme", ROW)
    poll_to_the_end(app)
    sandbox.supplier_invoice(other, {**ROW, "Debit": "77.00"})
    connect(app, sandbox, other, "e5")
    poll_to_the_end(app)
    sandbox.post("supplierinvoices/1/cancel", {"tenant": "acme"})
    sandbox.supplier_invoice("acme", {**ROW, "Debit": "5.00"}, invoice={"GivenNumber": "2"})
    sandbox.supplier_invoice("acme", {**ROW, "Debit": "6.00"})

    connect(app, sandbox, "acme", "e6")
    poll_to_the_end(app)

    found = amounts(sandbox)
    assert [name for name in found if name.count(":") == 3] != []
    assert {name: amount for name, amount in found.items() if name.count(":") == 2} == {
        "fortnox:2:2": "5.00",
        "fortnox:3:2": "6.00",
    }


def test_what_failed_in_the_former_ledger_is_skipped_and_a_retry_of_it_touches_nothing(
    app: App, sandbox: Sandbox, other: str
) -> None:
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "no", "method": "POST"}
    sandbox.in_moment("POST", "faults", refusal)
    sandbox.supplier_invoice("acme", ROW)
    poll_to_the_end(app)
    (failed,) = app.services.ordering.failed("acme")
    sandbox.supplier_invoice(other, {**ROW, "Project": ""})
    connect(app, sandbox, other, "e5")

    poll_to_the_end(app)

    over = app.services.ordering.event("acme", failed.id)
    assert over is not None
    assert (over.status, over.reason) == ("skipped", Message("expenses.other-ledger"))
    sandbox.in_moment("POST", "faults", refusal)
    sandbox.supplier_invoice(other, ROW, invoice={"GivenNumber": "1"})
    poll_to_the_end(app)
    (anew,) = app.services.ordering.failed("acme")
    assert anew.id != failed.id
    app.services.ordering.retry("acme", failed.id)
    assert run(app, EXPENSES.task.name, failed.id) == "skipped"
    app.services.ordering.retry("acme", anew.id)
    assert run(app, EXPENSES.task.name, anew.id) == "done"
    assert list(amounts(sandbox).values()) == ["1000.00"]


def test_a_poll_that_was_under_way_when_another_ledger_was_connected_brings_nothing_of_it(
    app: App, sandbox: Sandbox, other: str
) -> None:
    sandbox.supplier_invoice("acme", ROW)
    poll_asked(app.services.ordering, "acme")
    claim = app.services.ordering.claim("acme", POLL_ID)
    assert claim is not None
    with app.services.leases.keep(claim) as hold:
        context = TransferContext(PollRequest(), claim, hold, app.services)
        assert context.connection.tenant_id is not None
        sandbox.supplier_invoice(other, {**ROW, "Debit": "77.00"})
        connect(app, sandbox, other, "e5")

        outcome = expenses.poll(context)

    assert outcome == Release(reason=Message("expenses.other-ledger"))
    assert amounts(sandbox) == {}
    assert app.services.ordering.settle(claim, outcome) == ()
    assert run(app, EXPENSES.task.name, POLL_ID) == "done"
    assert list(amounts(sandbox).values()) == ["77.00"]
