"""Renews the leases of the events that this process transfers, from one background thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import structlog
from redis.exceptions import RedisError

from delivery.access_blocks import about_connection
from delivery.background import BackgroundThread
from delivery.stopping import Stopping
from ordering import Claim, LeaseLost, Ordering
from stores.threads import LEASE_KEEPER, ThreadStates

log = structlog.get_logger(__name__)

LedgerOf = Callable[[str], int | None]  # the tenant id of a company's ledger, None where it is unknown


class HandedBack(Exception):
    """This worker stops: another one continues the event from here."""


class Moved(HandedBack):
    """The company was connected to another ledger while the event ran: it starts over in that one."""


def surely_held(ordering: Ordering) -> float:
    """For how many seconds a claim holds after a renewal: it ends with its own lease or its worker's."""
    return min(ordering.lease, ordering.worker_lease).total_seconds()


class LeaseHandle:
    """A claim whose lease is renewed, in one ledger. Call `check` before every request."""

    def __init__(self, ordering: Ordering, claim: Claim, stopping: Stopping, ledger_of: LedgerOf) -> None:
        self.claim = claim
        self._ledger_of = ledger_of
        self._ordering = ordering
        self._stopping = stopping
        self._lease = surely_held(ordering)
        # The monotonic clock runs on while a process is stopped, so a zombie finds its lease over.
        self._good_until = 0.0  # unknown: the worker's lease may end at any moment, so the first check renews

    @cached_property
    def ledger(self) -> int | None:
        """The tenant id of the ledger that the event is delivered to, read once.

        None where it is unknown, and for an event about the connection itself, which may change the ledger.
        """
        return None if about_connection(self.claim) else self._ledger_of(self.claim.company)

    def renew(self) -> None:
        """Extend the lease, and the life of the worker, from now. Raises `LeaseLost`."""
        asked = time.monotonic()
        if not self._ordering.renew(self.claim):
            self._good_until = 0.0
            raise LeaseLost(self.claim.company, self.claim.id)
        self._good_until = asked + self._lease

    def check(self) -> None:
        """Make sure that this holder may continue with the event. Raises `LeaseLost` and `HandedBack`.

        Called after the next request's token was read, so that no request goes to another ledger.
        """
        if self._stopping:
            raise HandedBack
        if time.monotonic() > self._good_until - self._lease / 3:
            self.renew()
        if self.ledger is not None and self._ledger_of(self.claim.company) != self.ledger:
            raise Moved


class LeaseKeeper:
    """Renews every lease of this process, three times within `surely_held`. The thread starts with the first lease."""

    def __init__(self, ordering: Ordering, stopping: Stopping, ledger_of: LedgerOf, states: ThreadStates) -> None:
        self._ordering = ordering
        self._ledger_of = ledger_of
        self._stopping = stopping
        self._states = states
        self._interval = surely_held(ordering) / 3
        self._handles: set[LeaseHandle] = set()
        self._changed = threading.Lock()
        self._thread: BackgroundThread | None = None

    @contextmanager
    def keep(self, claim: Claim) -> Iterator[LeaseHandle]:
        lease = LeaseHandle(self._ordering, claim, self._stopping, self._ledger_of)
        with self._changed:
            self._handles.add(lease)
            if self._thread is None:
                self._thread = BackgroundThread(LEASE_KEEPER, self._renew_all, self._states, first=self._interval)
                self._thread.start()
        try:
            yield lease
        finally:
            with self._changed:
                self._handles.discard(lease)

    def _renew_all(self) -> float:
        with self._changed:
            handles = tuple(self._handles)
        for lease in handles:
            self._renew(lease)
        return self._interval

    def _renew(self, lease: LeaseHandle) -> None:
        try:
            lease.renew()
        except LeaseLost:
            log.warning("lease.lost", company=lease.claim.company, key=lease.claim.key, event_id=lease.claim.id)
        except RedisError as error:
            log.warning("lease.not_renewed", company=lease.claim.company, error=type(error).__name__)
