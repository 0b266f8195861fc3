"""Waiting until replicas have what was written, so that the loss of the master's machine loses none of it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from config.redis_connections import TooOld, WrongNode
from config.settings import Settings

CHANNEL: Final = "moment:written"  # nobody listens
LONGEST_LAG: Final = 10  # seconds of silence after which a replica does not follow any more
_FOLLOWING: Final = re.compile(rb"^slave\d+:.*state=online,.*lag=(\d+)", re.MULTILINE)
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
    """A context: what is written with the client that it gives is on replicas when it ends.

    On `REDIS_REPLICAS_ACK` of them at least, and on each that this process saw follow the master within ten seconds:
    Sentinels compare what replicas have by reports that are as old, so they may elect any of these. One that follows no
    longer may be elected already. What this master wrote before is on them, too. The context raises `TooFewReplicas`.
    """
    least, on_disk = settings.redis_replicas_ack, settings.redis_replicas_fsync
    followers = _Followers(least)

    @contextmanager
    def confirmed(redis: Redis) -> Iterator[Redis]:
        if not least:
            yield redis
            return
        bound: Any
        with redis.client() as bound:  # type: ignore[no-untyped-call]  # WAIT tells of its own connection
            yield bound
            master = bound.connection.server.get("run_id", "")
            expected = followers.of(master)
            found, following = acknowledged(bound.connection, expected, on_disk=on_disk)
            if found < following and expected < following:  # one more than was known
                found, following = acknowledged(bound.connection, following, on_disk=on_disk)
            followers.saw(master, following)
            expected = followers.of(master)
            if found < expected:
                bound.connection.disconnect()
                raise TooFewReplicas(found, expected)

    return confirmed


class _Followers:
    """How many replicas a master had within the last `LONGEST_LAG` seconds, as far as this process saw."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._master, self._number, self._until = "", least, 0.0

    def of(self, master: str) -> int:
        known = master == self._master and time.monotonic() < self._until
        return self._number if known else self._least

    def saw(self, master: str, number: int) -> None:
        if number >= self.of(master):
            self._master, self._number, self._until = master, number, time.monotonic() + LONGEST_LAG


def acknowledged(connection: Any, wanted: int, *, on_disk: bool) -> tuple[int, int]:
    """How many replicas have everything, once `wanted` do or the time is up; and how many follow the master then.

    `on_disk`: have it on their disks. Raises `TooOld` where Redis cannot tell that.
    """
    wait = ("WAITAOF", 0, wanted, TIMEOUT) if on_disk else ("WAIT", wanted, TIMEOUT)
    # From Redis 7.2 on, WAIT waits for nothing on a connection that wrote nothing itself, as where a known event is
    # published. Replicas get what is published, so it counts as written.
    commands = [("PUBLISH", CHANNEL, ""), wait, ("INFO", "replication")]
    connection.send_packed_command(connection.pack_commands(commands))
    try:
        connection.read_response()
        found = connection.read_response()
    except ResponseError as error:
        connection.disconnect()  # further answers may be under way
        if "unknown command" in str(error):
            raise TooOld(connection.server.get("redis_version", ""), "7.2 (for REDIS_REPLICAS_FSYNC)") from None
        raise
    try:
        info = connection.read_response(disable_decoding=True)
    except ResponseError:
        info = b""  # this user may not ask
    lags = [int(lag) for lag in _FOLLOWING.findall(info)]
    return int(found[1] if on_disk else found), sum(lag <= LONGEST_LAG for lag in lags)
