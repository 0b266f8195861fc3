"""The Python door: `from worker import publish`.

publish({"id": "e1", "company": "acme", "type": "customer.updated", …})
"""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from delivery.admission import admit
from moment.events import Event, parse_event
from worker.bootstrap import App, create_app

log = logging.getLogger(__name__)  # the standard one: this runs in producers' programs, which log as they please


class Receipt(NamedTuple):
    """The event is kept. `known`: it was accepted before under this id, and nothing was changed."""

    company: str
    id: str
    known: bool


def publish(event: Event | Mapping[str, Any] | str | bytes, *, app: App | None = None) -> Receipt:
    """Accepts an event, given as a model, as an object or as JSON. Once this returns, it is never lost.

    Settings come from the environment (`REDIS_URL`, `ENCRYPTION_KEYS`), unless an `app` is given. Raises
    `moment.InvalidEvent` naming each fault by its path, and `redis.RedisError` when Redis did not take it: the event
    is then still the caller's, and publishing it again is safe.
    """
    app = app or _default_app()
    parsed = parse_event(event) if isinstance(event, Mapping | str | bytes) else event
    admission = admit(parsed, app.services.ordering, app.services.vault)
    ids = {"company": parsed.company, "key": str(parsed.key), "event_id": parsed.id, "type": parsed.type}
    log.info("event.accepted", extra=ids | {"known": admission.known})
    return Receipt(parsed.company, parsed.id, admission.known)


@cache
def _default_app() -> App:
    return create_app()
