"""Events that come again and again under one id, and outcomes that go on later."""

from datetime import timedelta

import pytest
from redis import Redis

from ordering import Done, Failed, Outcome, Retry, Skipped, Snooze
from tests.integration.engine.conftest import Line, why


def test_a_recurring_event_is_known_while_it_is_open_and_accepted_anew_once_through(line: Line) -> None:
    assert line.publish("poll", "polls", recurring=True)
    assert not line.publish("poll", "polls", recurring=True)
    claim = line.claim("poll")
    assert not line.publish("poll", "polls", recurring=True)

    line.settle(claim, Done())

    assert line.status("poll") == "unknown"
    assert line.publish("poll", "polls", recurring=True)


@pytest.mark.parametrize("outcome", [Done(), Skipped(why("switched off"))])
def test_a_recurring_event_that_is_through_leaves_nothing_and_is_not_counted(
    line: Line, redis: "Redis", outcome: Outcome
) -> None:
    for _ in range(3):
        line.publish("poll", "polls", recurring=True)
        claim = line.claim("poll")
        line.ordering.record(claim, "step")
        line.settle(claim, outcome)

    assert set(line.ordering.counts("acme").values()) == {0}
    assert list(redis.scan_iter("mf:*acme:poll*")) == []
    assert line.ordering.oldest("acme") is None


def test_a_recurring_event_that_failed_is_kept_until_it_is_retried_or_skipped(line: Line) -> None:
    line.publish("poll", "polls", recurring=True)
    line.run("poll", Failed(why("no licence")))

    assert not line.publish("poll", "polls", recurring=True)
    assert line.ordering.counts("acme")["failed"] == 1

    assert line.ordering.retry("acme", "poll")[0] == "ready"
    line.run("poll")
    assert set(line.ordering.counts("acme").values()) == {0}

    line.publish("poll", "polls", recurring=True)
    line.run("poll", Failed(why("no licence")))
    assert line.ordering.skip("acme", "poll", why("never mind"))[0]
    assert line.publish("poll", "polls", recurring=True)


def test_what_goes_on_later_keeps_its_progress_forgets_its_attempts_and_holds_up_nobody_else(line: Line) -> None:
    line.publish("poll", "polls", recurring=True)
    line.run("poll", Retry(timedelta(seconds=1), why("trouble")))
    line.passes(seconds=2)
    line.pump()
    claim = line.claim("poll")
    assert claim.attempts == 1
    line.ordering.record(claim, "page", "3")

    line.settle(claim, Snooze(timedelta(seconds=5), why("the window is full")))

    assert line.status("poll") == "retrying"
    assert not line.ordering.resting("acme")
    line.publish("other", "invoice/1")
    line.run("other")
    line.passes(seconds=6)
    line.pump()
    again = line.claim("poll")
    assert (again.attempts, again.progress) == (0, {"page": "3"})
