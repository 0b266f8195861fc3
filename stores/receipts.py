"""What a person is told once, on the page after the one where something was done: `receipt:<id>`, for a minute."""

import secrets
from datetime import timedelta
from typing import Any, Final

from redis import Redis

from messages import NOTHING, Message

KEPT: Final = timedelta(minutes=1)


class Receipts:
    """Receipts of all browsers. Each is for the browser that did it."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def put(self, browser: str, message: Message) -> str:
        """Keep the message for this browser. Return its id."""
        receipt = secrets.token_urlsafe(8)
        self._redis.set(self._key(browser, receipt), message.to_json(), ex=KEPT)
        return receipt

    def take(self, browser: str, receipt: str) -> Message:
        """The message, once; `NOTHING` where there is none."""
        found: Any = self._redis.getdel(self._key(browser, receipt))
        return Message.from_json(found) if found else NOTHING

    def _key(self, browser: str, receipt: str) -> str:
        return f"{self._prefix}receipt:{browser}:{receipt}"
