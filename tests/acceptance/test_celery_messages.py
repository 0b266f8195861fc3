"""Messages that anybody may put into the queue `events`: each is an event, or is kept as failed; none ends a worker.

One worker takes them all, beside good events, so a message that ended it would fail every later test.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery
from redis import Redis

from local.processes import ManagedProcess
from local.stack import Stack
from ordering import EventRecord
from stores.redeliveries import Redeliveries
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

QUEUE = "events"


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with Stack(Path(tmp_path_factory.mktemp("messages")), appendfsync="no") as stack:
        stack.start_services()
        yield System(stack, create_app(stack.settings))


@pytest.fixture(scope="module", autouse=True)
def worker(lone: System) -> Iterator[ManagedProcess]:
    """The one worker: it lives through everything here."""
    worker = lone.stack.start_worker()
    yield worker
    assert worker.status is None


@pytest.fixture
def redis(lone: System) -> Iterator[Redis]:
    with Redis.from_url(lone.stack.environment["REDIS_URL"]) as redis:
        yield redis


def body(*args: Any, kwargs: Any = None, embed: Any = None) -> Any:
    return [list(args), kwargs or {}, embed or {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


def headers(**other: Any) -> dict[str, Any]:
    task_id = str(uuid.uuid4())
    return {"lang": "py", "task": "events.receive", "id": task_id, "root_id": task_id, "retries": 0} | other


def envelope(content: Any, given: Any = None, *, encoded: bool = True, **other: Any) -> dict[str, Any]:
    """A message as kombu puts it into Redis. `content`: the body, as JSON where it is no text."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    raw = text.encode() if isinstance(text, str) else text
    return {
        "body": base64.b64encode(raw).decode() if encoded else raw.decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers() if given is None else given,
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64" if encoded else None,
        },
    } | other


def an_event(marker: str, **other: Any) -> dict[str, Any]:
    return customer_json(event_id=marker, company="nobody", name=marker, **other)


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def with_properties(message: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return message | {"properties": message["properties"] | properties}


M = "MARKER"
EVENT = an_event(M)
V1 = {"task": "events.receive", "id": "v1", "args": [EVENT], "kwargs": {}, "retries": 0}
HARMFUL: dict[str, Any] = {
    "nested 480 deep": envelope(body(EVENT | {"more": deep(480)})),
    "nested 900 deep": envelope(body(EVENT | {"more": deep(900)})),
    "nested 100000 deep": envelope(f'[[{{"id":"{M}","more":' + "[" * 100_000 + "]" * 100_000 + "}],{},{}]"),
    "keyword arguments nested 900 deep": envelope(body(kwargs={"event": EVENT, "more": deep(900)})),
    "headers nested 900 deep": envelope(body(EVENT), headers(origin=deep(900), shadow=M)),
    "too large": envelope(body(an_event(M, address=None) | {"more": "x" * 20_200_000})),
    "no JSON": envelope("{not json " + M),
    "Latin-1": envelope(json.dumps(body(EVENT | {"more": "Ö"}), ensure_ascii=False).encode("latin-1")),
    "a huge number": envelope(json.dumps(body(EVENT))[:-1].replace("null", "1e999999999") + "]"),
    "pickle": envelope(b"\x80\x04\x95" + M.encode(), **{"content-type": "application/x-python-serialize"}),
    "yaml": envelope(f"!!python/object:{M}", **{"content-type": "application/x-yaml"}),
    "no content type": envelope(body(EVENT), **{"content-type": None}),
    "another encoding": envelope(body(EVENT), **{"content-encoding": "utf-16"}),
    "an unknown task": envelope(body(EVENT), headers(task="os.system")),
    "a task of another type": envelope(body(EVENT), headers(task=["events.receive"])),
    "no task": envelope(body(EVENT), {"id": "x"}),
    "no headers": envelope(body(EVENT), {}),
    "no arguments": envelope(body(), headers(shadow=M)),
    "two arguments": envelope(body(EVENT, EVENT)),
    "a keyword that the task has not": envelope(body(kwargs={"evnet": EVENT})),
    "arguments that are no list": envelope([EVENT, {}, {}]),
    "keyword arguments that are no object": envelope([[EVENT], [], {}]),
    "a chord": envelope(body(EVENT, embed={"chord": {"task": "x"}})),
    "callbacks": envelope(body(EVENT, embed={"callbacks": [{"task": "x"}]})),
    "a time limit that is text": envelope(body(EVENT), headers(timelimit="soon")),
    "a time limit that is a number": envelope(body(EVENT), headers(timelimit=3)),
    "time limits that are objects": envelope(body(EVENT), headers(timelimit=[{}, []])),
    "an id that is a list": envelope(body(EVENT), headers(id=["x"])),
    "an id that is null": envelope(body(EVENT), headers(id=None)),
    "retries that are text": envelope(body(EVENT), headers(retries="many")),
    "a time that is none": envelope(body(EVENT), headers(eta="tomorrow")),
    "a time at the end of the calendar": envelope(body(EVENT), headers(eta="9999-12-31T23:59:59-12:00")),
    "a time in two hundred years": envelope(body(EVENT), headers(eta="2199-12-31T23:59:59")),
    "a time tomorrow": envelope(body(EVENT), headers(eta=(datetime.now(UTC) + timedelta(days=1)).isoformat())),
    "an event that expires": envelope(body(EVENT), headers(expires="2026-01-01T00:00:00+00:00")),
    "a list as body": envelope([1, M]),
    "an object as body": envelope({"event": EVENT}),
    "null as body": envelope("null", headers(shadow=M)),
    "nothing as body": envelope("", headers(shadow=M)),
    "text as body": envelope(json.dumps(M)),
    "compressed": envelope(body(EVENT), headers(compression="application/x-gzip", shadow=M)),
    "version 1 with an id that is a list": envelope(V1 | {"id": [M]}, {}),
    "version 1 without an id": envelope({"task": "events.receive", "args": [EVENT], "kwargs": {}}, {}),
    "version 1 with arguments that are text": envelope(V1 | {"args": M}, {}),
    "version 1 with keyword arguments that are a list": envelope(V1 | {"kwargs": [M]}, {}),
    "version 1 with a time limit that is text": envelope(V1 | {"timelimit": M}, {}),
    "a chain in the headers": envelope(body(EVENT), headers(chain=[M])),
    "a chain in the headers that is text": envelope(body(EVENT), headers(chain=M)),
    "callbacks in the headers": envelope(body(EVENT), headers(callbacks=[M])),
    "a chord in the headers": envelope(body(EVENT), headers(chord=M)),
    "a header named as a method of the request": envelope(body(EVENT), headers(get=M)),
    "such a header that is null": envelope(body(EVENT), headers(update=None)),
    "headers in the headers that are text": envelope(body(EVENT), headers(headers=M)),
    "a transfer with odd arguments": envelope(body(EVENT, {"a": M}), headers(task="transfer.customer")),
    "a type of kombu's that is none": envelope(body(EVENT | {"more": {"__type__": "uuid", "__value__": "x"}})),
    "an envelope that is no JSON": f"{{no envelope {M}",
    "an envelope that is a list": [1, M],
    "an envelope that is a list of three": [{"body": M}, "", QUEUE],
    "an envelope that is null and more": f'null "{M}"',
    "an envelope nested 100000 deep": f'{{"a":"{M}","b":' + "[" * 100_000,
    "an envelope that is not UTF-8": M.encode() + b"\xff",
    "an envelope without properties": {"body": M, "headers": {}},
    "a delivery tag that is a list": with_properties(envelope(body(EVENT), encoded=False), delivery_tag=[]),
    "no delivery information": with_properties(envelope(body(EVENT), encoded=False), delivery_info=None),
    "a body that is no base64": envelope(body(EVENT)) | {"body": f"{M}x"},
    "an encoding of the body that is none": with_properties(
        envelope(body(EVENT), encoded=False), body_encoding="rot13"
    ),
    "a body that is a list": envelope(body(EVENT)) | {"body": [M]},
    "headers that are a list": envelope(body(EVENT), [M], encoded=False),
    "a priority that is none": with_properties(envelope(body(EVENT), encoded=False), priority={}),
}


def put(redis: Redis, message: Any, marker: str) -> None:
    raw = (
        message
        if isinstance(message, bytes)
        else (message if isinstance(message, str) else json.dumps(message)).encode()
    )
    if b'"body_encoding": "base64"' in raw and isinstance(message, dict) and isinstance(message["body"], str):
        try:
            decoded = base64.b64decode(message["body"]).replace(M.encode(), marker.encode())
            message = message | {"body": base64.b64encode(decoded).decode()}
            raw = json.dumps(message).encode()
        except ValueError:
            pass
    redis.lpush(QUEUE, raw.replace(M.encode(), marker.encode()))


def kept(lone: System, marker: str) -> EventRecord | None:
    """The failed event that holds the marker in what is kept of it."""
    ordering = lone.app.services.ordering
    for company in ordering.companies():
        for record in ordering.failed(company):
            if marker in (ordering.body(company, record.id) or ""):
                return record
    return None


@pytest.mark.parametrize("name", HARMFUL)
def test_what_is_no_ordinary_message_is_kept_as_failed_and_the_next_is_taken(
    lone: System, redis: Redis, name: str
) -> None:
    number = list(HARMFUL).index(name)
    marker, good = f"mark{number:04}", f"good{number:04}"

    put(redis, HARMFUL[name], marker)
    put(redis, envelope(body(an_event(good))), good)

    wait_until(lambda: lone.app.services.ordering.event("nobody", good), what="the next event")
    record = wait_until(lambda: kept(lone, marker), what="it to be kept")
    assert record is not None
    assert record.reason
    wait_until(lambda: not redis.hlen("unacked") and not redis.llen(QUEUE), what="the messages to be done with")


ORDINARY: dict[str, Any] = {
    "version2": envelope(body(an_event("version2"))),
    "version1": envelope(V1 | {"args": [an_event("version1")]}, {}),
    "headerless": {k: v for k, v in envelope(V1 | {"args": [an_event("headerless")]}).items() if k != "headers"},
    "named": envelope(body(kwargs={"event": an_event("named")})),
    "unencoded": envelope(body(an_event("unencoded")), encoded=False),
    "rerouted": with_properties(
        envelope(body(an_event("rerouted"))), delivery_info={"exchange": "celery", "routing_key": "celery"}
    ),
    "due": envelope(body(an_event("due")), headers(eta="2026-01-01T00:00:00+00:00")),
    "traced": envelope(body(an_event("traced")), headers(headers={"sentry-trace": "1-2"}, traceparent="00-1-2-01")),
    "nested": envelope(body(an_event("nested") | {"more": deep(30)})),
}


@pytest.mark.parametrize("event_id", ORDINARY)
def test_an_ordinary_message_is_taken(lone: System, redis: Redis, event_id: str) -> None:
    redis.lpush(QUEUE, json.dumps(ORDINARY[event_id]))
    wait_until(lambda: lone.app.services.ordering.event("nobody", event_id), what="the event")


def redelivered(message: dict[str, Any]) -> dict[str, Any]:
    """As kombu marks a message of a worker that died."""
    info = message["properties"]["delivery_info"] | {"redelivered": True}
    return with_properties(message, delivery_info=info) | {"headers": message["headers"] | {"redelivered": True}}


def test_an_event_whose_worker_died_is_taken_when_it_is_redelivered(lone: System, redis: Redis) -> None:
    redis.lpush(QUEUE, json.dumps(redelivered(envelope(body(an_event("again"))))))
    wait_until(lambda: lone.app.services.ordering.event("nobody", "again"), what="the event")
    wait_until(lambda: not redis.hlen("unacked"), what="the message to be done with")
    assert redis.keys("mf:redelivered:*") == []


def test_a_message_of_which_two_workers_died_is_kept_without_being_read(lone: System, redis: Redis) -> None:
    message = redelivered(envelope(body(an_event("deadly"))))
    digest = digest_of(message)
    assert Redeliveries(redis).begin(digest)  # the worker that had it last never ended with it

    redis.lpush(QUEUE, json.dumps(message))

    record = wait_until(lambda: kept(lone, "deadly"), what="it to be kept")
    assert record is not None
    assert record.reason.key == "event.ended-workers"
    assert lone.app.services.ordering.event("nobody", "deadly") is None


def digest_of(message: dict[str, Any]) -> str:

    return hashlib.sha256(
        base64.b64decode(message["body"]) + b"\n" + json.dumps(message["headers"]).encode()
    ).hexdigest()


def test_an_event_in_the_hands_of_a_pool_process_that_dies_is_not_lost(lone: System, worker: ManagedProcess) -> None:
    """The process is killed as soon as it is there; whichever event it has comes through all the same."""
    celery = Celery("producer", broker=lone.stack.environment["REDIS_URL"], set_as_current=False)
    for number in range(60):
        celery.send_task("events.receive", args=[an_event(f"killed{number}")], queue=QUEUE)
        if number % 20 == 10:
            psutil.Process(worker.pid).children()[0].kill()
    celery.close()
    wait_until(
        lambda: all(lone.app.services.ordering.event("nobody", f"killed{number}") for number in range(60)),
        what="all events",
    )
