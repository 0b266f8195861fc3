"""The Redis that a simulation runs against, and the client that looks at the engine's state after every call.

A real server with the real scripts in it: nothing of the engine is replaced but its clock.
"""

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import hiredis
from redis import Redis
from redis.exceptions import NoScriptError, ResponseError

from local import EmbeddedRedis

# Every key with its type, contents and whether it expires. Sorted where the order means nothing.
DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local value
  if kind == 'string' then value = { redis.call('GET', key) }
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  else value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  found[#found + 1] = { key, kind, redis.call('PTTL', key) >= 0 and 1 or 0, value }
end
return found
"""
# What simulated time does to keys whose retention has passed: Redis' own clock stands almost still meanwhile.
FORGET = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  if redis.call('PTTL', key) >= 0 then redis.call('DEL', key) end
end
"""


class Kept(NamedTuple):
    """One key of Redis: its type, its contents, and whether it expires."""

    kind: str
    expires: bool
    value: dict[str, str] | set[str] | str


class Wire(Redis):
    """A client over one unix socket. Behind every script it sends the same few reads, and keeps what they saw.

    So a step and the look at its effect cost one round trip; one client is alone with the server, so nothing
    comes between them. A tenth of the cost of the ordinary client, which waits, pools and retries.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(unix_socket_path=str(path), decode_responses=True)
        self.path = path
        self.looked: list[Any] = []
        self._look = b""
        self._looks = 0
        self.connect()

    def connect(self) -> None:
        """Connects, or connects again after the server has been restarted."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(30)
        self._socket.connect(str(self.path))
        self._reader = hiredis.Reader(encoding="utf-8", replyError=ResponseError)

    def watch_for(self, reads: Sequence[bytes]) -> None:
        """What to read behind every script from now on, as packed commands."""
        self._look = b"".join(reads)
        self._looks = len(reads)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        words = (*args[0].split(), *args[1:])
        looks = words[0] == "EVALSHA"
        self._socket.sendall(hiredis.pack_command(words) + (self._look if looks else b""))
        reply = self._read()
        if looks:
            self.looked = [self._read() for _ in range(self._looks)]
        if isinstance(reply, ResponseError):
            raise NoScriptError(str(reply)) if str(reply).startswith("NOSCRIPT") else reply
        return reply

    def everything(self, prefix: str) -> dict[str, Kept]:
        """Everything under the prefix."""
        return {key: _kept(*rest) for key, *rest in self.execute_command("EVAL", DUMP, 0, prefix)}

    def forget(self, prefix: str) -> None:
        """Lets go of every key that was to expire at some time."""
        self.execute_command("EVAL", FORGET, 0, prefix)

    def close(self) -> None:
        self._socket.close()
        super().close()

    def _read(self) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is not False:
                return reply
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(received)


def pack(*words: str) -> bytes:
    """A command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


class Server:
    """A Redis of one process of the simulation. `durable`: it can be killed and started again with its data."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self._redis = EmbeddedRedis(
            directory,
            appendonly=durable,
            appendfsync="always" if durable else "no",
            options={"unixsocket": str(directory / "redis.sock")},
        )
        self._path = directory / "redis.sock"

    def __enter__(self) -> Self:
        self._redis.start()
        self.wire = Wire(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()
        self._redis.stop()

    def restart(self) -> None:
        """Kills the server as a crash would, and starts it again on what it had written."""
        self.wire.close()
        self._redis.kill()
        self._redis.start()
        self.wire.connect()
        while self.wire.execute_command("INFO", "persistence").find("loading:0") < 0:
            pass  # it answers this while it reads its data


class Servers:
    """The servers of this process: a fast one for most seeds, and a durable one, started when a seed asks for it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running = contextlib.ExitStack()
        self._started: dict[bool, Server] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def server(self, *, durable: bool) -> Server:
        if durable not in self._started:
            directory = self._directory / ("durable" if durable else "fast")
            directory.mkdir()
            self._started[durable] = self._running.enter_context(Server(directory, durable=durable))
        return self._started[durable]


def _kept(kind: str, expires: int, value: list[str]) -> Kept:
    match kind:
        case "string":
            return Kept(kind, bool(expires), value[0])
        case "set":
            return Kept(kind, bool(expires), set(value))
        case _:
            return Kept(kind, bool(expires), dict(zip(value[::2], value[1::2], strict=True)))
