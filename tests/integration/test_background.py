"""Threads that must not end start again, count what happened, and count as down meanwhile."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from delivery import background
from delivery.background import BackgroundThread
from stores.counters import Counters
from stores.threads import PUMP, ThreadStates
from tests.waiting import wait_until

FAILURES = f"threads|{PUMP}"


@pytest.fixture
def states(redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadStates]:
    monkeypatch.setattr(background, "SHORTEST_WAIT", 0.01)
    monkeypatch.setattr(background, "WAIT_FOR_REDIS", 0.01)
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        yield ThreadStates(redis, Counters(redis))


class Steps:
    """The steps of a thread: each error of `errors` in turn, then steps that succeed."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.succeeded = 0

    def __call__(self) -> float:
        if self.errors:
            raise self.errors.pop(0)
        self.succeeded += 1
        return 0.01


@pytest.fixture
def start(states: ThreadStates) -> Iterator[Callable[[Steps], BackgroundThread]]:
    threads: list[BackgroundThread] = []

    def started(steps: Steps) -> BackgroundThread:
        threads.append(BackgroundThread(PUMP, steps, states))
        threads[-1].start()
        return threads[-1]

    yield started
    for thread in threads:
        thread.stop()
        assert not thread.is_alive()


Start = Callable[[Steps], BackgroundThread]


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("bug"), MemoryError(), RecursionError(), ResponseError("WRONGTYPE Operation against a key")],
)
def test_it_goes_on_after_an_unexpected_error_and_each_is_counted(
    states: ThreadStates, redis_client: Redis, start: Start, error: Exception
) -> None:
    steps = Steps(error, error)
    thread = start(steps)
    wait_until(lambda: steps.succeeded > 2, what="it to work again")
    assert thread.is_alive()
    assert redis_client.hget("mf:counters", FAILURES) == b"2"
    assert states.all_down() == []


def test_it_counts_as_down_until_it_works_again(states: ThreadStates, start: Start) -> None:
    steps = Steps(*[ZeroDivisionError()] * 7)  # the last waits are long enough to look
    start(steps)
    wait_until(lambda: [thread for thread, _ in states.all_down()] == [PUMP], what="it to be down")
    wait_until(lambda: states.all_down() == [], what="it to be up")
    assert steps.succeeded > 0


def test_it_waits_for_a_redis_that_is_down_and_that_is_no_failure(
    states: ThreadStates, redis_client: Redis, start: Start
) -> None:
    steps = Steps(ConnectionLost(), ResponseError("MISCONF Errors writing to the AOF file"))
    start(steps)
    wait_until(lambda: steps.succeeded > 0, what="it to work again")
    assert redis_client.hget("mf:counters", FAILURES) is None


def test_a_thread_whose_process_is_gone_is_not_down_for_ever(states: ThreadStates, redis_client: Redis) -> None:
    states.down(PUMP, "gone:1")
    assert states.all_down() == [(PUMP, "gone:1")]
    redis_client.hincrby("mf:threads:down", f"{PUMP}@gone:1", -61)
    assert states.all_down() == []


def test_a_thread_that_is_stopped_while_it_is_down_is_no_longer_down(
    states: ThreadStates, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "SHORTEST_WAIT", 30.0)
    thread = start(Steps(ZeroDivisionError()))
    wait_until(states.all_down, what="it to be down")
    thread.stop()
    assert states.all_down() == []
