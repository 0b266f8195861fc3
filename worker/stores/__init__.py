"""What is remembered in Redis beside the queue: connections (with their tokens) and links."""

from worker.stores.connections import Connection, ConnectionStore, NeverConnected, Tokens
from worker.stores.links import LinkStore
from worker.stores.vault import Vault

__all__ = ["Connection", "ConnectionStore", "LinkStore", "NeverConnected", "Tokens", "Vault"]
