"""How long things hold in a company that is polled at an interval. Pure."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations that follow the poll interval; in brackets at ten minutes."""

    interval: timedelta = timedelta(minutes=10)

    @property
    def again(self) -> timedelta:
        """Delay before an unfinished supplier invoice is retried (a minute)."""
        return self.interval / 10

    @property
    def refused_again(self) -> timedelta:
        """Delay before one that Moment refused is retried (six hours)."""
        return 36 * self.interval

    @property
    def notified_after(self) -> timedelta:
        """How long a supplier invoice may get no answer before a person is notified (a day)."""
        return 144 * self.interval

    @property
    def pending_good_for(self) -> timedelta:
        """How long the list of those that wait for approval is cached (a minute)."""
        return self.interval / 10

    @property
    def project_good_for(self) -> timedelta:
        """How long it is cached that a project may have expenses (a day)."""
        return 144 * self.interval

    @property
    def project_bad_for(self) -> timedelta:
        """How long it is cached that a project may not, which a person may be correcting (five minutes)."""
        return self.interval / 2
