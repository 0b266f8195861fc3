"""What is remembered in Redis beside the queue: connections (with their tokens), companies' settings, links, names."""

from worker.stores.connections import Connection, ConnectionStore, Held, NeverConnected, Problem, Tokens
from worker.stores.expenses import ExpenseStore
from worker.stores.links import LinkStore
from worker.stores.names import NameStore
from worker.stores.rows import UsedAccount, UsedAccounts
from worker.stores.settings import CompanySettings, CompanySettingsStore
from worker.stores.timetable import Timetable
from worker.stores.vault import Vault

__all__ = [
    "CompanySettings",
    "CompanySettingsStore",
    "Connection",
    "ConnectionStore",
    "ExpenseStore",
    "Held",
    "LinkStore",
    "NameStore",
    "NeverConnected",
    "Problem",
    "Timetable",
    "Tokens",
    "UsedAccount",
    "UsedAccounts",
    "Vault",
]
