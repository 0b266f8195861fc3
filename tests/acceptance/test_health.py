"""`moment-fortnox health` in the situations that it is there for, each with its reason."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.queues import TRANSFERS_QUEUE
from local.stack import Stack
from stores.heartbeats import PUMP
from tasks.flows import KEEP_ALIVE, REPORT
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Redis and the stand-ins; no worker, no beat."""
    with Stack(Path(tmp_path_factory.mktemp("bare"))) as stack:
        stack.start_services()
        yield System(stack, create_app(stack.settings))


def reasons(system: System, *part: str) -> list[str]:
    done = system.run("health", *part, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode == 0) == told["healthy"] == (not told["reasons"])
    return list(told["reasons"])


def test_a_system_without_workers_and_beat_says_so(bare: System) -> None:
    assert reasons(bare) == ["No worker has ever run.", "Beat has never run."]


def test_a_redis_that_may_lose_what_it_accepted_is_named(bare: System) -> None:
    redis = bare.app.services.redis
    redis.config_set("appendfsync", "everysec")
    try:
        assert reasons(bare, "redis") == [
            "Redis may lose what it accepted: appendfsync is everysec, it must be always."
        ]
    finally:
        redis.config_set("appendfsync", "always")
    assert reasons(bare, "redis") == []


def test_workers_that_do_not_take_transfers_do_not_hide_that_nobody_does(bare: System) -> None:
    mail_only = bare.stack.start_worker("background", queues="mail,polls", concurrency=1)
    wait_until(lambda: PUMP in bare.app.services.telemetry.heartbeats.ages(), what="its pump to tick")
    assert reasons(bare, "delivery") == []  # nothing is due
    bare.publish(customer_json())
    (reason,) = reasons(bare, "delivery")
    assert "no worker took any ever" in reason
    mail_only.stop()
    transfers = bare.stack.start_worker(concurrency=1)
    assert bare.settled("acme", "e1").status == "failed"
    wait_until(lambda: not reasons(bare, "delivery"), what="the worker to show")
    transfers.stop()


def test_mails_that_nobody_takes_are_not_hidden_by_a_worker_of_the_transfers(bare: System) -> None:
    bare.app.services.redis.hset("mf:heartbeats", mapping={"mail": int(time.time()) - 600})
    bare.app.services.redis.hdel("mf:heartbeats", "polls")
    bare.app.send_task(REPORT.name)
    bare.app.send_task(KEEP_ALIVE.name)
    mails, polls = reasons(bare, "background")
    assert mails.startswith("Mails wait to be sent, and no worker took any for 60")
    assert polls.startswith("Polls wait, and no worker took any ever")
    background = bare.stack.start_worker("background", queues="mail,polls", concurrency=1)
    wait_until(lambda: not reasons(bare, "background"), what="the background to take its messages")
    background.stop()


def test_a_pump_and_a_worker_that_stopped_are_told_with_their_time(bare: System) -> None:
    long_ago = int(time.time()) - 600
    redis = bare.app.services.redis
    redis.hset("mf:heartbeats", mapping={"pump": long_ago, "worker": long_ago})
    redis.delete(TRANSFERS_QUEUE)  # a worker that stopped may leave a wake-up that was sent again
    assert [reason.split(" for 60")[0] for reason in reasons(bare, "delivery")] == [
        "No worker has looked for what is due"
    ]
    bare.publish(customer_json(event_id="e2"))
    assert len(reasons(bare, "delivery")) == 2
