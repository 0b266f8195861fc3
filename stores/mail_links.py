"""The links in a company's mails: tokens that open one company's pages for two weeks, unless they are revoked.

A token is sealed with a key made from one of `ENCRYPTION_KEYS`, so it tells nothing and nobody else can make one. Redis
has none, but in a mail that waits to be sent again. All links of a company carry its present series,
`mail-links:<company>`; a new series revokes them.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr
from redis import Redis

from stores.vault import SANDBOX_KEY

GOOD_FOR: Final = timedelta(days=14)
ASKED_AGAIN_AFTER: Final = timedelta(minutes=10)
LONGEST: Final = 2_000  # characters of a token
PURPOSE: Final = b"moment-fortnox: links in mails"


class MailLink(NamedTuple):
    """What a token opens: an event of the company, a cause of its failures, its consent, or the company itself.

    `name` is for the audit log.
    """

    company: str
    series: str
    event: str = ""
    cause: str = ""
    connect: bool = False
    name: str = ""


class MailLinks:
    """The links of all companies. `sandbox`: a key of its own stands in for missing ones."""

    def __init__(self, redis: Redis, keys: Sequence[SecretStr], *, sandbox: bool, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix
        given = [key.get_secret_value() for key in keys] or ([SANDBOX_KEY] if sandbox else [])
        self._fernets = [Fernet(_derived(key)) for key in given]

    def make(self, company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
        """A new token. Raises `IndexError` where there is no key."""
        given = {"event": event, "cause": cause, "connect": connect}
        opens = {"company": company, "series": self._series(company)} | given
        text = json.dumps({name: value for name, value in opens.items() if value})
        return self._fernets[0].encrypt(text.encode()).decode().rstrip("=")

    def open(self, token: str) -> MailLink | None:
        """What the token opens now; None where it is none of ours, too old, or revoked."""
        link = self._read(token, GOOD_FOR)
        return link if link and self.is_current(link.company, link.series) else None

    def read(self, token: str) -> MailLink | None:
        """What the token opened once, however old or revoked it is; None where it is none of ours."""
        return self._read(token, None)

    def is_current(self, company: str, series: str) -> bool:
        """Whether links of this series are not revoked."""
        return bool(series) and self._redis.get(f"{self._prefix}mail-links:{company}") == series

    def revoke(self, company: str) -> None:
        """Revoke all links of the company, and the sessions that they opened."""
        self._redis.set(f"{self._prefix}mail-links:{company}", secrets.token_urlsafe(9))

    # Links that were asked for anew: `mail:links-asked`, each with when it was asked for

    def ask(self, company: str) -> bool:
        """Have a new link mailed to the company; at most one in ten minutes. Return whether one will be."""
        if not self._redis.set(f"{self._prefix}mail-link-asked:{company}", 1, nx=True, ex=ASKED_AGAIN_AFTER):
            return False
        seconds, _ = self._redis.time()  # type: ignore[misc]
        self._redis.zadd(f"{self._prefix}mail:links-asked", {company: seconds * 1000}, nx=True)
        return True

    def asked(self, limit: int) -> list[tuple[str, int]]:
        """The companies that wait for a new link, and since when (ms), oldest first."""
        found: Any = self._redis.zrange(f"{self._prefix}mail:links-asked", 0, limit - 1, withscores=True)
        return [(company, int(at)) for company, at in found]

    def mailed(self, company: str) -> None:
        """The company has its new link."""
        self._redis.zrem(f"{self._prefix}mail:links-asked", company)

    def _series(self, company: str) -> str:
        key = f"{self._prefix}mail-links:{company}"
        self._redis.set(key, secrets.token_urlsafe(9), nx=True)
        return str(self._redis.get(key))

    def _read(self, token: str, good_for: timedelta | None) -> MailLink | None:
        if len(token) > LONGEST or not self._fernets:
            return None
        ttl = None if good_for is None else round(good_for.total_seconds())
        try:
            text = MultiFernet(self._fernets).decrypt(_padded(token), ttl=ttl)
        except (InvalidToken, ValueError):
            return None
        number = hashlib.sha256(urlsafe_b64decode(_padded(token))).hexdigest()[:8]
        return MailLink(**json.loads(text), name=number)


def _padded(token: str) -> bytes:
    return token.encode() + b"=" * (-len(token) % 4)


def _derived(key: str) -> bytes:
    """Another key for another purpose, so that nothing sealed at rest is a link, and no link opens it."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(urlsafe_b64decode(key))
    return urlsafe_b64encode(derived)
