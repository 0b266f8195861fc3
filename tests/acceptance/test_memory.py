"""Files pass through a worker without piling up in its memory: 60 MB of them, or `FILES_MB=200`."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, invoice_json, project_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

pytestmark = pytest.mark.proof

MB = 1_000_000
FILE, COMPANIES = 19 * MB, 3
FILES = -(-int(os.environ.get("FILES_MB", "57")) * MB // FILE)
ALLOWED = FILES * FILE / MB / 4  # of 200 MB, 50


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path) as stack:
        stack.start_services()
        yield System(stack, create_app(stack.settings))


def test_files_leave_less_than_a_quarter_of_their_size_in_a_worker(system: System) -> None:
    worker = system.stack.start_worker(concurrency=1)
    for n in range(COMPANIES):
        company = f"c{n}"
        system.connect(company, attachment_max_bytes=20 * MB, attachments_max_total_bytes=20 * MB)
        system.publish(customer_json(company=company), project_json(company=company))
        system.publish(invoice_json(company=company, event_id="warm", attachments=[], invoice_number=1))
        assert system.settled(company, "warm").status == "done"
    (process,) = psutil.Process(worker.pid).children()
    before = process.memory_info().rss
    largest = before
    files = {f"c{n}": system.file(f"c{n}", name="stor.pdf", size=FILE) for n in range(COMPANIES)}
    for n in range(FILES):
        company = f"c{n % COMPANIES}"
        system.publish(
            invoice_json(company=company, event_id=f"i{n}", invoice_number=1001 + n, attachments=[files[company]])
        )

    def all_done() -> bool:
        nonlocal largest
        largest = max(largest, process.memory_info().rss)
        done = sum(system.app.services.ordering.counts(f"c{n}")["done"] for n in range(COMPANIES))
        return done == 4 * COMPANIES + FILES

    wait_until(all_done, what="every file to be transferred", interval=0.01)
    uploaded = [one["Size"] for n in range(COMPANIES) for one in system.ledger(f"c{n}")["files"]]
    assert uploaded == [FILE] * FILES
    grown = (largest - before) / MB
    print(f"{sum(uploaded) / MB:.0f} MB transferred; the worker grew by {grown:.1f} MB")  # noqa: T201 - shown by -s
    assert grown < ALLOWED
