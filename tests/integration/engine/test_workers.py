"""Workers that die, stop, or take one event after another; a server that lost writes, or whose clock was set back."""

from datetime import timedelta

import pytest
from redis import Redis

from ordering import Done, Held, LeaseLost, Ordering, Release, Retry
from tests.integration.engine.conftest import Line, why

QUEUE = """
local send = nil
local function take(type)
  local id = redis.call('LPOP', 'queue')
  if id then return 'acme', id end
end
"""


def settle_and_claim(line: Line, redis: Redis, event_id: str, *queue: str) -> str | None:
    """Settles the event as done. The id of the event that follows, of those in the queue."""
    ordering = Ordering(redis, release_limit=3, clock=lambda: line.now, sender=QUEUE)
    claim = ordering.claim("acme", event_id, "w/1")
    assert claim is not None
    if queue:
        redis.rpush("queue", *queue)
    following, woken = ordering.settle_and_claim(claim, Done(), "w/1")
    line.woken += woken
    return following and following.id


def lives(line: Line, worker: str, seconds: float) -> None:
    """The worker pumps each second, for so long."""
    for _ in range(round(seconds)):
        line.passes(seconds=1)
        line.ordering.pump(worker=worker)


def test_what_a_dead_worker_held_goes_on_after_four_seconds(line: Line) -> None:
    line.publish("a")
    line.ordering.pump(worker="dies")
    zombie = line.ordering.claim("acme", "a", "dies/1")
    assert zombie is not None
    lives(line, "other", 4)
    assert line.status("a") == "running"
    lives(line, "other", 1)
    assert line.status("a") == "ready"
    with pytest.raises(LeaseLost):
        line.settle(zombie, Done())
    line.run("a")


def test_a_worker_that_lives_keeps_what_it_holds(line: Line) -> None:
    line.publish("a")
    line.ordering.pump(worker="w")
    claim = line.ordering.claim("acme", "a", "w/1")
    assert claim is not None
    lives(line, "w", 20)
    line.settle(claim, Done())


def test_a_process_that_renews_its_claim_keeps_its_worker_alive(line: Line) -> None:
    """Else its requests in flight would meet those of the next holder."""
    line.publish("a")
    line.ordering.pump(worker="w")
    claim = line.ordering.claim("acme", "a", "w/1")
    assert claim is not None
    for _ in range(10):
        lives(line, "other", 3)
        assert line.ordering.renew(claim)
    line.settle(claim, Done())


def test_a_worker_that_stops_hands_back_at_once_what_its_processes_held(line: Line) -> None:
    for event_id in ("a", "b"):
        line.publish(event_id, event_id)
    line.ordering.pump(worker="w")
    held = [line.ordering.claim("acme", event_id, f"w/{event_id}") for event_id in ("a", "b")]
    assert held[0] is not None
    line.settle(held[0], Done())
    line.released()
    line.woken += line.ordering.leave("w")
    assert line.released() == ["b"]


def test_a_redis_that_was_away_makes_no_worker_dead(line: Line) -> None:
    line.publish("a")
    line.ordering.pump(worker="w")
    claim = line.ordering.claim("acme", "a", "w/1")
    assert claim is not None
    line.passes(seconds=20)  # nobody could say that it lives
    line.pump()
    assert line.status("a") == "running"
    line.settle(claim, Done())


def test_the_wakeups_that_a_dead_worker_had_are_sent_again_at_once(line: Line) -> None:
    line.publish("a")
    line.ordering.pump(worker="dies")
    for _ in range(3):  # repeated, and so rarely by now
        line.passes(seconds=20)
        line.pump()
    line.ordering.pump(worker="dies")
    line.released()
    lives(line, "other", 4)
    line.passes(seconds=1)
    line.pump()
    assert line.released() == ["a"]


def test_a_process_that_claims_again_gives_back_what_it_held_without_knowing(line: Line) -> None:
    """The answer to its last claim was lost with the connection."""
    for event_id in ("a", "b"):
        line.publish(event_id, event_id)
    line.ordering.pump(worker="w")
    assert line.ordering.claim("acme", "a", "w/1") is not None
    assert line.ordering.claim("acme", "b", "w/1") is not None
    assert line.status("a") == "ready"


def test_the_death_of_a_process_frees_what_it_claimed_last(line: Line) -> None:
    """It may have been woken for another event, which it has settled."""
    for event_id in ("a", "b"):
        line.publish(event_id, event_id)
    line.ordering.pump(worker="w")
    first = line.ordering.claim("acme", "a", "w/1")
    assert first is not None
    line.settle(first, Done())
    assert line.ordering.claim("acme", "b", "w/1") is not None
    line.ordering.died("acme", "a", "w/1")
    assert line.status("b") == "ready"


def test_one_write_settles_an_event_and_claims_the_oldest_of_the_queue(line: Line, redis: Redis) -> None:
    for event_id in ("a", "b", "c"):
        line.publish(event_id, event_id)
    assert settle_and_claim(line, redis, "a", "b", "c") == "b"
    assert (line.status("a"), line.status("b"), line.status("c")) == ("done", "running", "ready")


def test_wakeups_that_are_out_of_date_are_passed_over(line: Line, redis: Redis) -> None:
    for event_id in ("a", "b"):
        line.publish(event_id, event_id)
    assert settle_and_claim(line, redis, "a", "a", "never-seen", "b") == "b"


def test_nothing_is_claimed_for_a_company_that_rests_or_from_an_empty_queue(line: Line, redis: Redis) -> None:
    for event_id in ("a", "b"):
        line.publish(event_id, event_id)
    assert settle_and_claim(line, redis, "a") is None
    line.ordering.pause("acme", why("by hand"))
    line.publish("c", "integration", control=True)
    assert settle_and_claim(line, redis, "c", "b") is None


def test_a_claim_is_told_from_one_with_the_same_number(line: Line, redis: Redis) -> None:
    """A fail-over to a replica that lagged: the counter, and the claim that it counted, are gone."""
    line.publish("a")
    before = redis.dump("mf:event:acme:a")
    stale = line.claim("a")
    redis.delete("mf:fences", "mf:leases")
    redis.restore("mf:event:acme:a", 0, before, replace=True)  # type: ignore[arg-type]
    redis.sadd("mf:company-released:acme", "a")
    new = line.claim("a")
    assert new.fence.partition("-")[0] == stale.fence.partition("-")[0]
    with pytest.raises(LeaseLost):
        line.settle(stale, Done())
    line.settle(new, Done())


def test_a_clock_that_is_set_back_makes_nothing_wait_for_it(line: Line) -> None:
    for event_id in ("retries", "runs", "is-woken"):
        line.publish(event_id, event_id)
    line.run("retries", Retry(timedelta(seconds=10), why("503")))
    line.claim("runs")
    line.released()
    line.passes(hours=-1)
    line.pump()
    line.passes(seconds=10)
    line.pump()
    assert line.status("retries") == "ready"
    line.passes(seconds=21)
    line.pump()
    assert line.status("runs") == "ready"
    assert "is-woken" in line.released()


def test_a_rest_ends_in_time_though_the_clock_was_set_back(line: Line) -> None:
    line.publish("a")
    line.run("a", Release(timedelta(seconds=5)))
    line.passes(hours=-1)
    line.pump()
    line.passes(seconds=5)
    line.pump()
    assert line.released()[-1] == "a"


def test_what_was_refused_for_a_key_goes_on_though_the_clock_was_set_back(line: Line) -> None:
    line.publish("invoice", "invoice/1")
    line.run("invoice", Held("acme/customer/1", why("unknown")))
    line.passes(hours=-1)
    line.publish("customer")
    line.run("customer")
    assert line.status("invoice") == "ready"
