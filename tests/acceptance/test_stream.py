"""The Redis door: what XADD returned for is never lost, and arrives in the stream's order."""

import json
from typing import Any

from redis import Redis

from local import wait_until
from messages.catalogue import say
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from worker.stream import STREAM


def add(system: System, event: Any) -> None:
    with Redis.from_url(system.stack.environment["REDIS_URL"]) as redis:
        redis.xadd(STREAM, {"event": event if isinstance(event, str) else json.dumps(event)})


def test_an_event_added_to_the_stream_is_delivered_and_leaves_the_stream(system: System) -> None:
    system.connect("stream")
    add(system, customer_json(company="stream"))
    assert system.settled("stream", "e1").status == "done"
    wait_until(lambda: system.app.services.redis.xlen(STREAM) == 0, what="the stream to be trimmed", timeout=5)


def test_events_of_the_stream_are_applied_in_its_order(system: System) -> None:
    system.connect("stream2")
    for step in range(30):
        add(system, customer_json(company="stream2", event_id=f"c{step}", name=f"Step {step}"))
    wait_until(
        lambda: system.app.services.ordering.event("stream2", "c29") is not None, what="the last event", timeout=10
    )
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
