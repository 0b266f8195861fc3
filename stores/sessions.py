"""Who is signed in to the console: one hash for each session, `session:<digest of its id>`.

Redis has the digests alone, so reading it gives nobody a session. A session ends after two idle hours, and after twelve
in any case.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final, NamedTuple

from redis import Redis

IDLE: Final = timedelta(hours=2)
LONGEST: Final = timedelta(hours=12)

# Extends the session while it is used, but not beyond its end.
FIND: Final = """
-- KEYS session  ARGV ms until it idles out, or 0 to leave that as it is
local found = redis.call('HMGET', KEYS[1], 'role', 'name', 'company', 'link', 'ends')
if not found[1] then return false end
local now = redis.call('TIME')
local left = tonumber(found[5]) - (now[1] * 1000 + math.floor(now[2] / 1000))
if left <= 0 then redis.call('DEL', KEYS[1]) return false end
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], math.min(left, tonumber(ARGV[1]))) end
return found
"""


class Session(NamedTuple):
    """Somebody who is signed in. `company`: the only one that a session of role company sees.

    `link`: the series of the mail's link that opened it, with which it ends.
    """

    role: str
    name: str
    company: str
    link: str = ""


class SessionStore:
    """All sessions."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix
        self._find = redis.register_script(FIND)

    def begin(self, session: Session) -> str:
        """Store a new session. Return its id, which only the browser keeps."""
        session_id = secrets.token_urlsafe(32)
        seconds, microseconds = self._redis.time()  # type: ignore[misc]
        ends = seconds * 1000 + microseconds // 1000 + LONGEST // timedelta(milliseconds=1)
        with self._redis.pipeline() as pipeline:
            pipeline.hset(self._key(session_id), mapping={**session._asdict(), "ends": ends})
            pipeline.expire(self._key(session_id), IDLE)
            pipeline.execute()
        return session_id

    def find(self, session_id: str, *, used: bool = True) -> Session | None:
        """The session of this id; None where there is none, or it ended. `used`: it idles out later."""
        idle = IDLE // timedelta(milliseconds=1) if used else 0
        found: Any = self._find(keys=[self._key(session_id)], args=[idle])
        return Session(*(field or "" for field in found[:4])) if found else None

    def end(self, session_id: str) -> None:
        self._redis.delete(self._key(session_id))

    def _key(self, session_id: str) -> str:
        return f"{self._prefix}session:{hashlib.sha256(session_id.encode(errors='replace')).hexdigest()}"
