"""A master, its replicas and Sentinels as processes: Redis that fails over."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from local import EmbeddedRedis, ManagedProcess
from local.redis import LOOPBACK, find_redis_server, free_port
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

NAME = "main"
DOWN_AFTER = 1000  # ms until a Sentinel takes a silent master for dead
FAILOVER_TIMEOUT = 3000  # ms; the next fail-over of the same master may begin after twice that


@dataclass(eq=False)
class Node:
    """A Redis, and the port by which others know it: its own, or that of a proxy before it."""

    server: EmbeddedRedis
    proxy: TcpProxy | None = None

    @property
    def port(self) -> int:
        return self.proxy.port if self.proxy is not None else self.server.port or 0

    def client(self) -> Redis:
        """A client of the server itself."""
        return Redis(port=self.server.port or 0, decode_responses=True, socket_timeout=5)


class ReplicatedRedis:
    """`master` has to run already. `setting` is `REDIS_SENTINELS`.

    `proxied`: every connection to a node goes through a proxy. `options`: settings of each node.
    """

    def __init__(
        self,
        directory: Path,
        master: EmbeddedRedis,
        *,
        replicas: int = 2,
        sentinels: int = 3,
        proxied: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._proxied = proxied
        self._options = options or {}
        self._first = master
        self._replicas = [EmbeddedRedis(directory / f"replica-{n}") for n in range(replicas)]
        self.nodes: list[Node] = []
        self.sentinel_ports = [free_port() for _ in range(sentinels)]
        self.sentinels: list[ManagedProcess] = []

    def __enter__(self) -> Self:
        for server in (self._first, *self._replicas):
            if server is not self._first:
                server.start()
                self._stack.callback(server.kill)  # Redis 6.2 does not end while it writes its first append-only file
            proxy = self._stack.enter_context(TcpProxy(server.port or 0)) if self._proxied else None
            self.nodes.append(Node(server, proxy))
        for node in self.nodes:
            self._set_up(node, self.nodes[0])
        for port in self.sentinel_ports:
            self.sentinels.append(self._stack.enter_context(self._sentinel(port, self.nodes[0].port)))
        self.wait_until_whole()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def setting(self) -> str:
        return ",".join(f"{LOOPBACK}:{port}" for port in self.sentinel_ports) + f"/{NAME}"

    def master(self) -> Node:
        """The node that most Sentinels name."""
        named = [port for port in map(self._named_by, self.sentinel_ports) if port is not None]
        port = max(set(named), key=named.count)
        return next(node for node in self.nodes if node.port == port)

    def kill_master(self) -> Node:
        """End the master as a crash would, and wait until another one is elected. Return the former one."""
        former = self.master()
        former.server.kill()
        self.wait_for_another_than(former)
        return former

    def wait_for_another_than(self, former: Node) -> None:
        wait_until(lambda: self.master() is not former, what="another master")

    def come_back(self, node: Node) -> None:
        """Start a node that was killed, as a replica of the present master."""
        node.server.start()
        self._set_up(node, self.master())

    def wait_until_whole(self) -> None:
        """Every node has the master's data, and the Sentinels know all of them and each other."""
        wait_until(lambda: all(map(self._knows_all, self._alive())), what="the Sentinels to know all")
        wait_until(self._all_copy, what="the replicas to copy the master")

    def _alive(self) -> list[int]:
        alive = zip(self.sentinel_ports, self.sentinels, strict=True)
        return [port for port, process in alive if process.is_running]

    def _set_up(self, node: Node, master: Node) -> None:
        with node.client() as redis:
            announced = {"replica-announce-ip": LOOPBACK, "replica-announce-port": str(node.port)}
            for name, value in (*self._options.items(), *announced.items()):
                redis.config_set(name, value)
            if node is not master:
                redis.replicaof(LOOPBACK, master.port)  # type: ignore[arg-type]

    def _all_copy(self) -> bool:
        try:
            with self.master().client() as redis:
                found = redis.info("replication")
        except RedisError:
            return False
        copies = [one for name, one in found.items() if name.startswith("slave") and isinstance(one, dict)]
        good = [one for one in copies if one["state"] == "online" and one["lag"] <= 1]
        return found["role"] == "master" and len(good) == len(self.nodes) - 1

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

    def _knows_all(self, port: int) -> bool:
        with Redis(port=port, decode_responses=True) as redis:
            try:
                state, replicas = redis.sentinel_master(NAME), redis.sentinel_slaves(NAME)
            except RedisError:
                return False
        others = state["num-other-sentinels"], len(replicas), state["flags"]
        well = all(not one["is_sdown"] and not one["is_odown"] for one in replicas)
        return well and others == (len(self.sentinel_ports) - 1, len(self.nodes) - 1, "master")

    def _named_by(self, port: int) -> int | None:
        with Redis(port=port, decode_responses=True, socket_timeout=2, retry=None) as redis:
            try:
                return int(redis.sentinel_get_master_addr_by_name(NAME)[1])
            except RedisError:
                return None
