"""What processes remember of Redis, and which losses they find: `stores.installation` against a real Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from stores.installation import Installation
from tests.redis_copies import copied, put_back


@pytest.fixture
def client(redis_url: str, redis_client: "redis.Redis") -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def worker(client: "redis.Redis") -> Installation:
    return Installation(client)


@pytest.fixture
def beat(client: "redis.Redis") -> Installation:
    return Installation(client)


def kinds(installation: Installation) -> list[str]:
    return [loss.kind for loss in installation.losses()]


def look(*processes: Installation, times: int = 1) -> None:
    """Each process looks, and meets no loss."""
    for _ in range(times):
        for process in processes:
            assert process.look() is None


def in_a_later_millisecond(client: "redis.Redis") -> None:
    """Wait until the server's clock, as it is kept, shows another time than that of the last look."""
    looked: Any = client.hget("mf:installation", "looked")
    while True:
        time: Any = client.time()
        if time[0] * 1000 + time[1] // 1000 > int(looked):
            return


def test_a_first_look_at_an_empty_redis_is_no_loss(worker: Installation, beat: Installation) -> None:
    look(worker, beat, times=3)
    assert worker.losses() == []


def test_an_emptied_redis_is_one_loss_that_each_process_meets_once(
    client: "redis.Redis", worker: Installation, beat: Installation
) -> None:
    look(worker, beat)
    client.flushdb()
    found = worker.look(), beat.look()
    assert [loss.kind for loss in found if loss] == ["emptied", "emptied"]
    assert kinds(worker) == ["emptied"]
    look(worker, beat, times=3)


def test_a_process_that_starts_on_the_emptied_redis_does_not_hide_the_loss(
    client: "redis.Redis", worker: Installation, beat: Installation
) -> None:
    look(worker)
    client.flushdb()
    look(beat)
    assert worker.look() is not None
    assert kinds(beat) == ["emptied"]


def test_another_installation_is_told_as_such(client: "redis.Redis", worker: Installation, beat: Installation) -> None:
    look(beat)
    theirs = copied(client)
    in_a_later_millisecond(client)
    client.flushdb()
    look(worker)
    put_back(client, theirs)
    assert worker.look() is not None
    assert kinds(worker) == ["replaced"]


def test_an_older_copy_is_told_with_its_age_and_how_much_is_known_to_be_gone(
    client: "redis.Redis", worker: Installation, beat: Installation
) -> None:
    client.set("mf:tickets", 7)
    look(worker, beat)
    older = copied(client)
    client.set("mf:tickets", 12)
    look(worker, beat, times=3)
    put_back(client, older)
    assert worker.look() is not None
    assert beat.look() is not None
    (loss,) = worker.losses()
    assert (loss.kind, loss.gone) == ("set-back", 5)
    assert loss.back_to < loss.before <= loss.at
    look(worker, beat, times=3)


def test_a_copy_from_before_an_earlier_loss_is_told(client: "redis.Redis", worker: Installation) -> None:
    look(worker)
    older = copied(client)
    in_a_later_millisecond(client)
    client.flushdb()
    worker.look()
    worker.acknowledge(worker.losses())
    put_back(client, older)
    assert worker.look() is not None
    assert kinds(worker) == ["replaced"]


def test_a_fail_over_that_lost_the_last_look_alone_is_no_loss(client: "redis.Redis", worker: Installation) -> None:
    client.set("mf:tickets", 7)
    look(worker, times=3)
    replica = copied(client)
    look(worker)
    put_back(client, replica)
    look(worker, times=3)


def test_a_fail_over_that_lost_an_accepted_event_is_told_however_short_it_was(
    client: "redis.Redis", worker: Installation
) -> None:
    look(worker, times=3)
    replica = copied(client)
    client.incr("mf:tickets")
    look(worker)
    put_back(client, replica)
    assert worker.look() is not None
    assert [loss.gone for loss in worker.losses()] == [1]


def test_what_is_acknowledged_is_told_no_more_not_even_by_a_process_that_was_stopped_meanwhile(
    client: "redis.Redis", worker: Installation, beat: Installation
) -> None:
    look(worker, beat)
    client.flushdb()
    worker.look()
    worker.acknowledge(worker.losses())
    assert beat.look() is not None  # for its own log
    assert worker.losses() == worker.losses_to_mail() == []


@pytest.mark.parametrize("first", ["worker", "beat"])
@pytest.mark.parametrize("by", ["emptied", "replaced"])
def test_a_process_that_slept_through_an_earlier_loss_does_not_tell_the_next_one_twice(
    client: "redis.Redis", worker: Installation, beat: Installation, first: str, by: str
) -> None:
    """Beat remembers the id before the older copy, the worker the one after it."""
    look(worker, beat)
    older = copied(client)
    look(worker, beat, times=3)
    put_back(client, older)
    assert worker.look() is not None
    in_a_later_millisecond(client)
    client.flushdb()
    if by == "replaced":
        client.hset("mf:installation", mapping={"id": "theirs", "made": 1, "looks": 10**6, "lost": "their own"})
    for process in (worker, beat) if first == "worker" else (beat, worker):
        assert process.look() is not None
    assert kinds(worker) == [by]


def test_the_same_loss_again_is_told_again(client: "redis.Redis", worker: Installation, beat: Installation) -> None:
    look(worker)
    mine = copied(client)
    client.flushdb()
    look(beat)
    other = copied(client)
    for _ in range(2):
        put_back(client, mine)
        worker.look()
        worker.acknowledge(worker.losses())
        mine = copied(client)
        put_back(client, other)
        assert worker.look() is not None
        assert len(worker.losses()) == 1
        worker.acknowledge(worker.losses())
        other = copied(client)


def test_a_loss_is_mailed_once(client: "redis.Redis", worker: Installation) -> None:
    look(worker)
    client.flushdb()
    worker.look()
    (loss,) = worker.losses_to_mail()
    worker.mark_mailed(loss)
    assert worker.losses_to_mail() == []
    assert worker.losses() == [loss]
