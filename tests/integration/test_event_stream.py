"""The Redis door's reader against a real Redis: what it was given and did not admit comes before what is new."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis.exceptions import ConnectionError as ConnectionLost

from config import load_settings
from local import EmbeddedRedis
from tests.unit.factories import customer_json
from worker import stream
from worker.bootstrap import App, create_app
from worker.stream import STREAM, StreamReader, reading_client


class Door:
    """The stream, one reader of it, and the ids of events in the order in which they were admitted."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = reading_client(app.settings)
        self.app = app
        self.reader = StreamReader(app, self.redis, "reader")
        self.reader.prepare()
        self.admitted: list[str] = []
        self.lost_at: str | None = None  # the event at which Redis is gone, once
        monkeypatch.setattr(stream, "take", self._take)
        monkeypatch.setattr(stream, "BLOCK", 10)

    def add(self, *ids: str) -> None:
        for event_id in ids:
            self.redis.xadd(STREAM, {"event": json.dumps(customer_json(event_id=event_id))})

    def add_bytes(self, event: bytes) -> None:
        self.redis.xadd(STREAM, {"event": event})

    def turns(self, times: int, reader: StreamReader | None = None) -> None:
        for _ in range(times):
            (reader or self.reader).turn()

    def another_reader(self) -> StreamReader:
        return StreamReader(self.app, self.redis, "another reader")

    def _take(self, app: Celery, event: Any) -> str:
        event_id = json.loads(event)["id"] if event.startswith("{") else event
        if event_id == self.lost_at:
            self.lost_at = None
            raise ConnectionLost("Connection refused.")
        self.admitted.append(event_id)
        return "accepted"


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with EmbeddedRedis(tmp_path, appendfsync="no") as server:
        app = create_app(load_settings(None, fortnox_api_url="http://127.0.0.1:1", redis_url=server.url))
        door = Door(app, monkeypatch)
        yield door
        door.redis.close()
        app.close()


def test_a_reader_that_lost_redis_goes_on_where_it_stopped_before_it_reads_on(door: Door) -> None:
    door.turns(2)  # nothing was left behind; from now on it reads what is new
    door.add("1", "2", "3")
    door.lost_at = "2"
    with pytest.raises(ConnectionLost):
        door.turns(1)
    door.add("4")

    door.turns(3)

    assert door.admitted == ["1", "2", "3", "4"]
    assert door.redis.xlen(STREAM) == 0


def test_a_reader_that_was_stopped_while_it_read_leaves_the_entries_to_the_one_that_took_over(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = door.another_reader()
    read = door.reader._new

    def read_and_lose_the_lease() -> Any:
        entries = read()
        door.reader.resign()  # as its lease lapses while it is stopped
        another.turn()
        return entries

    door.add("1", "2")
    monkeypatch.setattr(door.reader, "_new", read_and_lose_the_lease)
    door.turns(1)
    assert door.admitted == ["1", "2"]  # by the other, which found them left behind

    door.add("3")
    door.turns(2)
    assert door.admitted == ["1", "2"]
    door.turns(1, another)
    assert door.admitted == ["1", "2", "3"]


def test_bytes_that_are_no_text_are_handed_on_and_do_not_stop_the_reader(door: Door) -> None:
    door.add_bytes(b"\xff\xfe")
    door.add("1")

    door.turns(3)

    assert door.admitted == ["\ufffd\ufffd", "1"]
