"""What is remembered in Redis beside the queue: connections (with their tokens), companies' settings and links."""

from worker.stores.connections import Connection, ConnectionStore, NeverConnected, Tokens
from worker.stores.links import LinkStore
from worker.stores.settings import CompanySettings, CompanySettingsStore
from worker.stores.vault import Vault

__all__ = [
    "CompanySettings",
    "CompanySettingsStore",
    "Connection",
    "ConnectionStore",
    "LinkStore",
    "NeverConnected",
    "Tokens",
    "Vault",
]
