"""The keys with which producers' programs use the HTTP door: `producer-keys`, by digest; `producer-key-names`, by name.

A key has 256 random bits, so its SHA-256 is enough: reading Redis gives nobody a key. `producer-keys:used` has
when each was used last, `producer-key-window:<name>` how often in its window, which begins with a use.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from redis import Redis

MARK: Final = "mfk_"  # so that a key is recognized where it lies about
EVERY: Final = "*"  # stands for all companies, those that are not known yet too
LONGEST: Final = 100  # characters of what may be a key

USE: Final = """
-- KEYS window, last uses  ARGV seconds of a window, the key's name, now
local made = redis.call('INCR', KEYS[1])
if made == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return {made, redis.call('PTTL', KEYS[1])}
"""


class ProducerKey(NamedTuple):
    """A key without its secret. `companies`: those it is for, or `EVERY`."""

    name: str
    companies: frozenset[str]
    made: datetime
    used: datetime | None = None

    def allows(self, company: str) -> bool:
        """Whether the key is for this company."""
        return company in self.companies or EVERY in self.companies


class ProducerKeys:
    """The keys of all producers. Methods raise `RedisError`."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._keys = f"{prefix}producer-keys"
        self._names = f"{prefix}producer-key-names"
        self._used = f"{prefix}producer-keys:used"
        self._window = f"{prefix}producer-key-window"
        self._use = redis.register_script(USE)

    def make(self, name: str, companies: Iterable[str]) -> str | None:
        """Make a key and return it; nobody can read it later. None where there is one of this name."""
        key = MARK + secrets.token_urlsafe(32)
        if not self._redis.hsetnx(self._names, name, _digest(key)):
            return None
        record = {
            "name": name,
            "companies": sorted(set(companies)),
            "made": datetime.now(UTC).isoformat("T", "seconds"),
        }
        self._redis.hset(self._keys, _digest(key), json.dumps(record))
        return key

    def find(self, key: str) -> ProducerKey | None:
        """The key that this text is; None where it is none, or was revoked."""
        if not key.startswith(MARK) or len(key) > LONGEST or not key.isascii():
            return None
        found: Any = self._redis.hget(self._keys, _digest(key))
        return _read(found) if found else None

    def use(self, name: str, seconds: int) -> tuple[int, float]:
        """Count a use of the key in its window of so many seconds.

        Return how many uses the window has had, this one included, and in how many seconds it ends.
        """
        keys, now = [f"{self._window}:{name}", self._used], datetime.now(UTC).isoformat("T", "seconds")
        answer: Any = self._use(keys=keys, args=[seconds, name, now])
        return int(answer[0]), int(answer[1]) / 1000

    def all(self) -> list[ProducerKey]:
        """All keys by name."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hvals(self._keys)
            pipeline.hgetall(self._used)
            found, used = pipeline.execute()
        read = [one for one in map(_read, found) if one]
        with_use = [one._replace(used=_time(used.get(one.name, ""))) for one in read]
        return sorted(with_use, key=lambda one: one.name)

    def revoke(self, name: str) -> bool:
        """Revoke the key of this name, at once. Return whether there was one."""
        digest: Any = self._redis.hget(self._names, name)
        if not digest:
            return False
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hdel(self._keys, digest)
            pipeline.hdel(self._names, name)
            pipeline.hdel(self._used, name)
            pipeline.execute()
        return True


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _read(stored: str) -> ProducerKey | None:
    """None where the record was damaged: such a key opens nothing."""
    try:
        found = json.loads(stored)
        companies, made = frozenset(map(str, found["companies"])), datetime.fromisoformat(found["made"])
        return ProducerKey(str(found["name"]), companies, made)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
