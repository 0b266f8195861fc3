"""The states of consents that companies were asked for: `consent:<digest of the state>`, what was asked.

The state is the one of OAuth 2.0 (RFC 6749, section 10.12). It is good for ten minutes, and once; one that was asked
for in a browser is good in that browser alone.
"""

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any, Final, NamedTuple

from redis import Redis

from ordering.queries import PREFIX

GOOD_FOR: Final = timedelta(minutes=10)  # as long as Fortnox's code


class Consent(NamedTuple):
    """What was asked. `browser` names the browser; "" for the command line. `choices`: of the connection to come."""

    company: str
    browser: str
    choices: dict[str, Any]


class ConsentStore:
    """The states that were handed out. Redis has their digests alone, so reading it gives nobody a state."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix

    def ask(self, company: str, browser: str = "", choices: dict[str, Any] | None = None) -> str:
        """Return a new state for the company."""
        state = secrets.token_urlsafe(24)
        self._redis.set(self._key(state), json.dumps(Consent(company, browser, choices or {})), ex=GOOD_FOR)
        return state

    def use(self, company: str, state: str) -> bool:
        """Use the state up. Return whether it was the company's, for the command line, unused and not too old."""
        consent = self.take(state)
        return consent is not None and consent.company == company

    def take(self, state: str, browser: str = "") -> Consent | None:
        """Use the state up. Return what was asked; None where it is unknown, used, too old or another browser's."""
        found: Any = self._redis.getdel(self._key(state))
        consent = Consent(*json.loads(found)) if found else None
        return consent if consent and consent.browser == browser else None

    def _key(self, state: str) -> str:
        return f"{self._prefix}consent:{hashlib.sha256(state.encode(errors='replace')).hexdigest()}"
