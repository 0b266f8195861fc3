"""What one process at a time may do: renew a company's tokens, send mails, read the stream. All leases in Redis."""

from datetime import timedelta
from typing import Any, Final

from redis import Redis
from redis.lock import Lock

from ordering.queries import PREFIX

# The lease is renewed only by its holder, and taken only when nobody has it.
LEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('EXPIRE', KEYS[1], ARGV[2]) and 2 end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) and 1 or 0
"""
RELEASE: Final = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"
HELD_BY_ANOTHER, TAKEN, KEPT = 0, 1, 2


class Locks:
    """The system's locks. A lock frees itself when its holder dies and its time-out has passed."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix

    def renewal(self, company: str, timeout: float) -> Lock:
        """Held while renewing or ending the company's tokens. `timeout` in seconds; any thread may release it."""
        lock: Lock = self._redis.lock(f"{self._prefix}renewing:{company}", timeout=timeout, thread_local=False)
        return lock

    def mail_round(self, timeout: float) -> Lock:
        """Held while sending mails. `timeout` in seconds. Entering it raises `LockError` while another does."""
        lock: Lock = self._redis.lock(f"{self._prefix}reporting", timeout=timeout, blocking=False)
        return lock

    def ask_for_mails(self, interval: timedelta) -> bool:
        """Whether to ask for a round of mails now: True once in each interval, over all processes."""
        return bool(self._redis.set(f"{self._prefix}mail:asked", 1, nx=True, px=interval))


class Lease:
    """A right that one process has at a time, for so many seconds after it last asked. `holder` names this process."""

    def __init__(self, redis: Redis, key: str, holder: str, seconds: int) -> None:
        self._key = key
        self._holder = holder
        self._seconds = seconds
        self._ask, self._release = redis.register_script(LEASE), redis.register_script(RELEASE)

    def ask(self) -> int:
        """Takes or renews the lease: `TAKEN`, `KEPT` (it was ours all the time) or `HELD_BY_ANOTHER`."""
        answer: Any = self._ask(keys=[self._key], args=[self._holder, self._seconds])
        return int(answer)

    def release(self) -> None:
        """Lets another take it at once. Does nothing when the lease is another's."""
        self._release(keys=[self._key], args=[self._holder])


class ReaderLease(Lease):
    """The right to read a stream."""

    def __init__(self, redis: Redis, stream: str, holder: str, seconds: int) -> None:
        super().__init__(redis, f"{stream}:reader", holder, seconds)
