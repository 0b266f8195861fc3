"""A transfer whose Redis goes away just before it is settled."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from unittest.mock import patch

import pytest

from config import load_settings
from delivery.context import TransferContext
from local import EmbeddedRedis
from ordering import Done, Outcome
from tasks.base import TransferTask
from tasks.flows import CUSTOMER
from tests.unit.factories import customer_json
from worker.bootstrap import App, create_app
from worker.publish import publish


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path) as running:
        yield running


@pytest.fixture
def app(server: EmbeddedRedis) -> Iterator[App]:
    app = create_app(load_settings(None, fortnox_api_url="http://127.0.0.1:1", redis_url=server.url))
    app.loader.import_default_modules()
    yield app
    app.close()


def test_a_transfer_is_settled_when_redis_is_back(server: EmbeddedRedis, app: App) -> None:
    publish(customer_json(), services=app.services)
    task = cast(TransferTask, app.tasks[CUSTOMER.task.name])
    back = threading.Timer(0.7, server.start)

    def done_as_redis_goes_away(context: TransferContext) -> Outcome:
        server.kill()
        back.start()
        return Done()

    with patch.object(type(task), "transfer", staticmethod(done_as_redis_goes_away)):
        assert task.run("acme", "e1") == "done"

    back.join()
    record = app.services.ordering.event("acme", "e1")
    assert record is not None
    assert record.status == "done"
