"""How often something was tried of late: a counter for each, `attempts:<kind>:<digest>`, which expires."""

import hashlib
from datetime import timedelta
from typing import Any

from redis import Redis

COUNT = """
-- KEYS counters  ARGV ms
local most = 0
for _, key in ipairs(KEYS) do
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
  most = math.max(most, n)
end
return most
"""


class Attempts:
    """Attempts of one kind, counted within `window` from the first."""

    def __init__(self, redis: Redis, kind: str, window: timedelta, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = f"{prefix}attempts:{kind}"
        self._window = window
        self._count = redis.register_script(COUNT)

    def count(self, *who: str) -> int:
        """Count one attempt for each of `who`. Return the largest count."""
        found: Any = self._count(keys=[self._key(one) for one in who], args=[self._window // timedelta(milliseconds=1)])
        return int(found)

    def forget(self, who: str) -> None:
        self._redis.delete(self._key(who))

    def _key(self, who: str) -> str:
        return f"{self._prefix}:{hashlib.sha256(who.encode(errors='replace')).hexdigest()}"
