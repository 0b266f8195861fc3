"""What an event was received with, sent to Fortnox and was answered: hash `bodies:<company>:<id>`, each field sealed.

The fields: `received`, once the engine no longer keeps the event's body; and for each kind of write (such as
`POST /3/invoices`) the last one. For whoever looks at the event; no transfer depends on it.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.client import Pipeline

from stores.vault import Vault

LONGEST: Final = 100_000  # characters of a text that is kept
RECEIVED: Final = "received"
FILE: Final = re.compile(r'("content"\s*:\s*")([^"\\]{100,})"')  # a file in base64


class Bodies(NamedTuple):
    """`received` is the event's JSON without its files, None where it is not kept here. `writes`: oldest first."""

    received: str | None
    writes: list[dict[str, Any]]


class BodyStore:
    """The bodies of all events, sealed and compressed: they hold the companies' data.

    They are kept for `kept` after the event is done, otherwise for `retention` after its last attempt. Each text is cut
    to 100,000 characters.
    """

    def __init__(
        self,
        redis: Redis,
        vault: Vault,
        kept: timedelta,
        retention: timedelta = timedelta(days=90),
        prefix: str = "mf:",
    ) -> None:
        self._redis = redis
        self._vault = vault
        self._kept = min(kept, retention)
        self._retention = retention
        self._prefix = prefix

    def put(
        self,
        pipeline: Pipeline,
        company: str,
        event_id: str,
        writes: Iterable[Mapping[str, Any]],
        received: str | None = None,
    ) -> None:
        """Add commands that store these writes. With `received`, the event is done."""
        fields = {f"{write['method']} {write['path']}": self._sealed(dict(write)) for write in writes}
        if received is not None and self._kept:
            fields[RECEIVED] = self._sealed(
                FILE.sub(lambda found: f'{found[1]}({len(found[2])} characters)"', received)
            )
        key = self._key(company, event_id)
        if fields:
            pipeline.hset(key, mapping=fields)
        pipeline.expire(key, self._retention if received is None else self._kept)

    def read(self, company: str, event_id: str) -> Bodies:
        """What is kept of the event. Raises `Unsealable`."""
        fields: Any = self._redis.hgetall(self._key(company, event_id))
        opened = {name: self._opened(sealed) for name, sealed in fields.items()}
        received = opened.pop(RECEIVED, None)
        return Bodies(received, sorted(opened.values(), key=itemgetter("at")))

    def _sealed(self, value: Any) -> str:
        if isinstance(value, dict):
            value = {name: one[:LONGEST] if isinstance(one, str) else one for name, one in value.items()}
        else:
            value = value[:LONGEST]
        packed = zlib.compress(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        return self._vault.seal(base64.b64encode(packed).decode())

    def _opened(self, sealed: str) -> Any:
        return json.loads(zlib.decompress(base64.b64decode(self._vault.open(sealed))))

    def _key(self, company: str, event_id: str) -> str:
        return f"{self._prefix}bodies:{company}:{event_id}"
