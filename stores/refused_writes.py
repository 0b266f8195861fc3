"""What an event last sent to Fortnox that was refused, and the answer: `refused-write:<company>:<id>`, sealed.

It is kept while it can serve whoever looks at the event: until the event is done, and no longer than the event.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline

from ordering.queries import PREFIX
from stores.vault import Vault

LONGEST: Final = 20_000  # characters of either text


class RefusedWrites:
    """The refused writes of all events. They hold the companies' data, so Redis has them sealed."""

    def __init__(
        self, redis: Redis, vault: Vault, retention: timedelta = timedelta(days=90), prefix: str = PREFIX
    ) -> None:
        self._redis = redis
        self._vault = vault
        self._retention = retention
        self._prefix = prefix

    def put(self, pipeline: Pipeline, company: str, event_id: str, write: Mapping[str, Any]) -> None:
        """Add a command that stores the write. Texts are cut to 20,000 characters."""
        cut = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in write.items()}
        sealed = self._vault.seal(json.dumps(cut, ensure_ascii=False))
        pipeline.set(self._key(company, event_id), sealed, ex=self._retention)

    def remove(self, pipeline: Pipeline, company: str, event_id: str) -> None:
        """Add a command that forgets the event's write."""
        pipeline.delete(self._key(company, event_id))

    def read(self, company: str, event_id: str) -> dict[str, Any] | None:
        """The event's last refused write, if one is kept. Raises `Unsealable`."""
        sealed: Any = self._redis.get(self._key(company, event_id))
        return json.loads(self._vault.open(sealed)) if sealed else None

    def _key(self, company: str, event_id: str) -> str:
        return f"{self._prefix}refused-write:{company}:{event_id}"
