"""Delivery through real processes when things go wrong: retries, kills, lost wake-ups, a full Redis, a wrong clock."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from local.stack import Stack
from messages.catalogue import say
from tasks.flows import REPORT, SCHEDULE_POLLS, TASKS, TICK
from tests.acceptance.conftest import System
from tests.monitors import monitored
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

DOCTORED = Path(__file__).parent / "doctored"
LEASE = 3.0


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A system whose worker the test starts, with a short lease."""
    with Stack(tmp_path) as stack:
        stack.start_services()
        stack.environment["LEASE_SECONDS"] = str(LEASE)
        yield System(stack, create_app(stack.settings))


def fails(system: System, status: int, count: int = 1) -> None:
    system.stack.sandbox.fault("fail_next", status=status, count=count, path="/3/customers", body="html")


def test_an_event_that_fortnox_did_not_serve_is_retried_at_its_time(system: System) -> None:
    system.connect("retried")
    fails(system, 503)
    started = time.monotonic()
    system.publish(customer_json(company="retried"))
    assert system.settled("retried", "e1").status == "done"
    assert time.monotonic() - started > 5 * 0.75  # the first wait is 5 s, give or take a quarter
    record = system.app.services.ordering.event("retried", "e1")
    assert record is not None
    assert record.attempts == 2


def test_flower_is_told_retry_for_a_retried_attempt_and_failure_for_a_failed_one(system: System) -> None:
    system.connect("shown")
    wanted = {"task-retried", "task-failed", "task-succeeded"}
    with monitored(system.app) as heard:
        fails(system, 503)
        system.publish(customer_json(company="shown"), customer_json(company="nobody2", event_id="lost"))
        wait_until(lambda: wanted <= {event["type"] for event in heard}, what="a task of each end")


def test_flower_is_told_retry_for_a_throttled_transfer_and_nothing_of_ticks_and_polls(system: System) -> None:
    system.connect("throttled")
    hidden = {task.name for task in TASKS if not task.monitored}
    with monitored(system.app) as heard:
        for tick in (TICK, SCHEDULE_POLLS, REPORT):
            system.app.send_task(tick.name, queue=tick.queue)
        fails(system, 429)
        system.publish(customer_json(company="throttled"))
        wanted = {"task-retried", "task-succeeded"}
        wait_until(lambda: wanted <= {event["type"] for event in heard}, what="the throttled attempt and the next")
        names = {event["name"] for event in heard if event["type"] == "task-received"}
    assert "transfer.customer" in names
    assert names & hidden == set()
    assert {"watch.tick", "polls.expenses", "mail.report"} <= hidden


def test_an_event_that_follows_on_another_is_shown_like_one_with_a_message_of_its_own(own_system: System) -> None:
    system = own_system
    system.stack.start_worker(concurrency=1)
    system.connect("acme")
    shown = {f"(acme customer {n})" for n in range(40)}
    with monitored(system.app) as heard:
        system.publish(*(customer_json(event_id=f"c{n}", customer_number=str(n)) for n in range(40)))
        wait_until(lambda: system.ended("acme") == 41, what="all events")
        wait_until(lambda: shown <= {event["args"] for event in heard if "args" in event}, what="an attempt at each")
        ids = {event["uuid"] for event in heard if event["type"] == "task-received"}
        ends = {"task-succeeded", "task-retried"}  # Fortnox's rate limit makes some wait

        def told(one: str) -> set[str]:
            return {event["type"] for event in heard if event.get("uuid") == one}

        wait_until(lambda: all("task-started" in told(one) and told(one) & ends for one in ids), what="each to end")
    without_message = {one for one in ids if not one.startswith("wakeup-")}
    assert without_message
    nodes = {event["hostname"] for event in heard if "uuid" in event}
    assert len(nodes) == 1


def test_a_killed_workers_event_is_taken_up_before_its_own_lease_has_run_out(own_system: System) -> None:
    system = own_system
    system.stack.environment["LEASE_SECONDS"] = "30"
    redis = system.app.services.redis
    first = system.stack.start_worker("first", concurrency=1)
    system.connect("acme")
    system.stack.sandbox.fault("delay", seconds=50.0, path="/3/customers")
    system.publish(customer_json())
    wait_until(lambda: system.app.services.ordering.counts("acme")["running"] == 1, what="the transfer to run")
    system.stack.start_worker("second", concurrency=1)
    first.kill()
    until: Any = redis.zscore("mf:leases", "acme:e1")
    wait_until(lambda: redis.zscore("mf:leases", "acme:e1") != until, what="the event to be taken from the dead")
    seconds, _ = cast(Any, redis.time())
    assert seconds * 1000 < until
    system.stack.sandbox.delete("faults")
    assert system.settled("acme", "e1").status == "done"  # Celery itself would wait for an hour
    (customer,) = system.ledger("acme")["customers"]
    assert customer["CustomerNumber"] == "10001"


def test_wakeups_that_the_broker_lost_are_repeated(own_system: System) -> None:
    system = own_system
    system.publish(customer_json(company="nobody"))
    with Redis.from_url(system.stack.environment["REDIS_URL"]) as redis:
        assert redis.delete("transfers") == 1  # the broker's queue, with the wake-up in it
    system.stack.start_worker(concurrency=1)
    assert system.settled("nobody", "e1").status == "failed"


def test_what_a_busy_worker_has_at_hand_is_taken_by_an_idle_one(own_system: System) -> None:
    system = own_system
    system.stack.start_worker("busy", concurrency=1)
    system.connect("acme")
    system.stack.sandbox.fault("delay", seconds=50.0, path="/3/customers")
    system.publish(customer_json())
    wait_until(lambda: system.app.services.ordering.counts("acme")["running"] == 1, what="the transfer to run")
    system.publish(customer_json(event_id="next", customer_number="10002"))
    with Redis.from_url(system.stack.environment["REDIS_URL"]) as redis:
        wait_until(lambda: redis.llen("transfers") == 0, what="the busy worker to fetch it")
    system.stack.start_worker("idle", concurrency=1)
    assert system.settled("acme", "next").status == "done"
    assert system.app.services.ordering.counts("acme")["running"] == 1


def test_an_event_that_kills_its_process_three_times_is_set_aside_and_its_key_goes_on(own_system: System) -> None:
    system = own_system
    # The death of a process is seen within 5 s. Three leases would take 90 s.
    system.stack.environment |= {"PYTHONPATH": str(DOCTORED), "POISON": "Poison AB", "LEASE_SECONDS": "30"}
    worker = system.stack.start_worker(concurrency=1)
    system.connect("acme")
    others = (customer_json(event_id=f"o{n}", customer_number=str(n)) for n in range(3))
    system.publish(*others, customer_json(event_id="deadly", name="Poison AB", sequence=1))
    redis = system.app.services.redis
    wait_until(lambda: redis.hget("mf:event:acme:deadly", "started"), what="the poison to run")
    system.publish(customer_json(event_id="good", sequence=2))
    started = time.monotonic()
    failed = system.settled("acme", "deadly")
    assert time.monotonic() - started < 60
    assert failed.status == "failed"
    assert "died 3 times in a row" in say(failed.reason)
    assert system.settled("acme", "good").status == "done"
    assert worker.log_tail(1000).count("transfer.process_died") == 3


def test_a_worker_whose_clock_is_off_by_five_minutes_changes_nothing(own_system: System) -> None:
    system = own_system
    system.stack.environment |= {"PYTHONPATH": str(DOCTORED), "CLOCK_OFF": "-300"}
    system.stack.start_worker("late", concurrency=1)
    system.stack.environment["CLOCK_OFF"] = "300"
    system.stack.start_worker("early", concurrency=1)
    system.connect("acme")
    fails(system, 503, count=2)
    system.publish(*(customer_json(event_id=f"c{n}", customer_number=str(n)) for n in range(20)))
    wait_until(lambda: system.app.services.ordering.counts("acme")["done"] == 21, what="all events")
    assert all(sum(one["writes"].values()) == 1 for one in system.ledger("acme")["customers"])


def test_a_full_redis_refuses_an_event_plainly_and_delivery_goes_on_when_there_is_room(own_system: System) -> None:
    system = own_system
    worker = system.stack.start_worker(concurrency=1)
    system.connect("acme")
    fails(system, 503)
    system.publish(customer_json(event_id="before"))
    counts = system.app.services.ordering.counts
    wait_until(lambda: counts("acme")["retrying"] == 1, what="an event to wait for its next attempt")
    redis = system.app.services.redis
    redis.config_set("maxmemory", "1mb")
    refused = system.run("publish", "-", stdin=json.dumps(customer_json()))
    assert refused.returncode == 1
    assert "error: Redis" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert system.run("health").returncode == 1
    wait_until(lambda: re.search("used memory|waits_for_redis", worker.log_tail(1000)), what="the worker to say so")
    redis.config_set("maxmemory", "0")
    system.publish(customer_json())
    assert system.settled("acme", "e1").status == "done"
    assert system.settled("acme", "before").status == "done"


def test_a_worker_refuses_another_versions_state_with_what_to_do(own_system: System) -> None:
    system = own_system
    system.app.services.redis.set("mf:layout", "99")
    with pytest.raises(Exception, match="layout version 99"):
        system.stack.start_worker(concurrency=1)
