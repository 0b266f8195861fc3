"""Redis dies and comes back: workers and beat wait for it, and go on by themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import local
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

BEAT_LOOP = 5  # seconds: a sixth of BEAT_LOCK_SECONDS


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path) as stack:
        stack.start_services()
        yield System(stack, create_app(stack.settings))


def test_a_worker_and_beat_that_lost_redis_go_on_when_it_is_back(own_system: System) -> None:
    system, redis = own_system, own_system.stack._redis
    beat = system.stack.start_beat()
    worker = system.stack.start_worker(concurrency=2)
    system.connect("acme")
    wait_until(lambda: system.app.services.redis.exists("redbeat::lock"), what="beat to be the live one")
    # One of two processes is busy: there is a message not yet acknowledged, and the worker waits for the next.
    system.stack.sandbox.fault("delay", seconds=2.0)
    system.publish(customer_json())
    wait_until(
        lambda: system.app.services.ordering.counts("acme")["running"] == 1,
        what="the transfer to run",
    )

    redis.kill()
    with pytest.raises(TimeoutError):  # long enough for beat to meet it too
        local.wait_until(lambda: not (worker.is_running and beat.is_running), what="an end", timeout=BEAT_LOOP + 2)
    waits = [float(seconds) for seconds in re.findall(r"Trying again in ([\d.]+) seconds", worker.log_tail(2000))]
    redis.start()

    assert max(waits) <= 2.0  # Celery's own grow to 30
    assert system.settled("acme", "e1").status == "done"
    assert worker.is_running, worker.log_tail()
    assert beat.is_running, beat.log_tail()
