"""A master, its replicas and Sentinels as processes: Redis that fails over."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from local import EmbeddedRedis, ManagedProcess
from local.redis import LOOPBACK, find_redis_server, free_port
from tests.waiting import wait_until

NAME = "main"
DOWN_AFTER = 1000  # ms until a Sentinel takes a silent master for dead
FAILOVER_TIMEOUT = 3000  # ms; the next fail-over of the same master may begin after twice that


class ReplicatedRedis:
    """`master` has to run already. `setting` is `REDIS_SENTINELS`."""

    def __init__(self, directory: Path, master: EmbeddedRedis, *, replicas: int = 2, sentinels: int = 3) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self.nodes = [master, *(EmbeddedRedis(directory / f"replica-{n}") for n in range(replicas))]
        self.sentinel_ports = [free_port() for _ in range(sentinels)]
        self.sentinels: list[ManagedProcess] = []

    def __enter__(self) -> Self:
        master, *replicas = self.nodes
        for replica in replicas:
            self._stack.enter_context(replica)
            with client(replica) as redis:
                redis.replicaof(LOOPBACK, master.port)  # type: ignore[arg-type]
        assert master.port is not None
        for port in self.sentinel_ports:
            self.sentinels.append(self._stack.enter_context(self._sentinel(port, master.port)))
        wait_until(self._all_know_each_other, what="the Sentinels to know the replicas and each other")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def setting(self) -> str:
        return ",".join(f"{LOOPBACK}:{port}" for port in self.sentinel_ports) + f"/{NAME}"

    def master(self) -> EmbeddedRedis:
        """The node that most Sentinels name."""
        named = [port for port in map(self._named_by, self.sentinel_ports) if port is not None]
        port = max(set(named), key=named.count)
        return next(node for node in self.nodes if node.port == port)

    def kill_master(self) -> EmbeddedRedis:
        """End the master as a crash would, and wait until another one is elected. Return the former one."""
        former = self.master()
        former.kill()
        self.wait_for_another_than(former)
        return former

    def wait_for_another_than(self, former: EmbeddedRedis) -> None:
        wait_until(lambda: self.master() is not former, what="another master")

    def come_back(self, node: EmbeddedRedis) -> None:
        """Start a node that was killed, as a replica of the present master."""
        node.start()
        with client(node) as redis:
            redis.replicaof(LOOPBACK, self.master().port)  # type: ignore[arg-type]

    def _sentinel(self, port: int, master_port: int) -> ManagedProcess:
        place = self._directory / f"sentinel-{port}"
        place.mkdir()
        (place / "sentinel.conf").write_text(
            f"port {port}\nbind {LOOPBACK}\ndir {place.resolve()}\n"
            f"sentinel monitor {NAME} {LOOPBACK} {master_port} {len(self.sentinel_ports) // 2 + 1}\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}\n"
            f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT}\n"
        )
        command = [find_redis_server(), place / "sentinel.conf", "--sentinel"]
        return ManagedProcess(f"sentinel-{port}", command, log=place / "log")

    def _all_know_each_other(self) -> bool:
        return all(map(self._knows_all, self.sentinel_ports))

    def _knows_all(self, port: int) -> bool:
        with Redis(port=port, decode_responses=True) as redis:
            try:
                state = redis.sentinel_master(NAME)
            except RedisError:
                return False
        others = state["num-other-sentinels"], state["num-slaves"]
        return others == (len(self.sentinel_ports) - 1, len(self.nodes) - 1)

    def _named_by(self, port: int) -> int | None:
        with Redis(port=port, decode_responses=True, socket_timeout=2, retry=None) as redis:
            try:
                return int(redis.sentinel_get_master_addr_by_name(NAME)[1])
            except RedisError:
                return None


def client(node: EmbeddedRedis) -> Redis:
    return Redis(port=node.port or 0, decode_responses=True, socket_timeout=5)
