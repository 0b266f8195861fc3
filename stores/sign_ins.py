"""Sign-ins under way at an OpenID Connect provider: `oidc:<digest of the state>`, good for ten minutes, once."""

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any, Final, NamedTuple

from redis import Redis

GOOD_FOR: Final = timedelta(minutes=10)


class PendingSignIn(NamedTuple):
    """`browser` names the browser that began it; `to` is where it leads; the rest is OpenID Connect's."""

    browser: str
    to: str
    nonce: str
    verifier: str


class PendingSignIns:
    """All sign-ins under way. Redis has the digests of their states alone."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def begin(self, browser: str, to: str) -> tuple[str, PendingSignIn]:
        """Return a new state, and what belongs to it."""
        state = secrets.token_urlsafe(24)
        pending = PendingSignIn(browser, to, secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        self._redis.set(self._key(state), json.dumps(pending), ex=GOOD_FOR)
        return state, pending

    def take(self, browser: str, state: str) -> PendingSignIn | None:
        """Use the state up. None where it is unknown, used, too old or another browser's."""
        found: Any = self._redis.getdel(self._key(state))
        pending = PendingSignIn(*json.loads(found)) if found else None
        return pending if pending and pending.browser == browser else None

    def _key(self, state: str) -> str:
        return f"{self._prefix}oidc:{hashlib.sha256(state.encode(errors='replace')).hexdigest()}"
