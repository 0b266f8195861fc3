"""REDIS_SENTINELS: the engine, the stores, Celery, beat, Flower and commands find the master, also after a kill."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flower.utils.broker import Broker
from redis.exceptions import RedisError

from cli.completion import VARIABLE, complete
from config import load_settings
from local.stack import Stack
from stores.event_stream import STREAM
from tests.acceptance.conftest import System
from tests.monitors import wait_for_flower
from tests.replicated_redis import ReplicatedRedis
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app
from worker.flower import ask_every_sentinel
from worker.publish import publish

LOGIN = ("operator", "secret")
DATABASE = 3
ELSEWHERE = f"redis://nobody.invalid:1/{DATABASE}"  # the host is not used
LONGEST = 30.0  # s until all go on; it takes 5 on a quiet machine


@dataclass
class Replicated:
    redis: ReplicatedRedis
    system: System
    flower: str


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    directory = Path(tmp_path_factory.mktemp("sentinels"))
    with Stack(directory, options={"LOG_FORMAT": "json"}) as stack:
        stack.start_services()
        with ReplicatedRedis(directory, stack._redis) as redis:
            stack.environment |= {"REDIS_URL": ELSEWHERE, "REDIS_SENTINELS": redis.setting}
            stack.settings = load_settings(None, **{name.lower(): value for name, value in stack.environment.items()})
            beat = stack.start_beat()
            workers = [stack.start_worker(name, concurrency=2) for name in ("worker", "second")]
            flower, _ = stack.start_flower(login=":".join(LOGIN))
            wait_for_flower(flower, ":".join(LOGIN))
            system = System(stack, create_app(stack.settings))
            system.connect("acme")
            yield Replicated(redis, system, flower)
            for process in (beat, *workers):
                process.check()


def holds(what: Callable[[], object]) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            return bool(what())
        except (RedisError, OSError):
            return False

    return asked


@pytest.mark.parametrize("kill", range(2))
def test_all_go_on_with_another_master_when_it_is_killed(replicated: Replicated, kill: int) -> None:
    app, services = replicated.system.app, replicated.system.app.services
    if kill:
        replicated.redis.sentinels[0].kill()  # the one that clients ask first
    former = replicated.redis.kill_master()
    began = time.monotonic()
    seen_from = time.time()

    doors: dict[str, Callable[[dict[str, object]], object]] = {
        "publish": lambda event: publish(event, services=services),
        "celery": lambda event: app.send_task("events.receive", args=[event], queue="events"),
        "stream": lambda event: services.redis.xadd(STREAM, {"event": json.dumps(event)}),
    }

    def is_done(event_id: str) -> bool:
        record = services.ordering.event("acme", event_id)
        return record is not None and record.status == "done"

    for number, (door, send) in enumerate(doors.items(), start=kill * 10):
        event = customer_json(event_id=f"{door}-{kill}", customer_number=str(number))
        wait_until(holds(lambda send=send, event=event: send(event)), what=f"{door} to work")  # type: ignore[misc]
    for door in doors:
        wait_until(
            holds(lambda door=door: is_done(f"{door}-{kill}")),  # type: ignore[misc]
            what=f"the event by {door}",
        )

    def flower_sees() -> bool:
        n = time.monotonic_ns()
        app.send_task("events.receive", args=[customer_json(event_id=f"seen-{kill}-{n}")], queue="events")
        tasks = requests.get(f"{replicated.flower}/api/tasks", auth=LOGIN, timeout=30).json()
        return any(one["started"] and one["started"] > seen_from for one in tasks.values())

    wait_until(holds(flower_sees), what="Flower", interval=0.2)
    lease_left = 10**6

    def beat_renews_its_lease() -> bool:
        """Every 5 s."""
        nonlocal lease_left
        before, lease_left = lease_left, services.redis.pttl("redbeat::lock")
        return lease_left > before  # type: ignore[operator]

    wait_until(holds(beat_renews_its_lease), what="beat")
    assert time.monotonic() - began < LONGEST
    assert replicated.redis.master() is not former
    replicated.redis.come_back(former)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Flower's loop goes on, this one ends
def test_flower_counts_the_queues_of_the_masters_database(replicated: Replicated) -> None:
    answer = requests.get(f"{replicated.flower}/api/queues/length", auth=LOGIN, timeout=30)
    assert {queue["name"] for queue in answer.json()["active_queues"]} >= {"events", "transfers"}

    app = replicated.system.app
    app.services.redis.lpush("nobody-reads-this", "x")
    ask_every_sentinel(app.settings)  # as in Flower's process
    with app.connection() as connection:
        url = connection.as_uri(include_password=True)
    broker = Broker(url, broker_options=app.conf.broker_transport_options, broker_use_ssl=app.conf.broker_use_ssl)
    assert asyncio.run(broker.queues(["nobody-reads-this"])) == [{"name": "nobody-reads-this", "messages": 1}]


def test_commands_and_completion_ask_the_sentinels(replicated: Replicated) -> None:
    environment = replicated.system.stack.environment
    assert replicated.system.run("status").returncode == 0
    asked = {VARIABLE: "complete_bash", "COMP_WORDS": "moment-fortnox companies show ", "COMP_CWORD": "3"}
    assert complete({**environment, **asked}) == ["acme"]


def test_without_a_sentinel_that_answers_a_command_says_so_in_one_line(replicated: Replicated) -> None:
    environment = replicated.system.stack.environment | {"REDIS_SENTINELS": "127.0.0.1:1,127.0.0.1:2/main"}
    done = replicated.system.run("status", environment=environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "127.0.0.1:1,127.0.0.1:2/main does not answer" in done.stderr


def test_another_name_is_said(replicated: Replicated) -> None:
    places = replicated.redis.setting.partition("/")[0]
    environment = replicated.system.stack.environment | {"REDIS_SENTINELS": f"{places}/other"}
    done = replicated.system.run("status", environment=environment)
    assert (done.returncode, "No master found for 'other'" in done.stderr) == (1, True)
