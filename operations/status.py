"""How the events of all companies are doing."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from delivery.services import Services
from ordering.records import STATUSES, UNDER_WAY

POLL: Final = 0.2  # seconds between two looks


@dataclass(frozen=True)
class CompanyStatus:
    """`connection`: connected, paused (the grant is dead), disabled or none."""

    connection: str
    events: Mapping[str, int]


@dataclass(frozen=True)
class Overview:
    """How many events have each status, in all and by company, and the age of the oldest under way."""

    events: Mapping[str, int]
    oldest: timedelta | None
    companies: Mapping[str, CompanyStatus]

    @property
    def under_way(self) -> int:
        return sum(self.events[status] for status in UNDER_WAY)


def overview(services: Services, company: str | None = None) -> Overview:
    """The status of all companies, or of one."""
    names = [company] if company else services.ordering.companies()
    states = services.ordering.states(names)
    total: Counter[str] = Counter()
    for state in states.values():
        total.update(state.counts)
    now = datetime.now(UTC)
    return Overview(
        events={status: total[status] for status in STATUSES},
        oldest=max((now - state.oldest for state in states.values() if state.oldest), default=None),
        companies={name: CompanyStatus(connection_state(services, name), states[name].counts) for name in names},
    )


def connection_state(services: Services, company: str) -> str:
    """connected, paused (the grant is dead), disabled or none."""
    connection = services.stores.connections.find(company)
    if connection is None:
        return "none"
    return "paused" if connection.state == "connected" and services.ordering.paused(company) else connection.state


def is_known(services: Services, company: str) -> bool:
    """Whether an event of the company was ever accepted."""
    return company in services.ordering.companies()


def wait(services: Services, company: str | None, timeout: float | None) -> Iterator[Overview]:
    """Overviews, until nothing is under way or `timeout` seconds have passed."""
    deadline = None if timeout is None else time.monotonic() + timeout
    yield (found := overview(services, company))
    while found.under_way and (deadline is None or time.monotonic() < deadline):
        time.sleep(POLL)
        yield (found := overview(services, company))
