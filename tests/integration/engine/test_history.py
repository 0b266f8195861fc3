"""Finding events in the log: by company, status, key and time, newest first; and what is forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from messages import NOTHING
from ordering import Done, Failed, Retry
from ordering.history import Filter, find
from tests.integration.engine.conftest import Line, why

DAY = timedelta(days=1)


def found(line: Line, page: int = 500, **wanted: object) -> list[str]:
    return [record.id for record in find(line.ordering, Filter(**wanted), page)]  # type: ignore[arg-type]


def test_events_are_found_newest_first_over_all_companies_and_statuses(line: Line) -> None:
    for number, company in enumerate(("acme", "beta", "acme")):
        line.publish(f"e{number}", f"customer/{number}", company=company)
        line.passes(seconds=1)
    line.run("e0")
    line.passes(seconds=1)
    line.run("e1", Failed(why("no")), company="beta")
    assert found(line) == ["e1", "e0", "e2"]
    assert found(line, company="acme") == ["e0", "e2"]
    assert found(line, status="failed") == ["e1"]
    assert found(line, status="done") == ["e0"]
    assert found(line, status="ready") == ["e2"]


def test_one_number_is_found_with_all_that_happened_to_it(line: Line) -> None:
    for event_id, key in (("a", "customer/1"), ("b", "customer/2"), ("c", "customer/1")):
        line.publish(event_id, key)
        line.run(event_id, Done() if event_id != "c" else Failed(why("no")))
        line.passes(seconds=1)
    line.publish("d", "customer/1")
    assert found(line, keys=("acme/customer/1",)) == ["d", "c", "a"]
    assert found(line, keys=("acme/customer/1",), status="failed") == ["c"]


def test_every_event_is_on_one_page_however_many_share_a_millisecond(line: Line) -> None:
    for number in range(40):
        line.publish(f"e{number}", f"customer/{number}")
    for number in range(40):
        line.run(f"e{number}")
        if number % 9 == 0:
            line.passes(milliseconds=1)
    for page in (1, 3, 7, 40, 100):
        names = found(line, page=page, status="done")
        assert sorted(names) == sorted(f"e{number}" for number in range(40)), page


def test_every_event_is_on_one_page_over_companies_that_share_a_millisecond(line: Line) -> None:
    made = []
    for number in range(60):
        company, event_id = ("b", "A", "å", "a")[number % 4], f"e{number % 7}-{number}"
        line.publish(event_id, f"customer/{number}", company=company, refused=NOTHING if number % 3 else why("no"))
        made.append((company, event_id))
        if number % 19 == 0:
            line.passes(milliseconds=1)
    for page in (1, 2, 7, 60):
        told = [(record.company, record.id) for record in find(line.ordering, Filter(), page)]
        assert sorted(told) == sorted(made), page
    by_page = [[(one.company, one.id) for one in find(line.ordering, Filter(), page)] for page in (1, 60)]
    assert by_page[0] == by_page[1]


def test_a_look_for_what_is_rare_looks_at_so_many_at_a_time_and_at_each_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.queries.LOOKS", 10)
    for number in range(45):
        company = ("acme", "beta", "gamma")[number // 20]
        line.publish(f"e{number}", f"customer/{number}", company=company)
        if number % 20 == 0:
            line.run(f"e{number}", Retry(timedelta(hours=1), why("no"), "code"), company=company)
            line.passes(milliseconds=1)
    looks: list[int] = []
    for wanted in (Filter(status="retrying"), Filter(code="code")):
        looks.clear()
        told = [record.id for record in find(line.ordering, wanted, looked=looks.append)]
        assert told == ["e40", "e20", "e0"]
        assert sum(looks) == 45
        assert max(looks) == 10


def test_what_failed_is_read_in_order_though_it_is_retried_meanwhile(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.queries.PAGE", 7)
    for number in range(50):
        line.publish(f"e{number:02}", f"customer/{number}", refused=why("no"))
        if number == 30:
            line.passes(milliseconds=1)
    line.passes(seconds=1)
    told = []
    for record in line.ordering.failed("acme"):
        told.append(record.id)
        if int(record.id[1:]) % 3:
            line.ordering.retry("acme", record.id)
            line.passes(milliseconds=1)
            line.run(record.id, Failed(why("again")))  # which is not met again
    assert told == [f"e{number:02}" for number in range(50)]


def test_a_time_bounds_what_is_found(line: Line) -> None:
    times = []
    for number in range(4):
        line.publish(f"e{number}", f"customer/{number}")
        line.run(f"e{number}")
        times.append(datetime.fromtimestamp(line.now / 1000, UTC))
        line.passes(hours=1)
    assert found(line, since=times[1], until=times[2]) == ["e2", "e1"]
    assert found(line, keys=("acme/customer/1",), since=times[2]) == []


def test_an_event_retried_by_hand_is_no_longer_listed_as_it_was(line: Line, redis: Redis) -> None:
    line.publish("a")
    line.ordering.skip("acme", "a", why("given up"))
    assert found(line, status="skipped") == ["a"]
    line.ordering.retry("acme", "a")
    assert found(line, status="skipped") == []
    assert found(line) == ["a"]
    assert not redis.exists("mf:key-settled:acme/customer/1")


def test_what_is_older_than_the_retention_leaves_the_log_without_a_scan(line: Line, redis: Redis) -> None:
    for number in range(10):
        line.publish(f"e{number}", "customer/1")
        line.run(f"e{number}")
    line.passes(days=91)
    for number in range(10, 15):
        line.publish(f"e{number}", "customer/1")
        line.run(f"e{number}")
    for index in ("company-done:acme", "key-settled:acme/customer/1"):
        assert redis.zrange(f"mf:{index}", 0, -1) == [f"e{number}" for number in range(10, 15)]
        assert 89 * DAY.total_seconds() < redis.ttl(f"mf:{index}") <= 90 * DAY.total_seconds()  # type: ignore[operator]


def test_a_failed_event_stays_listed_however_old(line: Line) -> None:
    line.publish("old", "invoice/1")
    line.run("old", Failed(why("no")))
    line.passes(days=200)
    line.publish("new", "invoice/2")
    line.run("new", Failed(why("no")))
    assert found(line, status="failed") == ["new", "old"]


def test_an_event_knows_whether_a_newer_one_of_its_key_came(line: Line) -> None:
    line.publish("a", "invoice/1")
    line.run("a", Failed(why("no")))
    first = line.ordering.event("acme", "a")
    assert first is not None
    assert line.ordering.is_newest(first)
    line.publish("b", "invoice/1")
    assert not line.ordering.is_newest(first)
    line.run("b")
    assert not line.ordering.is_newest(first)
    assert all(map(line.ordering.is_newest, line.ordering.events([("acme", "b")])))


def test_what_settles_is_counted_by_type_and_outcome(line: Line, redis: Redis) -> None:
    line.publish("a", "customer/1", snapshot=True)
    line.publish("b", "customer/1", snapshot=True)
    line.run("b")
    line.publish("c", "customer/2")
    line.run("c", Failed(why("no")))
    assert redis.hgetall("mf:counters") == {
        "events|thing.changed|superseded": "1",
        "events|thing.changed|done": "1",
        "events|thing.changed|failed": "1",
    }
