"""Notices that Redis was emptied, replaced or set back, in every process that runs for long."""

import time
from typing import Final

import structlog
from redis.exceptions import RedisError

from stores.installation import Installation, Loss

log = structlog.get_logger(__name__)

EVERY: Final = 5.0  # seconds between two looks of a process


class InstallationWatch:
    """Looks every `EVERY` seconds at most, and says in the log what it found."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._next = float("-inf")

    def look(self) -> Loss | None:
        """The loss that is new to this process. Raises `RedisError`."""
        if time.monotonic() < self._next:
            return None
        loss = self._installation.look()
        self._next = time.monotonic() + EVERY
        if loss is not None:
            log.critical(
                "redis.lost_data",
                kind=loss.kind,
                held_until=(loss.back_to if loss.kind == "set-back" else loss.before).isoformat(),
                accepted_and_gone=loss.gone,
            )
        return loss

    def try_to_look(self) -> None:
        """The same, where a Redis that cannot be asked is somebody else's to report."""
        try:
            self.look()
        except RedisError as error:
            log.warning("installation.not_looked_at", error=type(error).__name__)
