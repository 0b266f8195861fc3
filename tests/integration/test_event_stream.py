"""The reader of the stream against a real Redis: the order of entries, and whatever an entry may hold."""

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from config import load_settings
from delivery.services import Services, build_services
from local import EmbeddedRedis
from messages.catalogue import say
from stores.event_stream import STREAM, stream_state
from tests.unit.factories import customer_json
from worker import stream
from worker.stream import DEATHS, StreamReader


class Events:
    """The stream, a reader of it, and the ids of events in the order in which they were kept."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.services = services
        self.redis = services.redis
        self.reader = StreamReader(services, "reader")
        self.kept: list[str] = []
        self.lost_at: str | None = None  # the event at which Redis is gone, once
        self._take = stream.take
        monkeypatch.setattr(stream, "take", self._taken)
        monkeypatch.setattr(stream, "BLOCK", 10)

    def add(self, *ids: str) -> None:
        for event_id in ids:
            self.redis.xadd(STREAM, {"event": json.dumps(customer_json(event_id=event_id))})

    def add_raw(self, event: bytes) -> None:
        self.redis.xadd(STREAM, {"event": event})

    def steps(self, times: int, reader: StreamReader | None = None) -> None:
        for _ in range(times):
            (reader or self.reader).step()

    def another_reader(self) -> StreamReader:
        return StreamReader(self.services, "another reader")

    def _taken(self, services: Services, event: bytes) -> Any:
        event_id = found[1].decode() if (found := re.match(rb'\{"id": "(\w+)"', event)) else ""
        if event_id and event_id == self.lost_at:
            self.lost_at = None
            raise ConnectionLost("Connection refused.")
        self.kept.append(event_id)
        return self._take(services, event)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with EmbeddedRedis(tmp_path, appendfsync="no") as server:
        services = build_services(load_settings(None, fortnox_api_url="http://127.0.0.1:1", redis_url=server.url))
        yield services
        services.redis.close()


@pytest.fixture
def events(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Events]:
    events = Events(services, monkeypatch)
    yield events
    events.reader.close()


def test_a_reader_that_lost_redis_goes_on_where_it_stopped_before_it_reads_on(events: Events) -> None:
    events.steps(2)  # nothing was left behind; from now on it reads what is new
    events.add("1", "2", "3")
    events.lost_at = "2"
    with pytest.raises(ConnectionLost):
        events.steps(3)
    events.add("4")

    events.steps(5)

    assert events.kept == ["1", "2", "3", "4"]
    assert stream_state(events.redis).entries == 0


def test_a_reader_that_was_stopped_while_it_read_leaves_the_entry_to_the_one_that_took_over(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = events.another_reader()
    read = events.reader._next

    def read_and_lose_the_lease() -> Any:
        entry = read()
        events.reader._lease.release()  # as it lapses while the reader is stopped
        events.reader._renew_at = 0.0  # as long ago, by the clock that runs on
        events.steps(2, another)
        return entry

    events.add("1", "2")
    monkeypatch.setattr(events.reader, "_next", read_and_lose_the_lease)
    events.steps(1)
    assert events.kept == ["1", "2"]  # by the other, which found the first left behind

    events.add("3")
    events.steps(2)
    assert events.kept == ["1", "2"]
    events.steps(2, another)
    assert events.kept == ["1", "2", "3"]
    another.close()


def test_what_is_done_leaves_the_stream_also_when_nothing_comes_after_it(events: Events) -> None:
    events.add("1")
    events.steps(3)
    assert events.redis.xlen(STREAM) == 0
    events.add("2")
    events.steps(1)
    events.reader.close()
    assert events.redis.xlen(STREAM) == 0


NESTED = b'{"id":"deep","company":"acme","customer":' + b"[" * 900 + b"]" * 900 + b"}"
HARMFUL = {
    "no text": b"\xff\xfe",
    "Latin-1": json.dumps(customer_json(name="Ökrogen"), ensure_ascii=False).encode("latin-1"),
    "a lone surrogate": json.dumps(customer_json(name="Bygg")).replace("Bygg", "\\ud800").encode(),
    "a lone surrogate in the id": json.dumps(customer_json(event_id="e9")).replace("e9", "\\ud800").encode(),
    "a lone surrogate in the company": json.dumps(customer_json(company="acme")).replace("acme", "\\ud800").encode(),
    "a huge exponent": b'{"id":"e9","company":"acme","amount":1e999999999999}',
    "a huge number": b'{"id":"e9","company":"acme","amount":' + b"9" * 5000 + b"}",
    "nested and broken": NESTED[:-2],
    "nested": NESTED,
    "nested beyond any stack": b"[" * 100_000,
    "a number that is not one": b'{"id":NaN,"company":Infinity}',
    "no JSON": b"{not json",
    "nothing": b"",
    "null": b"null",
    "a list": b'[{"id":"e1"}]',
    "a zero byte": b'{"id":"\\u0000","company":"\\u0000"}',
    "a secret that is cut": b'{"authorizationCode":"c0de"',
}


@pytest.mark.parametrize("harmful", HARMFUL.values(), ids=HARMFUL)
def test_whatever_an_entry_holds_it_is_kept_as_failed_and_the_next_is_read_within_a_second(
    events: Events, harmful: bytes
) -> None:
    events.add("0")
    events.add_raw(harmful)
    events.add("1")
    events.steps(2)

    began = time.process_time()
    events.steps(3)

    assert time.process_time() - began < 1
    assert (events.kept[0], events.kept[-1]) == ("0", "1")
    assert events.redis.xlen(STREAM) == 0
    (failed,) = all_failed(events)
    assert failed.status == "failed"
    assert say(failed.reason).startswith("Not a valid event: ")
    assert say(failed.reason, "sv").startswith("Ogiltig händelse: ")
    assert events.services.ordering.body(failed.company, failed.id) not in (None, "")


def all_failed(events: Events) -> list[Any]:
    ordering = events.services.ordering
    return [record for company in ordering.companies() for record in ordering.failed(company)]


def test_an_entry_without_an_event_is_kept_with_its_fields(events: Events) -> None:
    events.redis.xadd(STREAM, {"evnet": '{"id":"e1"}'})
    events.steps(2)
    (failed,) = all_failed(events)
    assert "evnet" in (events.services.ordering.body(failed.company, failed.id) or "")


def test_an_event_beyond_the_limit_is_kept_as_text_that_is_cut_for_its_company(events: Events) -> None:
    large = json.dumps(customer_json(name="x" * 20_000_000)).encode()
    events.add_raw(large)
    events.steps(2)
    (failed,) = all_failed(events)
    assert failed.company == "acme"
    assert "has more than 20000000 bytes" in say(failed.reason)
    body = events.services.ordering.body("acme", failed.id)
    assert body is not None
    assert 90_000 < len(body) < 110_000


def test_an_entry_that_redis_cannot_take_for_what_it_holds_is_kept_as_failed(events: Events) -> None:
    events.redis.set("mf:key-line:acme/customer/10001", "of another type")  # the script that admits the event fails
    events.add("e1")
    events.add_raw(json.dumps(customer_json(event_id="e2", customer_number="2")).encode())
    events.steps(3)
    assert "e2" in [record.id for record in events.services.ordering.unsettled("acme")]
    (failed,) = all_failed(events)
    assert failed.reason.key == "event.not-accepted"
    assert "e1" in (events.services.ordering.body(failed.company, failed.id) or "")


def test_an_entry_of_which_readers_died_is_kept_without_being_parsed(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.add("1", "2")

    def dies(_services: Services, _event: bytes) -> Any:
        raise KeyboardInterrupt  # ends a process on the spot

    with monkeypatch.context() as patched:
        patched.setattr(stream, "take", dies)
        for number in range(DEATHS):
            reader = StreamReader(events.services, f"dies {number}")
            with pytest.raises(KeyboardInterrupt):
                reader.step()
            reader._lease.release()

    events.steps(3)

    assert events.kept == ["2"]
    (failed,) = all_failed(events)
    assert failed.reason.key == "event.ended-workers"
    assert events.redis.xlen(STREAM) == 0


def test_a_redis_error_counts_no_death(events: Events) -> None:
    events.add("1")
    for _ in range(DEATHS + 2):
        events.lost_at = "1"
        with pytest.raises(ConnectionLost):
            events.steps(1)
    events.steps(2)
    assert events.kept == ["1"]


def test_the_age_of_the_oldest_entry_is_seen(events: Events) -> None:
    redis_client = events.redis
    assert stream_state(redis_client) == (0, timedelta(0))
    redis_client.xadd(STREAM, {"event": "{}"}, id=f"{round((time.time() - 100) * 1000)}-0")
    redis_client.xadd(STREAM, {"event": "{}"})
    assert stream_state(redis_client).entries == 2
    assert 98 < stream_state(redis_client).oldest.total_seconds() < 103


def test_a_stream_of_another_type_is_an_error_of_the_reader(events: Events) -> None:
    events.redis.set(STREAM, "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        events.steps(1)
    events.redis.delete(STREAM)
    events.add("1")
    events.steps(2)
    assert events.kept == ["1"]
