"""A hosted Redis fails over: behind the same name is another master, and the former one is its replica.

Nobody's connection breaks, so each client has to notice by itself: workers, beat, Flower, the stream's reader, and
producers by every door.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from redis import Redis
from redis.exceptions import RedisError

from local import EmbeddedRedis
from local.redis import LOOPBACK, free_port
from local.stack import Stack
from stores.beat import beat_age
from stores.event_stream import STREAM
from tasks.flows import REPORT_SCHEDULE
from tests.acceptance.conftest import System
from tests.monitors import wait_for_flower
from tests.tcp_proxy import TcpProxy
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app
from worker.publish import publish

LONGEST = 20.0  # s until all go on; it takes below 1, and beat looks each 5
LOGIN = "operator:secret"


@dataclass
class Pair:
    """Two servers of which one is the master, and the name by which clients know it."""

    proxy: TcpProxy
    master: Redis
    replica: Redis

    def fail_over(self) -> None:
        """The replica becomes the master behind the name; no connection is closed, and nothing is lost."""
        self.master.client_pause(5000, all=False)
        wait_until(lambda: self.master.wait(1, 1000), what="the replica to have everything")
        self.replica.replicaof("NO", "ONE")
        self.proxy.target = port_of(self.replica)
        self.master.replicaof(LOOPBACK, port_of(self.replica))  # type: ignore[arg-type]
        self.master.client_unpause()
        self.master, self.replica = self.replica, self.master


def port_of(redis: Redis) -> int:
    return int(redis.connection_pool.connection_kwargs["port"])


@pytest.fixture(scope="module")
def pair_and_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, System, str]]:
    directory = Path(tmp_path_factory.mktemp("failover"))
    port = free_port()
    with (
        TcpProxy(port) as proxy,
        Stack(
            directory,
            redis_port=port,
            options={
                "REDIS_URL": f"redis://{LOOPBACK}:{proxy.port}/0",
                "LOG_FORMAT": "json",
            },
        ) as stack,
    ):
        stack.start_services()
        with EmbeddedRedis(directory / "replica") as other:
            assert other.port is not None
            pair = Pair(proxy, Redis(port=port, decode_responses=True), Redis(port=other.port, decode_responses=True))
            pair.replica.replicaof(LOOPBACK, port)  # type: ignore[arg-type]
            stack.start_beat()
            for name in ("worker", "second"):
                stack.start_worker(name, concurrency=2)
            address, _ = stack.start_flower(login=LOGIN)
            wait_for_flower(address, LOGIN)
            system = System(stack, create_app(stack.settings))
            system.connect("acme")
            wait_until(lambda: beat_age(system.app.services.redis, REPORT_SCHEDULE.name), what="beat")
            yield pair, system, address
            stack.check()


def until(what: Callable[[], object], began: float, interval: float = 0.02) -> float:
    """Seconds from `began` until it holds."""

    def holds() -> bool:
        try:
            return bool(what())
        except RedisError:
            return False

    wait_until(holds, what=getattr(what, "__name__", "it"), interval=interval)
    return time.monotonic() - began


@pytest.mark.parametrize("time_", ["there", "back"])
def test_all_go_on_when_the_master_behind_the_name_changes(
    pair_and_system: tuple[Pair, System, str], time_: str
) -> None:
    pair, system, flower = pair_and_system
    services, app = system.app.services, system.app
    ids = {door: f"{door}-{time_}" for door in ("publish", "celery", "stream")}

    def event(door: str) -> dict[str, object]:
        return customer_json(event_id=ids[door], customer_number=f"{len(door)}{len(time_)}")

    app.send_task("events.receive", args=[customer_json(event_id=f"before-{time_}")], queue="events")
    assert system.settled("acme", f"before-{time_}").status in {"done", "superseded"}
    pair.fail_over()
    began = time.monotonic()

    def publish_works() -> bool:
        return bool(publish(event("publish"), services=services).id)

    def send_task_works() -> bool:
        return bool(app.send_task("events.receive", args=[event("celery")], queue="events").id)

    def xadd_works() -> bool:
        return bool(services.redis.xadd(STREAM, {"event": json.dumps(event("stream"))}))

    def is_settled(event_id: str) -> bool:
        return pair.master.hget(f"mf:event:acme:{event_id}", "status") in {"done", "superseded"}

    took = {work.__name__: until(work, began) for work in (publish_works, send_task_works, xadd_works)}
    for door, event_id in ids.items():
        took[door] = until(lambda event_id=event_id: is_settled(event_id), began)  # type: ignore[misc]

    seen_from = time.time()

    def flower_sees() -> bool:
        """A task that started since."""
        n = time.monotonic_ns()
        app.send_task("events.receive", args=[customer_json(event_id=f"seen-{time_}-{n}")], queue="events")
        tasks = requests.get(f"{flower}/api/tasks", auth=("operator", "secret"), timeout=30).json()
        return any(one["started"] and one["started"] > seen_from for one in tasks.values())

    took["flower"] = until(flower_sees, began, interval=0.2)
    lease_left = pair.master.pttl("redbeat::lock")

    def beat_renews_its_lease() -> bool:
        """Every 5 s."""
        nonlocal lease_left
        before, lease_left = lease_left, pair.master.pttl("redbeat::lock")
        return lease_left > before  # type: ignore[operator]

    took["beat"] = until(beat_renews_its_lease, began)
    assert max(took.values()) < LONGEST, took
    for event_id in ids.values():
        assert system.settled("acme", event_id).status in {"done", "superseded"}
