"""Back-up and restore as docs/operations.md tells it: an older copy replays what it must, and doubles nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from messages.catalogue import say
from tests.acceptance.conftest import System
from tests.acceptance.test_expenses import ROW, expense
from tests.unit.factories import credit_note_json, customer_json, invoice_json, project_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

FAILS: dict[str, Any] = {"status": 503, "count": 1000, "tenant": "acme", "method": "POST"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path, options={"EXPENSE_POLL_INTERVAL": "1", "FORTNOX_RATE_LIMIT": "999/1"}) as stack:
        stack.start_services()
        stack.sandbox.post("options", {"rate_limit_enabled": False})
        yield System(stack, create_app(stack.settings))


def back_up(system: System, copy: Path) -> None:
    """Stop Redis, copy its directory, start it again. All else runs on."""
    redis = system.stack._redis
    redis.stop()
    shutil.copytree(redis.directory, copy)
    redis.start()


def restore(system: System, copy: Path) -> None:
    """With everything stopped, put the copy into the place of Redis's directory."""
    redis = system.stack._redis
    redis.stop()
    shutil.rmtree(redis.directory)
    shutil.copytree(copy, redis.directory)
    redis.start()


def invoice(system: System, number: int, **fields: Any) -> dict[str, Any]:
    file = system.file("acme", name=f"faktura-{number}.pdf", size=1_000)
    given = {
        "event_id": f"i{number}",
        "id": number,
        "invoice_number": number,
        "payment_id": None,
        "attachments": [file],
    }
    return invoice_json(**given | fields)


def customer(number: str, name: str, event_id: str, **fields: Any) -> dict[str, Any]:
    return customer_json(event_id=event_id, customer_number=number, name=name, **fields)


def settle(system: System, *events: dict[str, Any]) -> None:
    for event in events:
        record = system.settled_at_once("acme", event["id"])
        assert record.status in ("done", "superseded"), say(record.reason)


def held(system: System) -> dict[str, Any]:
    """What the ledger holds, without what says how it came there."""
    ledger = system.ledger("acme")
    shown = {
        kind: [
            {name: value for name, value in one.items() if name not in ("modified", "writes")} for one in ledger[kind]
        ]
        for kind in ("customers", "projects", "invoices", "files", "orphans")
    }
    return shown


def in_moment(system: System) -> dict[str, tuple[Any, ...]]:
    found = system.stack.sandbox.expenses("acme")
    return {name: (one["amountExcludingVat"], one["projectNumber"], one["date"]) for name, one in found.items()}


def test_a_restored_copy_replays_what_it_must_and_doubles_nothing(installation: System, tmp_path: Path) -> None:
    system, sandbox = installation, installation.stack.sandbox
    beat, worker = system.stack.start_beat(), system.stack.start_worker(concurrency=2)
    system.connect("acme", expenses={"enabled": True, "accountNumbers": ["4010"]})
    sandbox.moment_project("acme", "1")
    before = [customer("10001", "Skånska Bygg AB", "c1", sequence=1), project_json(), invoice(system, 1001)]
    system.publish(*before)
    settle(system, *before)
    sent, changed, cancelled = (sandbox.supplier_invoice("acme", ROW) for _ in range(3))
    for number in (sent, changed, cancelled):
        expense(system, "acme", f"fortnox:{number}:2")
    # Under way while the copy is made: an invoice that was created and lacks its file, and one that was not created.
    sandbox.fault("fail_next", path="/3/inbox", **FAILS)
    system.publish(invoice(system, 1002))
    wait_until(lambda: len(system.ledger("acme")["invoices"]) == 2, what="invoice 1002")
    sandbox.fault("fail_next", path="/3/", **FAILS)
    under_way = [customer("10002", "Före AB", "c2", sequence=1), invoice(system, 1003)]
    system.publish(*under_way)
    counts = system.app.services.ordering.counts
    wait_until(lambda: counts("acme")["running"] == 0, what="the attempts to end")

    back_up(system, tmp_path / "copy")

    sandbox.delete("faults")
    settle(system, {"id": "i1002"}, *under_way)
    after = [
        customer("10001", "Skånska Bygg & Co AB", "c3", sequence=2),
        customer("10002", "Efter AB", "c4", sequence=2),
        invoice(system, 1004, customer={"id": 2, "customerNumber": "10002"}),
        credit_note_json(event_id="i1005", id=1005, invoice_number=1005),
    ]
    system.publish(*after)
    settle(system, *after)
    sandbox.supplier_invoice("acme", {**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": changed})
    sandbox.post(f"supplierinvoices/{cancelled}/cancel", {"tenant": "acme"})
    new = sandbox.supplier_invoice("acme", {**ROW, "Debit": "300.00"})
    expense(system, "acme", f"fortnox:{changed}:2", amountExcludingVat="1200.00")
    expense(system, "acme", f"fortnox:{new}:2")
    wait_until(lambda: f"fortnox:{cancelled}:2" not in sandbox.expenses("acme"), what="the withdrawal")
    wait_until(lambda: not system.ledger("acme")["orphans"], what="each file to be attached")
    ledger, expenses = held(system), in_moment(system)

    for process in (worker, beat):
        process.stop()
    restore(system, tmp_path / "copy")
    system.stack.start_beat("beat again")
    system.stack.start_worker("worker again", concurrency=2)

    # What producers still have: all of it, in its order, with its ids.
    again = [*before, {"id": "i1002"}, *under_way, *after]
    system.publish(*before, *under_way, *after)
    settle(system, *again)
    last = sandbox.supplier_invoice("acme", {**ROW, "Debit": "400.00"})
    expense(system, "acme", f"fortnox:{last}:2")
    wait_until(lambda: in_moment(system).items() >= expenses.items(), what="the expenses")
    assert system.run("expenses", "import", "acme", "--days-back", "30", "--timeout", "120").returncode == 0

    assert held(system) == ledger
    assert {one["DocumentNumber"]: one["writes"] for one in system.ledger("acme")["invoices"]} == {
        number: {"POST": 1, "bookkeep": 1} for number in ("1001", "1002", "1003", "1004", "1005")
    }
    assert in_moment(system) == expenses | {f"fortnox:{last}:2": in_moment(system)[f"fortnox:{last}:2"]}
    assert all(one["writes"]["POST"] == 1 for one in sandbox.expenses("acme").values())
    assert counts("acme")["failed"] == counts("acme")["held"] == 0
    assert system.mails_to("ekonomi@acme.example") == []
