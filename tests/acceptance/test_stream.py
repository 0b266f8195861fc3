"""The Redis stream: what XADD returned for is never lost, and arrives in the stream's order."""

import json
from typing import Any

from redis import Redis

from messages.catalogue import say
from stores.event_stream import STREAM
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until


def add(system: System, event: Any) -> None:
    add_bytes(system, (event if isinstance(event, str) else json.dumps(event)).encode())


def add_bytes(system: System, event: bytes) -> None:
    with Redis.from_url(system.stack.environment["REDIS_URL"]) as redis:
        redis.xadd(STREAM, {"event": event})


def test_an_event_added_to_the_stream_is_delivered_and_leaves_the_stream(system: System) -> None:
    system.connect("stream")
    add(system, customer_json(company="stream"))
    assert system.settled("stream", "e1").status == "done"
    wait_until(lambda: system.app.services.redis.xlen(STREAM) == 0, what="the stream to be trimmed")


def test_events_of_the_stream_are_applied_in_its_order(system: System) -> None:
    system.connect("stream2")
    for step in range(30):
        add(system, customer_json(company="stream2", event_id=f"c{step}", name=f"Step {step}"))
    wait_until(lambda: system.app.services.ordering.event("stream2", "c29") is not None, what="the last event")
    system.settled("stream2", "c29")
    (customer,) = system.ledger("stream2")["customers"]
    assert customer["Name"] == "Step 29"


def test_garbage_in_the_stream_is_kept_as_failed_and_the_reader_goes_on(system: System) -> None:
    system.connect("stream3")
    add(system, '{"id":"bad","company":"stream3","type":"customer.updated"}')
    add(system, "{not json")
    add(system, customer_json(company="stream3"))
    assert system.settled("stream3", "e1").status == "done"
    failed = system.settled("stream3", "bad")
    assert failed.status == "failed"
    assert "customer: is missing" in say(failed.reason)


def test_bytes_that_are_not_utf_8_are_refused_whole_and_nothing_of_them_reaches_the_ledger(system: System) -> None:
    system.connect("stream4")
    latin = json.dumps(customer_json(company="stream4", name="Ökrogen"), ensure_ascii=False).encode("latin-1")
    add_bytes(system, latin)
    add(system, customer_json(company="stream4", event_id="e2", customer_number="2"))

    assert system.settled("stream4", "e2").status == "done"

    (failed,) = system.app.services.ordering.failed("stream4")
    assert "is not UTF-8" in say(failed.reason)
    assert [customer["CustomerNumber"] for customer in system.ledger("stream4")["customers"]] == ["2"]


def test_what_broke_the_reader_once_does_not_delay_the_next_entry(system: System) -> None:
    system.connect("stream5")
    harmful = (b'{"a":1e999999999999}', b'{"id":"\\ud800"}', b'{"a":' + b"[" * 900, b"[" * 100_000, b"\xff", b"")
    for entry in harmful:
        add_bytes(system, entry)
    add(system, customer_json(company="stream5"))

    record = wait_until(lambda: system.app.services.ordering.event("stream5", "e1"), what="the event")

    assert record is not None
    assert system.settled("stream5", "e1").status == "done"
    assert system.run("health", "delivery").returncode == 0


def test_a_reader_that_cannot_read_turns_health_red_until_it_can(system: System) -> None:
    system.connect("stream6")
    redis = system.app.services.redis
    wait_until(lambda: redis.xlen(STREAM) == 0, what="the stream to be empty")
    redis.delete(STREAM)
    redis.set(STREAM, "of another type")
    try:
        wait_until(system.app.services.telemetry.threads.all_down, what="the reader to be down")
        health = system.run("health", "delivery")
        assert (health.returncode, "stream reader" in health.stderr) == (1, True)
    finally:
        redis.delete(STREAM)
    add(system, customer_json(company="stream6"))
    assert system.settled("stream6", "e1").status == "done"
    wait_until(lambda: not system.app.services.telemetry.threads.all_down(), what="the reader to work")
    assert system.run("health", "delivery").returncode == 0
