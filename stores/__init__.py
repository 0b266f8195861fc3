"""Everything kept in Redis beside the queue: connections with their tokens, settings, links, names; and for operators
timelines, counters and heartbeats. No key is built outside this package and `ordering`.
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
from stores.consents import ConsentStore
from stores.counters import Counters
from stores.expenses import ExpenseStore, Ledgers
from stores.heartbeats import Heartbeats
from stores.key_check import KeyCheck
from stores.links import LinkStore
from stores.names import NameStore
from stores.refused_blanks import RefusedBlanks
from stores.rows import UsedAccount, UsedAccounts
from stores.sessions import Session, SessionStore
from stores.settings import CompanySettings, CompanySettingsStore
from stores.timeline import TimelineEntry, TimelineStore
from stores.timetable import Timetable
from stores.vat import VatStore
from stores.vault import Vault

__all__ = [
    "CompanySettings",
    "CompanySettingsStore",
    "Connection",
    "ConnectionProblem",
    "ConnectionStore",
    "ConsentStore",
    "Counters",
    "ExpenseStore",
    "Heartbeats",
    "KeyCheck",
    "Ledgers",
    "LinkStore",
    "NameStore",
    "NeverConnected",
    "Overtaken",
    "RefusedBlanks",
    "Session",
    "SessionStore",
    "StoredTokens",
    "TimelineEntry",
    "TimelineStore",
    "Timetable",
    "Tokens",
    "UsedAccount",
    "UsedAccounts",
    "VatStore",
    "Vault",
    "Version",
]
