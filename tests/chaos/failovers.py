"""How a master is lost: killed, paused, cut off from all but its old clients, or killed with its disk."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from redis import Redis

from tests.replicated_redis import Node, ReplicatedRedis


@dataclass(frozen=True, slots=True)
class Failover:
    """`began`: seconds since the epoch. `elected`: seconds until the Sentinels named another master."""

    kind: str
    began: float
    elected: float


def fail_over(redis: ReplicatedRedis, kind: str) -> Failover:
    """Lose the master in this way, wait for another, and bring the former one back as its replica."""
    former = redis.master()
    began = time.time()
    with KINDS[kind](redis, former):
        redis.wait_for_another_than(former)
        elected = time.time() - began
    redis.wait_until_whole()
    return Failover(kind, began, elected)


@contextmanager
def _killed(redis: ReplicatedRedis, former: Node) -> Iterator[None]:
    former.server.kill()
    yield
    redis.come_back(former)


@contextmanager
def _with_its_disk(redis: ReplicatedRedis, former: Node) -> Iterator[None]:
    former.server.kill()
    shutil.rmtree(former.server.directory)
    yield
    redis.come_back(former)


@contextmanager
def _paused(redis: ReplicatedRedis, former: Node) -> Iterator[None]:
    """It knows nothing of it, and goes on as a master afterwards, until the Sentinels tell it otherwise."""
    former.server.process.send_signal(signal.SIGSTOP)
    yield
    former.server.process.send_signal(signal.SIGCONT)


@contextmanager
def _cut_off(redis: ReplicatedRedis, former: Node) -> Iterator[None]:
    """Its replicas and the Sentinels hear nothing of it any more, and nobody can connect; its old clients go on."""
    assert former.proxy is not None
    with former.client() as client:
        former.proxy.is_silent = True
        former.proxy.stall(_peers(client))
    yield
    former.proxy.is_silent = False
    former.proxy.cut()


def _peers(client: Redis) -> set[int]:
    """The ports, on the proxy's side, of the replicas and the Sentinels."""
    found = client.client_list()
    return {
        int(one["addr"].rpartition(":")[2])
        for one in found
        if "S" in one["flags"] or one["name"].startswith("sentinel-")
    }


KINDS: dict[str, Callable[[ReplicatedRedis, Node], AbstractContextManager[None]]] = {
    "killed": _killed,
    "paused": _paused,
    "cut off": _cut_off,
    "killed with its disk": _with_its_disk,
}
