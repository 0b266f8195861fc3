"""What is remembered in Redis beside the queue: connections (with their tokens), companies' settings, links, names; and
for operators the timelines of events, the counters, and when each part last moved.
"""

from worker.stores.connections import (
    Connection,
    ConnectionStore,
    Held,
    NeverConnected,
    Overtaken,
    Problem,
    Tokens,
    Version,
)
from worker.stores.counters import Counters
from worker.stores.expenses import ExpenseStore, Ledgers
from worker.stores.links import LinkStore
from worker.stores.names import NameStore
from worker.stores.rows import UsedAccount, UsedAccounts
from worker.stores.settings import CompanySettings, CompanySettingsStore
from worker.stores.ticks import Ticks
from worker.stores.timeline import Entry, TimelineStore
from worker.stores.timetable import Timetable
from worker.stores.vault import Vault

__all__ = [
    "CompanySettings",
    "CompanySettingsStore",
    "Connection",
    "ConnectionStore",
    "Counters",
    "Entry",
    "ExpenseStore",
    "Held",
    "Ledgers",
    "LinkStore",
    "NameStore",
    "NeverConnected",
    "Overtaken",
    "Problem",
    "Ticks",
    "TimelineStore",
    "Timetable",
    "Tokens",
    "UsedAccount",
    "UsedAccounts",
    "Vault",
    "Version",
]
