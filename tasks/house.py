"""What every task finds at hand, built once per process (`worker.assembly`) and carried by the Celery app."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from celery import Celery
from redis import Redis

from config import Settings
from fortnox import Fortnox, OAuth
from moment.files import FileSource
from tasks.doors import Doors
from tasks.leases import Hold, LeaseKeeper
from tasks.tokens import TokenKeeper
from worker.ordering import Ordering
from worker.stores import CompanySettingsStore, ConnectionStore, LinkStore, Vault


@dataclass(frozen=True)
class House:
    """Clients, stores and the engine. `fortnox(hold)` is the company's ledger as this holder may use it."""

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
    doors: Doors
    fortnox: Callable[[Hold], Fortnox]
    files: FileSource
    links: Callable[[str], LinkStore]


class HasHouse(Protocol):
    house: House


def house_of(app: Celery) -> House:
    return cast(HasHouse, app).house
