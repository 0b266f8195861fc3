"""A worker that is stopped hands back what it runs, and another goes on from there at once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit.factories import an_attachment, customer_json, invoice_json, project_json
from tests.waiting import DEADLINE, wait_until
from worker.bootstrap import create_app


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path) as stack:
        stack.start_services()
        yield System(stack, create_app(stack.settings))


def test_a_stopped_workers_transfer_goes_on_elsewhere_without_waiting_for_its_lease(own_system: System) -> None:
    system = own_system
    first = system.stack.start_worker("first", concurrency=1)
    system.connect("acme")
    system.publish(customer_json(), project_json())
    system.settled("acme", "e2")
    system.stack.sandbox.fault("delay", seconds=2.0, count=1000)
    files = [an_attachment(file_name=f"{n}.pdf", url=None, content=f"JVBERi0xLjQK{n}AAA") for n in range(4)]
    system.publish(invoice_json(attachments=files))  # seven requests: fourteen seconds in one worker's hands
    wait_until(lambda: system.app.services.ordering.counts("acme")["running"] == 1, what="the transfer to run")
    first.send_signal(signal.SIGTERM)
    sent = len(system.stack.sandbox.requests("acme"))
    assert first.wait(timeout=DEADLINE) == 0
    assert len(system.stack.sandbox.requests("acme")) <= sent + 1  # the request that was on its way
    assert system.app.services.ordering.counts("acme")["running"] == 0
    system.stack.sandbox.delete("faults")
    system.stack.start_worker("second", concurrency=1)
    assert system.settled("acme", "e3").status == "done"
    (invoice,) = system.ledger("acme")["invoices"]
    assert invoice["Booked"]
    assert len(invoice["attachments"]) == 4
    assert system.stack.sandbox.requests("acme").count("POST /3/invoices") == 1


def test_what_a_worker_ran_when_it_was_ended_goes_on_at_once(own_system: System) -> None:
    """SIGQUIT: what has not ended after the soft time-out is killed. Its lease would last for another half a minute."""
    system = own_system
    first = system.stack.start_worker("first", concurrency=1)
    system.connect("acme")
    system.stack.sandbox.fault("delay", seconds=50.0, path="/3/customers")
    system.publish(customer_json())
    wait_until(lambda: system.app.services.ordering.counts("acme")["running"] == 1, what="the transfer to run")
    first.send_signal(signal.SIGQUIT)
    first.wait(timeout=DEADLINE)
    assert system.app.services.ordering.counts("acme")["running"] == 0
    system.stack.sandbox.delete("faults")
    system.stack.start_worker("second", concurrency=1)
    assert system.settled("acme", "e1").status == "done"
