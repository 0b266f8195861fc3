"""Beat that outlives Redis: it waits for one that is away, without end, and goes on with one that was emptied.

RedBeat takes its lock once and ends when it lost it. Here the live beat has a lease, which it renews or takes anew
before each look at the schedule; a beat without it waits. Whoever takes the lease writes the schedule to Redis first.
"""

import os
import socket
from contextlib import suppress
from typing import Any

import structlog
from redbeat import RedBeatScheduler
from redis.exceptions import RedisError

from config.redis import is_outage
from delivery.installation import InstallationWatch
from stores.locks import HELD_BY_ANOTHER, KEPT, Lease
from tasks.base import services_of

log = structlog.get_logger(__name__)


class Scheduler(RedBeatScheduler):  # type: ignore[misc]  # RedBeat has no types
    """Celery creates it by its name in `config.celery`."""

    lock_key: str | None
    lock_timeout: float
    max_interval: float

    def __init__(self, app: Any, **given: Any) -> None:
        super().__init__(app, **given)
        services = services_of(app)
        name = f"{socket.gethostname()}:{os.getpid()}"
        self._lease = Lease(services.redis, str(self.lock_key), name, round(self.lock_timeout))
        self._watch = InstallationWatch(services.installation)
        self.lock_key = None  # RedBeat's own lock is not used
        self._is_live = False

    def setup_schedule(self) -> None:
        """Nothing yet: Redis may be away, and another beat may be the live one."""

    def tick(self, *given: Any, **options: Any) -> float:
        """Send what is due, if this is the live beat. Returns the seconds to wait."""
        try:
            return self._tick(*given, **options)
        except RedisError as error:
            self._is_live = False
            if is_outage(error):
                log.warning("beat.waits_for_redis", error=type(error).__name__)
            else:
                log.error("beat.failed", error=type(error).__name__, exc_info=error)
            return float(self.max_interval)

    def close(self) -> None:
        """Let another beat take over at once."""
        with suppress(RedisError):
            self._lease.release()
        super().close()

    def _tick(self, *given: Any, **options: Any) -> float:
        self._watch.look()
        held = self._lease.ask()
        self._is_live = self._is_live and held == KEPT
        if held == HELD_BY_ANOTHER:
            return float(self.max_interval)
        if not self._is_live:
            super().setup_schedule()
            self._is_live = True
            log.info("beat.is_live")
        return float(super().tick(*given, **options))
