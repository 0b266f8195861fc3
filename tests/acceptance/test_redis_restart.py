"""Redis is away, for a moment, for long, or from the start: workers and beat wait for it, and go on by themselves."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import local
from local import ManagedProcess
from local.stack import Stack
from ordering.engine import LAYOUT
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

BEAT_LOCK = 3  # seconds
BEAT_LOOP = 1  # seconds: more than a sixth of it
LONG = (
    4  # times that beat found no Redis, some seconds apart: its lease has lapsed by then, and its retries are used up
)


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    with Stack(tmp_path, options={"BEAT_LOCK_SECONDS": str(BEAT_LOCK)}) as stack:
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


def waits(process: ManagedProcess, event: str) -> int:
    """How often the process has said that it waits for Redis."""
    return process.log_tail(100_000).count(event)


def test_both_beats_outlive_a_redis_that_is_away_for_long_and_one_is_live_again(own_system: System) -> None:
    system, redis = own_system, own_system.stack._redis
    client = system.app.services.redis
    beats = [system.stack.start_beat(name) for name in ("beat", "other-beat")]
    wait_until(lambda: client.exists("redbeat::lock"), what="a live beat")

    redis.kill()
    killed = time.monotonic()
    for beat in beats:
        wait_until(lambda beat=beat: waits(beat, "beat.waits_for_redis") >= LONG, what="beat to wait", interval=0.2)
    wait_until(lambda: time.monotonic() - killed > 3 * BEAT_LOCK, what="the lease to be long gone", interval=0.2)
    for beat in beats:
        beat.check()
    redis.start()

    holder = str(wait_until(lambda: client.get("redbeat::lock"), what="a beat to take the lease again"))
    client.delete("mail")
    wait_until(lambda: client.llen("mail"), what="it to send what is due")
    live, other = sorted(beats, key=lambda beat: not holder.endswith(f":{beat.pid}"))
    for beat in beats:
        beat.check()
    live.kill()
    wait_until(lambda: str(client.get("redbeat::lock")).endswith(f":{other.pid}"), what="the other to take over")


def test_what_is_started_before_redis_waits_for_it_and_works_once_it_is_there(own_system: System) -> None:
    system, redis = own_system, own_system.stack._redis
    redis.stop()
    beat = system.stack.start_beat()
    worker = system.stack._celery("worker", "worker", "--concurrency=2", "--without-mingle")
    wait_until(lambda: waits(beat, "beat.waits_for_redis") >= 2, what="beat to wait", interval=0.2)
    wait_until(lambda: waits(worker, "worker.waits_for_redis") >= 2, what="the worker to wait", interval=0.2)
    for command in (("status",), ("events", "list"), ("health",), ("companies", "list"), ("wait", "--timeout", "5")):
        done = system.run(*command)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "does not answer" in done.stderr

    redis.start()

    system.publish(customer_json(company="stranger"))
    assert system.settled("stranger", "e1").status == "failed"
    assert system.app.services.redis.get("mf:layout") == LAYOUT  # it was checked all the same
    wait_until(lambda: system.mails_to("drift@integration.example"), what="the mail")
    for process in (beat, worker):
        process.check()
