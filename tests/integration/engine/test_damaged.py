"""An event whose hash is gone or cannot be read stops nothing else: it is set aside and listed."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from messages import Message
from ordering import UNSETTLED, Done, Failed, Held, Outcome, Pause, Release, Retry, Skipped, Snooze, TargetUnavailable
from tests.integration.engine.conftest import Line, why

SECOND = timedelta(seconds=1)
HASH = "mf:event:acme:bad"


def delete(redis: Redis) -> None:
    redis.delete(HASH)


def lose_its_key(redis: Redis) -> None:
    redis.hdel(HASH, "key")


def garble_its_place(redis: Redis) -> None:
    redis.hset(HASH, "place", "first")


def overwrite(redis: Redis) -> None:
    redis.delete(HASH)
    redis.set(HASH, "of another type")


def ready(line: Line) -> None:
    line.publish("bad")


def not_released(line: Line) -> None:
    for number in (7, 8, 9):
        line.publish(f"c{number}", f"customer/{number}")
    line.publish("bad")


def running(line: Line) -> None:
    line.publish("bad")
    line.claim("bad")


def retrying(line: Line) -> None:
    line.publish("bad")
    line.run("bad", Retry(SECOND, why("timeout")))


def failed(line: Line) -> None:
    line.publish("bad")
    line.run("bad", Failed(why("no")))


def waiting(line: Line) -> None:
    line.publish("first", "integration")
    line.publish("bad", needs=["integration"])


def waiting_in_line(line: Line) -> None:
    line.publish("first")
    line.publish("bad")


def held(line: Line) -> None:
    line.publish("first", "integration")
    line.publish("bad", needs=["integration"])
    line.run("first", Failed(why("no")))


def refused(line: Line) -> None:
    line.publish("bad")
    line.run("bad", Held("acme/access/customers", why("no licence")))


def end(line: Line) -> None:
    """Everything that can go on is done, time passes, and a person retries or skips what is left."""
    for _ in range(60):
        for company_event in list(line.ordering.unsettled("acme")) + list(line.ordering.failed("acme")):
            line.ordering.retry("acme", company_event.id)
            if claim := line.ordering.claim("acme", company_event.id):
                line.settle(claim, Done())
        line.passes(seconds=31)
        line.pump()
    line.ordering.reopen("acme", "acme/access/customers")


@pytest.mark.parametrize("damage", [delete, lose_its_key, garble_its_place, overwrite])
@pytest.mark.parametrize(
    "reach", [ready, not_released, running, retrying, failed, waiting, waiting_in_line, held, refused]
)
def test_it_is_set_aside_and_what_comes_after_it_goes_through(
    line: Line, redis: Redis, reach: Callable[[Line], None], damage: Callable[[Redis], None]
) -> None:
    reach(line)
    line.publish("behind", snapshot=True)
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    damage(redis)
    line.publish("later", snapshot=True)
    line.publish("project", "project/1")
    line.ordering.skip("acme", "bad", why("it cannot be read"))

    end(line)

    assert {line.status(one) for one in ("later", "invoice", "project")} == {"done"}
    assert [(one.company, one.id) for one in line.ordering.damaged()] == [("acme", "bad")]
    counts = line.ordering.counts("acme")
    assert all(counts[status] == 0 for status in (*UNSETTLED, "failed")), counts
    members = {"bad", "acme:bad"}
    for key in redis.scan_iter("mf:*"):
        if key not in (HASH, "mf:damaged") and redis.type(key) == "zset":
            assert not members & set(redis.zrange(key, 0, -1)), key
    assert redis.smembers("mf:company-released:acme") == set()


@pytest.mark.parametrize("reach", [ready, not_released, running, retrying, refused, waiting_in_line])
def test_nobody_has_to_ask_for_it_by_name(line: Line, redis: Redis, reach: Callable[[Line], None]) -> None:
    reach(line)
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    redis.delete(HASH)
    line.publish("later")
    end(line)
    assert {line.status(one) for one in ("later", "invoice")} == {"done"}
    assert [one.id for one in line.ordering.damaged()] == ["bad"]
    assert all(line.ordering.counts("acme")[status] == 0 for status in UNSETTLED)


def test_its_holder_is_told_that_it_lost_it(line: Line, redis: Redis) -> None:
    line.publish("bad")
    claim = line.claim("bad")
    redis.delete(HASH)
    assert not line.ordering.renew(claim)


OUTCOMES: tuple[Outcome, ...] = (
    Done(),
    Done(why("a file is missing"), again=True),
    Failed(why("no")),
    Skipped(why("switched off")),
    Retry(SECOND, why("timeout")),
    TargetUnavailable(SECOND, why("503")),
    Release(SECOND),
    Snooze(SECOND),
    Held("acme/customer/1", why("unknown")),
    Held("acme/access/customers", why("no licence")),
    Pause(why("the grant is dead")),
)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_lost_at_whatever_time_everything_else_goes_through(line: Line, redis: Redis, seed: int) -> None:
    chance = random.Random(seed)
    lost, published = set[str](), list[str]()
    for step in range(60):
        act = chance.random()
        if act < 0.4:
            kind = chance.choice(("customer", "customer", "invoice"))
            needs = [f"customer/{chance.randint(1, 2)}"] if kind == "invoice" else []
            line.publish(f"e{step}", f"{kind}/{chance.randint(1, 2)}", needs=needs, snapshot=kind == "customer")
            published.append(f"e{step}")
        elif act < 0.8:
            for one in line.ordering.unsettled("acme"):
                if claim := line.ordering.claim("acme", one.id):
                    if chance.random() < 0.8:
                        line.settle(claim, chance.choice(OUTCOMES))
                    break
        elif act < 0.9:
            line.passes(seconds=chance.choice((1, 31)))
            line.pump()
        elif open_ := [one.id for one in (*line.ordering.unsettled("acme"), *line.ordering.failed("acme"))]:
            lost.add(chance.choice(open_))
            redis.delete(*(f"mf:event:acme:{one}" for one in lost))
    line.ordering.resume("acme")
    for one in sorted(lost):
        line.ordering.skip("acme", one, Message("test.lost"))
    line.publish("last-customer", "customer/1")
    line.publish("last-invoice", "invoice/1", needs=["customer/1", "customer/2"])

    end(line)

    assert {one.id for one in line.ordering.damaged()} == lost
    left = {one: line.status(one) for one in published if one not in lost}
    assert set(left.values()) <= {"done", "superseded", "skipped"}, left
    assert line.status("last-invoice") == "done"
    counts = line.ordering.counts("acme")
    assert all(counts[status] == 0 for status in (*UNSETTLED, "failed")), counts
