"""Connections to Redis as every client of this system uses them: the engine, the stores, kombu, redbeat and Flower.

A connection looks at its server when it is made, and refuses one that cannot work. It is closed when the server answers
that it is the wrong node (a replica, one that loads its data): the next use connects anew, by the same name or through
Sentinel, and reaches the master of that time. redis-py alone keeps such a connection in its pool for ever.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from redis.connection import Connection, SSLConnection
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, ResponseError
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

OLDEST: Final = (6, 2)

# Redis's words, first in an error, or inside the error of a script (Redis 6.2). NOREPLICAS: a master that lost its
# replicas (`min-replicas-to-write`), so another may have been elected.
_WRONG_NODE: Final = re.compile(r"(?:^|: -?)(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|NOREPLICAS)\b")


class WrongNode(ConnectionError):
    """The server that answered does not serve now; another may. The command was not done."""


class UnsuitableServer(RedisError):
    """What answers cannot be used. Connecting again does not help."""


class TooOld(UnsuitableServer):
    """A Redis before the version that is needed."""

    def __init__(self, version: str, needed: str = "6.2") -> None:
        super().__init__(version, needed)
        self.version = version
        self.needed = needed

    def __str__(self) -> str:
        return f"Redis {self.version} is too old: version {self.needed} or later is needed"


class IsCluster(UnsuitableServer):
    """A node of a Redis Cluster."""

    def __str__(self) -> str:
        return "a Redis Cluster is not supported, use one Redis with replicas (docs/scale.md)"


class IsSentinel(UnsuitableServer):
    """A Sentinel, where a Redis is needed."""

    def __str__(self) -> str:
        return "this is a Sentinel: set it in REDIS_SENTINELS, not in REDIS_URL"


def wrong_node(error: Exception) -> WrongNode | None:
    """The error as `WrongNode`, where that is what the server said."""
    code = getattr(error, "status_code", None)
    said = f"{code} {error}" if code else str(error)
    return WrongNode(said) if isinstance(error, BusyLoadingError) or _WRONG_NODE.search(said) else None


def check_server(info: str) -> dict[str, str]:
    """The fields of `INFO server`. Raises `UnsuitableServer`."""
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    if fields.get("redis_mode") == "cluster":
        raise IsCluster
    if fields.get("redis_mode") == "sentinel":
        raise IsSentinel
    version = re.match(r"(\d+)\.(\d+)", fields.get("redis_version", ""))
    if version and (int(version[1]), int(version[2])) < OLDEST:
        raise TooOld(fields["redis_version"])
    return fields


class _Checked:
    """What these connections have in common; goes before redis-py's class."""

    server: dict[str, str]

    def on_connect_check_health(self: Any, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health)  # type: ignore[misc]
        self.server = check_server(self._info("server"))

    def read_response(self: Any, *given: Any, **options: Any) -> Any:
        try:
            answer = super().read_response(*given, **options)  # type: ignore[misc]
        except (ResponseError, BusyLoadingError) as error:
            self._leave_if_wrong(error)
            raise
        if isinstance(answer, list):  # of a transaction
            for one in answer:
                if isinstance(one, Exception):
                    self._leave_if_wrong(one)
        return answer

    def _leave_if_wrong(self: Any, error: Exception) -> None:
        if wrong := wrong_node(error):
            self.disconnect()
            raise wrong from error

    def _info(self: Any, section: str) -> str:
        """The section's text; "" where the server keeps it from this user."""
        self.send_command("INFO", section, check_health=False)
        try:
            found = self.read_response(disable_decoding=True)
        except ResponseError:
            return ""
        return found.decode(errors="replace") if isinstance(found, bytes) else ""


class NodeConnection(_Checked, Connection):
    """To the node that `REDIS_URL` names."""


class TlsNodeConnection(_Checked, SSLConnection):
    """The same, with TLS."""


class _OfMaster(_Checked):
    """Asks a Sentinel for the master before each connect, and refuses a node that is none."""

    def _connect_retry(self: Any) -> None:
        self.connect_check_health(retry_socket_connect=False)

    def _connect(self: Any) -> Any:
        # Here, and not where redis-py asks: a command that finds its connection closed connects without asking.
        self.host, self.port = self.connection_pool.get_master_address()
        return super()._connect()  # type: ignore[misc]

    def on_connect_check_health(self: Any, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health)
        if "role:slave" in self._info("replication"):
            raise WrongNode("the node that Sentinel names as the master is a replica")


class MasterConnection(_OfMaster, SentinelManagedConnection):
    """To the master that the Sentinels name."""


class TlsMasterConnection(_OfMaster, SentinelManagedConnection, SSLConnection):
    """The same, with TLS."""


def master_pool(places: Sequence[tuple[str, int]], name: str, asked_with: dict[str, Any], **options: Any) -> Any:
    """A pool of connections to the master that these Sentinels know by `name`. `asked_with`: how they are asked."""
    manager = Sentinel(places, sentinel_kwargs=asked_with)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(name, manager, **options)  # type: ignore[no-untyped-call]
