"""What is remembered in Redis beside the queue: connections (with their tokens), companies' settings, links, names; and
for operators the timelines of events, the counters, and when each part last moved.
"""

from stores.connections import (
    Connection,
    ConnectionProblem,
    ConnectionStore,
    NeverConnected,
    Overtaken,
    StoredTokens,
    Tokens,
    Version,
)
from stores.counters import Counters
from stores.expenses import ExpenseStore, Ledgers
from stores.heartbeats import Heartbeats
from stores.links import LinkStore
from stores.names import NameStore
from stores.rows import UsedAccount, UsedAccounts
from stores.settings import CompanySettings, CompanySettingsStore
from stores.timeline import Entry, TimelineStore
from stores.timetable import Timetable
from stores.vault import Vault

Problem = ConnectionProblem  # until its last user calls it by its name

__all__ = [
    "CompanySettings",
    "CompanySettingsStore",
    "Connection",
    "ConnectionProblem",
    "ConnectionStore",
    "Counters",
    "Entry",
    "ExpenseStore",
    "Heartbeats",
    "Ledgers",
    "LinkStore",
    "NameStore",
    "NeverConnected",
    "Overtaken",
    "Problem",
    "StoredTokens",
    "TimelineStore",
    "Timetable",
    "Tokens",
    "UsedAccount",
    "UsedAccounts",
    "Vault",
    "Version",
]
