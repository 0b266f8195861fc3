"""Publishing from Python: `from worker import publish`. Needs Redis alone, no Celery.

publish({"id": "e1", "company": "acme", "type": "customer.updated", …})
"""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from config.settings import load_producer_settings
from delivery.admission import admit, read_event, remark_on
from delivery.services import Services, build_services
from moment.events import Event

log = logging.getLogger(__name__)  # the standard one: this runs in producers' programs, which log as they please


class Receipt(NamedTuple):
    """The event is kept. `known`: it was accepted before under this id, and nothing was changed.

    `unknown_fields`: the paths of fields that are not of the contract, and were not used.
    """

    company: str
    id: str
    known: bool
    unknown_fields: tuple[str, ...] = ()


def publish(event: Event | Mapping[str, Any] | str | bytes, *, services: Services | None = None) -> Receipt:
    """Accept an event, given as a model, as an object or as JSON. Once this returns, the event is never lost.

    Without `services`, settings come from the environment (`REDIS_URL`, `MAX_EVENT_BYTES`, and `ENCRYPTION_KEYS` for an
    authorization code). Raises `moment.InvalidEvent` naming each fault by its path, and `redis.RedisError` when Redis
    did not take the event: it is then still the caller's, and publishing it again is safe.
    """
    services = services or _own_services()
    parsed = read_event(event, services.settings.max_event_bytes)
    admission = admit(parsed, services.ordering, services.vault)
    ids = {"company": parsed.company, "key": str(parsed.key), "event_id": parsed.id, "type": parsed.type}
    log.info("event.accepted", extra=ids | {"known": admission.known})
    if not admission.known:
        remark_on(services, parsed)
    return Receipt(parsed.company, parsed.id, admission.known, parsed.unknown_fields)


@cache
def _own_services() -> Services:
    return build_services(load_producer_settings())
