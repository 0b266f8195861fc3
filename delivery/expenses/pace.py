"""How long things last in a company that is polled every `interval`. Pure."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """Delays and lifetimes; in brackets with the usual interval of ten minutes."""

    interval: timedelta = timedelta(minutes=10)

    @property
    def retry(self) -> timedelta:
        """Delay before an unfinished supplier invoice is retried (a minute)."""
        return self.interval / 10

    @property
    def retry_rejected(self) -> timedelta:
        """Delay before a supplier invoice that Moment rejected is retried (six hours)."""
        return 36 * self.interval

    @property
    def report_after(self) -> timedelta:
        """How long a supplier invoice may stay unanswered before a person is told (a day)."""
        return 144 * self.interval

    @property
    def pending_cached(self) -> timedelta:
        """How long the list of those that await approval is cached (a minute)."""
        return self.interval / 10

    @property
    def project_cached(self) -> timedelta:
        """How long a project that may have expenses is cached (a day)."""
        return 144 * self.interval

    @property
    def unfit_project_cached(self) -> timedelta:
        """How long a project that may not have expenses is cached (five minutes): somebody may be correcting it."""
        return self.interval / 2
