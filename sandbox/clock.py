"""The sandbox's clock: real time plus an offset that tests and simulations may set."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

STOCKHOLM = ZoneInfo("Europe/Stockholm")  # the time zone Fortnox's servers answer in


class Clock:
    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def local(self) -> datetime:
        return self.now().astimezone(STOCKHOLM)

    def minute(self) -> str:
        """Local time as `lastmodified` speaks it: `2026-11-22 09:00`, minute resolution."""
        return self.local().strftime("%Y-%m-%d %H:%M")

    def http_date(self) -> str:
        return format_datetime(self.now(), usegmt=True)

    def today(self) -> str:
        return self.local().date().isoformat()

    def set_to(self, moment: datetime) -> None:
        self.offset = moment - datetime.now(UTC)


def elapsed() -> float:
    """Seconds on a clock that no offset moves: rate limits and races are measured in real time."""
    return time.monotonic()
