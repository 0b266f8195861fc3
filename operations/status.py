"""How the events of all companies are doing."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from delivery.feed.status import FeedStatus, feed_status
from delivery.services import Services
from operations.naming import check_company
from operations.states import CONNECTED, State, company_state
from ordering.records import STATUSES, UNDER_WAY

POLL: Final = 0.2  # seconds between two looks


@dataclass(frozen=True)
class CompanyStatus:
    """The company's state, and how many of its events have each status."""

    state: State
    events: Mapping[str, int]

    @property
    def connection(self) -> str:
        """connected, paused (the grant is dead), disabled or none."""
        return "connected" if self.state.name in CONNECTED else self.state.name

    @property
    def needs_somebody(self) -> bool:
        """Whether a person must act: connect it again, or tend to failed events or to what Fortnox refuses."""
        return self.state.name == "paused" or bool(self.events["failed"] or self.events["held"])


@dataclass(frozen=True)
class Overview:
    """How many events have each status, in all and by company, and the age of the oldest under way."""

    events: Mapping[str, int]
    oldest: timedelta | None
    companies: Mapping[str, CompanyStatus]
    feed: FeedStatus

    @property
    def under_way(self) -> int:
        return sum(self.events[status] for status in UNDER_WAY)


def overview(services: Services, company: str | None = None) -> Overview:
    """The status of all companies, or of one. Raises `WrongArgument` where it is unknown."""
    if company:
        check_company(services, company)
    names = [company] if company else services.ordering.companies()
    connections = services.stores.connections.states(names)
    states = services.ordering.states(names)
    total: Counter[str] = Counter()
    for state in states.values():
        total.update(state.counts)
    now = datetime.now(UTC)
    return Overview(
        events={status: total[status] for status in STATUSES},
        oldest=max((now - state.oldest for state in states.values() if state.oldest), default=None),
        companies={
            name: CompanyStatus(company_state(connections.get(name, "none"), states[name]), states[name].counts)
            for name in names
        },
        feed=feed_status(services),
    )


def wait(services: Services, company: str | None, timeout: float | None) -> Iterator[Overview]:
    """Overviews, until nothing is under way or `timeout` seconds have passed."""
    deadline = None if timeout is None else time.monotonic() + timeout
    yield (found := overview(services, company))
    while found.under_way and (deadline is None or time.monotonic() < deadline):
        time.sleep(POLL)
        yield (found := overview(services, company))
