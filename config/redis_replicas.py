"""Waiting until replicas have what was written, so that the loss of the master's machine loses none of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from config.redis_connections import TooOld, WrongNode
from config.settings import Settings

CHANNEL: Final = "moment:written"  # nobody listens
TIMEOUT: Final = 2000  # ms; a replica in another data centre has it within 100

Confirmed = Callable[[Redis], AbstractContextManager[Redis]]


class TooFewReplicas(WrongNode):
    """The write is on the master, and not on as many replicas as wanted. Repeating it is harmless.

    The master may be cut off from them, so its connection was closed.
    """

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(found, wanted)
        self.found = found
        self.wanted = wanted

    def __str__(self) -> str:
        return f"written, but only {self.found} of {self.wanted} replicas have it (REDIS_REPLICAS_ACK); repeat it"


def confirmed_by_replicas(settings: Settings) -> Confirmed:
    """A context: what is written with the client that it gives is on `REDIS_REPLICAS_ACK` replicas when it ends.

    So is everything that this master wrote before. The context raises `TooFewReplicas`.
    """
    wanted, on_disk = settings.redis_replicas_ack, settings.redis_replicas_fsync

    @contextmanager
    def confirmed(redis: Redis) -> Iterator[Redis]:
        if not wanted:
            yield redis
            return
        bound: Any
        with redis.client() as bound:  # type: ignore[no-untyped-call]  # WAIT tells of its own connection
            yield bound
            found = acknowledged(bound, wanted, on_disk=on_disk)
            if found < wanted:
                bound.connection.disconnect()
                raise TooFewReplicas(found, wanted)

    return confirmed


def acknowledged(redis: Any, wanted: int, *, on_disk: bool) -> int:
    """How many replicas have it, on their disks where `on_disk`, once there are enough or the time is up.

    `redis`: bound to one connection.
    """
    if not on_disk:
        return int(_after_all_writes(redis.connection, "WAIT", wanted, TIMEOUT))
    try:
        return int(_after_all_writes(redis.connection, "WAITAOF", 0, wanted, TIMEOUT)[1])
    except ResponseError as error:
        if "unknown command" in str(error):
            version = redis.connection.server.get("redis_version", "")
            raise TooOld(version, "7.2 (for REDIS_REPLICAS_FSYNC)") from None
        raise


def _after_all_writes(connection: Any, *command: object) -> Any:
    """The answer to the command, sent after one that replicas get too: from Redis 7.2 on, `WAIT` waits for nothing on a
    connection that wrote nothing itself, as where an event is published that is known."""
    connection.send_packed_command(connection.pack_commands([("PUBLISH", CHANNEL, ""), command]))
    try:
        connection.read_response()
        return connection.read_response()
    except ResponseError:
        connection.disconnect()  # the second answer may be under way
        raise
