"""A worker killed in the middle of an invoice: the next goes on from the step that was reached."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import ManagedProcess
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.acceptance.invoices import the_invoice
from tests.unit.factories import customer_json, invoice_json, project_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

LEASE = 3.0
UPLOAD, POST = "/3/inbox", "/3/invoices/1001/bookkeep"
ON_THE_WIRE = 1.0  # s; shorter than the lease: what was sent arrives before somebody else looks


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path) as stack:
        stack.start_services()
        stack.environment["LEASE_SECONDS"] = str(LEASE)
        yield System(stack, create_app(stack.settings))


def kill_during(system: System, worker: ManagedProcess, path: str) -> None:
    """Kills the worker while Fortnox has its request to this path, and has not answered: its delay is used up."""

    def taken() -> bool:
        return all(fault["path"] != path for fault in system.stack.sandbox.get("faults")["queue"])

    wait_until(taken, what=f"{path} to be asked for")
    worker.kill()


def test_an_invoice_whose_worker_is_killed_twice_is_there_once_with_its_file(system: System) -> None:
    worker = system.stack.start_worker("first", concurrency=1)
    system.connect("acme")
    system.publish(customer_json(), project_json())
    system.settled("acme", "e1")
    system.settled("acme", "e2")
    for path in (UPLOAD, POST):
        system.stack.sandbox.fault("delay", seconds=ON_THE_WIRE, path=path)
    system.publish(invoice_json(attachments=[system.file("acme", name="faktura.pdf", size=1_000)]))
    kill_during(system, worker, UPLOAD)
    worker = system.stack.start_worker("second", concurrency=1)
    kill_during(system, worker, POST)
    system.stack.start_worker("third", concurrency=1)
    assert system.settled("acme", "e3").status == "done"
    found = the_invoice(system, "acme")
    assert found["writes"] == {"POST": 1, "bookkeep": 1}
    assert [one["Name"] for one in found["attachments"]] == ["faktura.pdf"]
    ledger = system.ledger("acme")
    assert [one["Name"] for one in ledger["orphans"]] == ["faktura.pdf"]
    assert "invoices.bookkeep_repeated" not in ledger["counters"]
    assert (system.stack.logs / "second.log").read_text().count("invoice.orphan_upload") == 1
