"""What every task finds at hand, built once per process (`worker.bootstrap`) and carried by the Celery app."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from celery import Celery
from redis import Redis

from config import Settings
from delivery.access_blocks import AccessBlocks
from delivery.leases import LeaseHandle, LeaseKeeper
from delivery.tokens import TokenKeeper
from fortnox import Fortnox, OAuth
from moment.api import MomentApi
from moment.files import FileSource
from ordering import Ordering
from stores import (
    CompanySettingsStore,
    ConnectionStore,
    Counters,
    ExpenseStore,
    Heartbeats,
    Ledgers,
    LinkStore,
    NameStore,
    TimelineStore,
    Timetable,
    UsedAccounts,
    Vault,
)
from stores.write_buffer import WriteBuffer


class OpenLedger(Protocol):
    def __call__(self, lease: LeaseHandle, leave: int = 0) -> Fortnox:
        """`leave` keeps that many slots of the rate limit free for more urgent work; nearly all while there is some."""


@dataclass(frozen=True)
class Services:
    """Clients, stores and the engine. `fortnox(lease)` is the company's ledger as this holder may use it.

    `reading(company)` is the ledger for a person's question, without a lease. `check_capacity(company)` raises
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
    access_blocks: AccessBlocks
    fortnox: OpenLedger
    reading: Callable[[str], Fortnox]
    check_capacity: Callable[[str], None]
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
    heartbeats: Heartbeats
    write_buffer: WriteBuffer

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


class HasServices(Protocol):
    services: Services


def services_of(app: Celery) -> Services:
    return cast(HasServices, app).services
