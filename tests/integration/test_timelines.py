"""A timeline lives exactly as long as its event is remembered, whatever is written when."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from ordering import Done, Failed, Ordering, Submission
from stores import TimelineEntry, TimelineStore
from tests.sentences import sentence

DAYS = timedelta(days=90)
KEY = "mf:timeline:acme:e1"


class Log:
    """An event and its timeline."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.ordering = Ordering(redis, retention=DAYS)
        self.timeline = TimelineStore(redis, DAYS)
        self.ordering.publish(Submission("acme", "e1", "acme/invoice/1", "invoice.finalized", "{}", datetime.now(UTC)))

    def note(self, what: str) -> None:
        self.timeline.add("acme", "e1", TimelineEntry(datetime.now(UTC), what, {}))

    def ends(self, outcome: Done | Failed) -> None:
        claim = self.ordering.claim("acme", "e1")
        assert claim is not None
        self.ordering.settle(claim, outcome)
        self.note(type(outcome).__name__.lower())

    def seconds_left(self) -> float | None:
        left = self.redis.pttl(KEY)
        return None if left == -1 else left / 1000  # type: ignore[operator]


@pytest.fixture
def log(redis_url: str) -> Log:
    redis = Redis.from_url(redis_url, decode_responses=True)
    redis.flushdb()
    return Log(redis)


def test_what_is_written_after_the_end_does_not_keep_a_timeline_for_ever(log: Log) -> None:
    log.note("claimed")
    assert log.seconds_left() is None
    log.ends(Done())
    assert log.seconds_left() == pytest.approx(DAYS.total_seconds(), abs=60)
    log.redis.pexpire("mf:event:acme:e1", 1_000_000)
    log.note("lease lost")
    assert log.seconds_left() == pytest.approx(1000, abs=60)
    assert len(log.timeline.read("acme", "e1")) == 3


def test_a_failed_event_keeps_its_timeline_also_when_it_was_given_up_and_is_retried(log: Log) -> None:
    log.ends(Failed(sentence("no")))
    assert log.seconds_left() is None
    log.ordering.skip("acme", "e1", sentence("given up"))
    log.note("skipped by hand")
    assert log.seconds_left() is not None
    log.ordering.retry("acme", "e1")
    log.note("retried by hand")
    assert log.seconds_left() is None


def test_what_is_written_of_an_event_that_is_forgotten_goes_as_well(log: Log) -> None:
    log.redis.delete("mf:event:acme:e1")
    log.note("lease lost")
    assert log.seconds_left() == pytest.approx(DAYS.total_seconds(), abs=60)
