"""The rate limiter against a real Redis: shared, exact, and one round trip when there is room."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from fortnox.errors import WindowFull
from fortnox.limiter import MARGIN, SHORTEST_WAIT, Limiter

WINDOW = (24, 60)
SHORT, LONG = (4, 1), (4, 60)


def fill(limiter: Limiter, company: str, leave: int = 0) -> int:
    """Takes all the room there is; returns how much that was."""
    taken = 0
    while True:
        try:
            limiter.acquire(company, leave)
        except WindowFull:
            return taken
        taken += 1


def take_until(url: str, end: float) -> int:
    """Takes whatever it can until then, as a worker would. Returns how much that was."""
    taken = 0
    with redis.Redis.from_url(url) as client:
        limiter = Limiter(client, SHORT)
        while (left := end - time.time()) > 0:
            try:
                limiter.acquire("acme")
            except WindowFull as full:
                time.sleep(min(full.retry_after, left))
            else:
                taken += 1
    return taken


def test_a_window_has_room_for_exactly_its_requests(redis_client: "redis.Redis") -> None:
    assert fill(Limiter(redis_client, WINDOW), "acme") == 24


def test_companies_have_windows_of_their_own(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, WINDOW)

    fill(limiter, "acme")

    assert fill(limiter, "globex") == 24


def test_a_worker_whose_clock_is_off_shares_the_same_window(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 300)
    fast = Limiter(redis_client, WINDOW)
    for _ in range(20):
        fast.acquire("acme")
    assert fast.window("acme").used == 20
    monkeypatch.setattr(time, "time", lambda: right() - 300)
    slow = Limiter(redis_client, WINDOW)
    assert fill(slow, "acme") == 4
    with pytest.raises(WindowFull) as caught:
        slow.acquire("acme")
    assert 0 < caught.value.retry_after <= WINDOW[1] + MARGIN + SHORTEST_WAIT


def test_it_says_exactly_when_there_is_room(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, SHORT)
    began = time.time()
    limiter.acquire("acme")
    first = time.time()
    time.sleep(0.3)
    others = time.time()
    fill(limiter, "acme")
    asked = time.time()
    with pytest.raises(WindowFull) as caught:
        limiter.acquire("acme")

    wait = caught.value.retry_after

    assert began + 1 <= time.time() + wait
    assert asked + wait <= first + 1 + MARGIN + SHORTEST_WAIT
    time.sleep(wait)
    # The first has left the window, the other three have not yet, unless the machine was too busy to look in time.
    assert fill(limiter, "acme") == 1 or time.time() >= others + 1


def test_workers_share_it_through_redis_alone(redis_client: "redis.Redis", redis_url: str) -> None:
    seconds, workers = 3, 4
    end = time.time() + seconds
    with ThreadPoolExecutor(workers) as pool:  # each has a limiter and connections of its own
        taken = sum(pool.map(take_until, [redis_url] * workers, [end] * workers))

    requests, window = SHORT
    assert requests < taken <= requests * (seconds // window + 1)


def test_work_that_is_not_urgent_leaves_room(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, WINDOW)

    assert fill(limiter, "acme", leave=6) == 18
    assert fill(limiter, "acme") == 6


def test_leaving_room_forgets_nothing_of_what_was_used(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, LONG)
    limiter.acquire("acme", leave=2)
    limiter.acquire("acme")
    limiter.acquire("acme")

    with pytest.raises(WindowFull) as caught:
        limiter.acquire("acme", leave=2)

    assert 30 < caught.value.retry_after <= 60.01 + MARGIN  # until two of the three have left
    assert limiter.window("acme").used == 3
    assert fill(limiter, "acme") == 1


def test_a_reserve_as_large_as_the_window_still_lets_one_through(redis_client: "redis.Redis") -> None:
    assert fill(Limiter(redis_client, LONG), "acme", leave=99) == 1


def test_room_costs_one_round_trip(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, WINDOW)
    limiter.acquire("acme")  # loads the script
    redis_client.config_resetstat()

    limiter.acquire("acme")

    calls = {name: stats["calls"] for name, stats in redis_client.info("commandstats").items()}
    sent = {name: number for name, number in calls.items() if name in {"cmdstat_evalsha", "cmdstat_eval"}}
    assert sent == {"cmdstat_evalsha": 1}


def test_its_keys_are_under_one_prefix_and_go_away_by_themselves(redis_client: "redis.Redis") -> None:
    fill(Limiter(redis_client, WINDOW), "acme")

    keys = redis_client.keys("*")

    assert all(str(key).startswith("b'fortnox:rate:") for key in keys)
    assert all(0 < redis_client.ttl(key) <= 3600 for key in keys)


def test_a_clock_that_is_set_back_closes_no_window(redis_client: "redis.Redis") -> None:
    limiter = Limiter(redis_client, WINDOW)
    seconds, _ = redis_client.time()  # type: ignore[misc]
    assert fill(limiter, "acme") == 24
    (key,) = redis_client.keys("fortnox:rate*")  # type: ignore[misc]
    redis_client.delete(key)
    redis_client.rpush(key, *[f"{(seconds + 3600) * 10:.0f}.0"] * 24)  # as if it had been an hour later
    limiter.check("acme")
    assert fill(limiter, "acme") == 24
