"""The right to do something in one worker at a time, for a thread that asks often."""

import time

from redis import Redis

from stores.locks import HELD_BY_ANOTHER, ReaderLease


class LeaseOver(Exception):
    """Another worker may have taken over."""


class ThreadLease:
    """A lease in Redis, asked for again each third of its length."""

    def __init__(self, redis: Redis, what: str, holder: str, seconds: int) -> None:
        self._lease = ReaderLease(redis, what, holder, seconds)
        self._seconds = seconds
        self._renew_at = 0.0  # by the monotonic clock, which runs on while a process is stopped

    def held(self) -> bool:
        """Whether this worker has the lease; takes it where nobody has. Raises `RedisError`."""
        now = time.monotonic()
        if now < self._renew_at:
            return True
        held = self._lease.ask() != HELD_BY_ANOTHER
        self._renew_at = now + self._seconds / 3 if held else 0.0
        return held

    def check(self) -> None:
        """Raises `LeaseOver`."""
        if not self.held():
            raise LeaseOver

    def release(self) -> None:
        """Let another worker take over at once."""
        self._renew_at = 0.0
        self._lease.release()
