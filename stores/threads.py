"""Background threads that do not run as they should, over all processes: the hash `threads:down`."""

from typing import Any, Final

from redis import Redis

from ordering.queries import PREFIX
from stores.counters import Counters

FORGOTTEN: Final = 60  # seconds: a thread that is down says so at least each 30 s, so its process is gone by then

# The threads, as health and metrics name them.
PUMP: Final = "pump"
STREAM_READER: Final = "stream reader"
LEASE_KEEPER: Final = "lease keeper"
WRITE_BUFFER: Final = "write buffer"
INSTALLATION: Final = "installation watch"
FEED_LISTENER: Final = "feed listener"
FEED_DISPATCHER: Final = "feed dispatcher"
THREADS: Final = (PUMP, STREAM_READER, LEASE_KEEPER, WRITE_BUFFER, INSTALLATION, FEED_LISTENER, FEED_DISPATCHER)

DOWN: Final = "return redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1])"


class ThreadStates:
    """`worker` names a process. Every method raises `RedisError`."""

    def __init__(self, redis: Redis, counters: Counters, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._counters = counters
        self._key = f"{prefix}threads:down"

    def failed(self, thread: str) -> None:
        """Count an unexpected error of a thread."""
        self._counters.count("threads", thread)

    def down(self, thread: str, worker: str) -> None:
        """The thread has ended unexpectedly, and waits to start again."""
        self._redis.eval(DOWN, 1, self._key, f"{thread}@{worker}")

    def up(self, thread: str, worker: str) -> None:
        """The thread works again, or its process ends."""
        self._redis.hdel(self._key, f"{thread}@{worker}")

    def all_down(self) -> list[tuple[str, str]]:
        """The threads that are down now, each with its worker."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key)
            pipeline.time()
            found, (now, _) = pipeline.execute()
        down: Any = ((*name.split("@", 1),) for name, at in sorted(found.items()) if int(now) - int(at) < FORGOTTEN)
        return list(down)
