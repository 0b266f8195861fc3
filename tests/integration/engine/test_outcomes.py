"""The stream of outcomes: one entry for each event that settles, however it does, in the same step."""

import re
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from messages import Message
from messages.catalogue import say
from ordering import OUTCOMES, Done, Failed, LeaseLost, Retry, Skipped
from ordering.queries import LUA
from ordering.records import in_utc, to_time
from tests.integration.engine.conftest import Line, why

FIELDS = ["id", "company", "type", "key", "status", "code", "reason", "documentNumber", "voucher", "at"]


def told(redis: Redis) -> list[dict[str, str]]:
    entries: Any = redis.xrange(OUTCOMES)
    return [fields for _, fields in entries]


def test_an_event_that_is_done_is_told_with_its_number_and_voucher(line: Line, redis: Redis) -> None:
    line.publish("e1", "invoice/1001")
    line.run("e1", Done(document="1001", voucher="B 17"))

    (entry,) = told(redis)
    assert list(entry) == FIELDS
    assert entry == {
        "id": "e1",
        "company": "acme",
        "type": "thing.changed",
        "key": "acme/invoice/1001",
        "status": "done",
        "code": "",
        "reason": "",
        "documentNumber": "1001",
        "voucher": "B 17",
        "at": "2023-11-14T22:13:20.000Z",
    }
    record = line.ordering.event("acme", "e1")
    assert record is not None
    assert (record.document, record.voucher) == ("1001", "B 17")


def test_what_is_under_way_is_not_told_and_each_way_to_settle_is(line: Line, redis: Redis) -> None:
    for n in range(1, 6):
        line.publish(f"e{n}", f"customer/{n}", snapshot=True)
    line.run("e1", Retry(timedelta(seconds=5), why("busy")))
    assert told(redis) == []

    line.run("e2", Failed(Message("event.not-valid"), code="2000106"))
    line.run("e3", Skipped(Message("transfer.disabled")))
    line.ordering.skip("acme", "e4", Message("transfer.disabled"))
    line.publish("e6", "customer/5", snapshot=True)
    line.publish("e7", "invalid/1", refused=Message("event.not-valid"))

    assert [(one["id"], one["status"], one["code"], one["reason"]) for one in told(redis)] == [
        ("e2", "failed", "2000106", say(Message("event.not-valid"))),
        ("e3", "skipped", "", say(Message("transfer.disabled"))),
        ("e4", "skipped", "", say(Message("transfer.disabled"))),
        ("e5", "superseded", "", "Superseded by e6."),
        ("e7", "failed", "", say(Message("event.not-valid"))),
    ]


def test_a_retry_of_a_failed_event_is_told_again_when_it_settles(line: Line, redis: Redis) -> None:
    line.publish("e1")
    line.run("e1", Failed(why("no")))
    line.ordering.retry("acme", "e1")
    line.run("e1")

    assert [one["status"] for one in told(redis)] == ["failed", "done"]


def test_a_holder_that_is_too_late_tells_nothing(line: Line, redis: Redis) -> None:
    line.publish("e1")
    late = line.claim("e1")
    line.passes(minutes=1)
    line.pump()
    with pytest.raises(LeaseLost):
        line.settle(late, Done())
    assert told(redis) == []

    line.run("e1")
    assert len(told(redis)) == 1


def test_recurring_events_are_not_told(line: Line, redis: Redis) -> None:
    line.publish("poll", "polls", recurring=True)
    line.run("poll")
    assert told(redis) == []


def test_the_stream_is_bounded(line: Line, redis: Redis) -> None:
    with redis.pipeline(transaction=False) as pipeline:
        for _ in range(100_500):
            pipeline.xadd(OUTCOMES, {"id": "old"})
        pipeline.execute()
    line.publish("e1")
    line.run("e1")
    assert 100_000 <= redis.xlen(OUTCOMES) <= 100_200  # whole nodes of 100 entries are dropped


def test_a_key_of_another_kind_in_its_place_stops_no_delivery(line: Line, redis: Redis) -> None:
    redis.set(OUTCOMES, "something else")
    line.publish("e1")
    line.run("e1")
    assert line.status("e1") == "done"


@pytest.mark.parametrize("now", [0, 951_782_400_123, 1_709_164_799_999, 1_735_689_600_000, 7_258_118_399_001])
def test_the_time_is_written_in_iso_8601(line: Line, redis: Redis, now: int) -> None:
    line.now = now
    line.publish("e1")
    line.run("e1", Failed(why("no")))
    assert told(redis)[0]["at"] == in_utc(to_time(now))


def test_the_sequence_remark_is_told_behind_the_reason(line: Line, redis: Redis) -> None:
    line.publish("e1", sequence=1)
    line.run("e1")
    line.publish("e2", sequence=5_000_000_000)
    line.run("e2", Done(Message("transfer.disabled")))

    expected = "The sequence rose from 1 to 5000000000. Updates with a lower sequence will not be transferred."
    assert told(redis)[1]["reason"] == f"{say(Message('transfer.disabled'))} {expected}"


def test_the_scripts_say_their_reasons_as_the_catalogue_does() -> None:
    table = (LUA / "common.lua").read_text().split("local SENTENCES = {")[1].split("\n}")[0].replace("'\n    .. '", "")
    sentences = dict(re.findall(r"\['([a-z.-]+)'\] = '([^']+)'", table))
    used = {
        key
        for path in LUA.glob("*.lua")
        for key in re.findall(r"(?:message\(|orphan\(.*)'(engine\.[a-z-]+)'", path.read_text())
    }
    settles_nothing = {"engine.our-fault", "engine.send-without-sequence", "engine.behind-failed"}  # remedies, a wait
    assert sentences.keys() == used - settles_nothing
    given: dict[str, Any] = {"sequence": "3", "applied": "7", "by": "e2", "n": 3}
    for key, sentence in sentences.items():
        params = {name: given[name] for name in re.findall(r"{(\w+)}", sentence)}
        assert sentence.format(**params) == say(Message(key, **params))
