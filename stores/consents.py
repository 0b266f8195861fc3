"""The states of consents that companies were asked for: `consent:<digest of the state>`, the company.

The state is the one of OAuth 2.0 (RFC 6749, section 10.12). It is good for ten minutes, and once.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from redis import Redis

from ordering.queries import PREFIX

GOOD_FOR: Final = timedelta(minutes=10)  # as long as Fortnox's code


class ConsentStore:
    """The states that were handed out. Redis has their digests alone, so reading it gives nobody a state."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix

    def ask(self, company: str) -> str:
        """Return a new state for the company."""
        state = secrets.token_urlsafe(24)
        self._redis.set(self._key(state), company, ex=GOOD_FOR)
        return state

    def use(self, company: str, state: str) -> bool:
        """Use the state up. Return whether it was the company's, unused and not too old."""
        return bool(self._redis.getdel(self._key(state)) == company)

    def _key(self, state: str) -> str:
        return f"{self._prefix}consent:{hashlib.sha256(state.encode(errors='replace')).hexdigest()}"
