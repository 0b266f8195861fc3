"""What every task finds at hand, built once per process (`worker.assembly`) and carried by the Celery app."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from celery import Celery
from redis import Redis

from config import Settings
from fortnox import Fortnox, OAuth
from moment.api import MomentApi
from moment.files import FileSource
from tasks.closed import ClosedParts
from tasks.leases import Hold, LeaseKeeper
from tasks.notes import Notes
from tasks.tokens import TokenKeeper
from worker.ordering import Ordering
from worker.stores import (
    CompanySettingsStore,
    ConnectionStore,
    Counters,
    ExpenseStore,
    Ledgers,
    LinkStore,
    NameStore,
    Ticks,
    TimelineStore,
    Timetable,
    UsedAccounts,
    Vault,
)


class OpenLedger(Protocol):
    def __call__(self, hold: Hold, leave: int = 0) -> Fortnox:
        """`leave` keeps that many slots of the rate limit free for more urgent work; nearly all while there is some."""


@dataclass(frozen=True)
class House:
    """Clients, stores and the engine. `fortnox(hold)` is the company's ledger as this holder may use it.

    `reading(company)` is the ledger for a person's question: nobody holds anything then. `check_room(company)` raises
    `WindowFull` where Fortnox would take no request now.
    """

    app: Celery
    settings: Settings
    redis: Redis
    ordering: Ordering
    vault: Vault
    connections: ConnectionStore
    company_settings: CompanySettingsStore
    oauth: OAuth
    tokens: TokenKeeper
    leases: LeaseKeeper
    closed: ClosedParts
    fortnox: OpenLedger
    reading: Callable[[str], Fortnox]
    check_room: Callable[[str], None]
    moment: MomentApi
    files: FileSource
    links: Callable[[str, int | None], LinkStore]
    used_accounts: Callable[[str], UsedAccounts]
    ledgers: Ledgers
    names: NameStore
    polls: Timetable
    nights: Timetable
    timeline: TimelineStore
    counters: Counters
    ticks: Ticks
    notes: Notes

    def expenses(self, company: str) -> ExpenseStore:
        """What is known of the supplier invoices in the ledger that the company is connected to."""
        connection = self.connections.find(company)
        return self.ledgers.store(company, connection.tenant_id if connection else None)

    def consent_address(self, company: str) -> str | None:
        """Where a person of the company consents (again); None where no redirect address is set."""
        if self.settings.fortnox_redirect_uri is None:
            return None
        connection = self.connections.find(company)
        service = connection is not None and connection.integration.service_account
        return self.oauth.authorize_url(f"{company}.{secrets.token_urlsafe(12)}", service_account=service)


class HasHouse(Protocol):
    house: House


def house_of(app: Celery) -> House:
    return cast(HasHouse, app).house
