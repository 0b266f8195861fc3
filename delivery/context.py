"""What a transfer works with: the event, its lease, the company's ledger, and the steps taken so far."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from delivery.leases import HandedBack, LeaseHandle
from delivery.services import Services
from fortnox.client import Fortnox
from fortnox.errors import FortnoxError, OutcomeUnknown, Throttled
from messages import Message
from ordering import Claim, Skipped
from stores import CompanySettings, Connection, LinkStore, RefusedBlanks
from tasks.flows import flow_of

NOT_TAKEN, IN_DOUBT, TAKEN = "", "?", "1"  # what is recorded for a step
SEEN = "seen"  # the step under which a throttled attempt stores its cache for the next one
SEEN_SECONDS = 20.0  # how long a cached answer is good: a few windows of the rate limit
IN_LEDGER = "@"  # between a step and the tenant id of the ledger that it was taken in

DISABLED = Skipped(Message("transfer.disabled"))


@dataclass(frozen=True)
class TransferContext:
    """One attempt at one event, with what it takes to deliver it."""

    event: Any
    claim: Claim
    lease: LeaseHandle
    services: Services
    steps: dict[str, str] = field(default_factory=dict)  # taken in this ledger, by earlier attempts and by this one
    seen: dict[str, tuple[float, str]] = field(default_factory=dict)  # cached answers: when they came, and their value

    @cached_property
    def connection(self) -> Connection:
        """The company's connection. Raises `NeverConnected`."""
        return self.services.stores.connections.get(self.claim.company)

    @cached_property
    def settings(self) -> CompanySettings:
        """What the company has set for itself."""
        return self.services.stores.company_settings.get(self.claim.company)

    @cached_property
    def fortnox(self) -> Fortnox:
        """The company's ledger. Every request first checks the lease."""
        return self.services.fortnox.open(self.lease)

    @property
    def links(self) -> LinkStore:
        return self.services.stores.links(self.claim.company, self.lease.ledger)

    @property
    def refused_blanks(self) -> RefusedBlanks:
        return self.services.stores.refused_blanks(self.claim.company, self.lease.ledger)

    def switched_off(self) -> Skipped | None:
        """The outcome where the company does not want this kind of thing transferred, else None."""
        if self.connection.state == "disabled":
            return DISABLED
        flow = flow_of(self.claim.type)
        if flow is not None and not getattr(self.connection.integration.transfers, flow.choice):
            return Skipped(Message("transfer.switched-off", what=Message(f"noun.{flow.kind}", n=2)))
        return None

    def taken(self, step: str) -> str | None:
        """The value recorded when any attempt took this step; None where it was not taken, or is in doubt."""
        value = self.steps.get(step)
        return None if value in (None, NOT_TAKEN, IN_DOUBT) else value

    def in_doubt(self, step: str) -> bool:
        """Whether an earlier attempt may have taken the step and died before recording it: look before taking it."""
        return self.steps.get(step) == IN_DOUBT

    @contextmanager
    def taking(self, step: str) -> Iterator[None]:
        """Wrap the one request that takes the step. The step is in doubt from before the request until it is recorded.

        An error that proves that nothing was changed ends the doubt; a request that was not sent for lack of capacity
        leaves the step as it was. Raises `LeaseLost`.
        """
        before = self.steps.get(step, NOT_TAKEN)
        self.record(step, IN_DOUBT)
        try:
            yield
        except (Throttled, HandedBack):
            self.record(step, before)
            raise
        except FortnoxError as error:
            self.seen.clear()
            if not isinstance(error, OutcomeUnknown):
                self.record(step, NOT_TAKEN)
            raise
        self.seen.clear()  # a write may change it

    def cached(self, what: str) -> str | None:
        """An answer of Fortnox from a moment ago, seen by this attempt or by a throttled one before it."""
        at, found = self.seen.get(what, (0.0, None))
        return found if abs(time.time() - at) < SEEN_SECONDS else None  # by the clock of whichever worker

    def remember(self, what: str, found: str) -> None:
        """Cache what a request has shown, so that the attempt after a throttled one does not repeat the request.

        Eight concurrent transfers share one rate limit, so two consecutive requests rarely fit.
        """
        self.seen[what] = (time.time(), found)

    @contextmanager
    def passing_on_the_cache(self) -> Iterator[None]:
        """Wrap an attempt: its cache is stored if it is throttled or handed back, else dropped. Raises `LeaseLost`."""
        if stored := self.steps.get(SEEN):
            self.seen.update(json.loads(stored))
            self.record(SEEN, NOT_TAKEN)
        try:
            yield
        except (Throttled, HandedBack):
            if self.seen:
                self.record(SEEN, json.dumps(self.seen))
            raise

    def record(self, step: str, value: str = TAKEN) -> None:
        """Record a step and the ledger it was taken in, before the next step is taken. Raises `LeaseLost`."""
        self.services.ordering.record(
            self.claim, recorded_as(step, self.lease.ledger), value, confirmed=value == IN_DOUBT
        )
        self.steps[step] = value


def recorded_as(step: str, ledger: int | None) -> str:
    """The name under which a step in this ledger is recorded. Pure."""
    return step if ledger is None else f"{step}{IN_LEDGER}{ledger}"


def counting(progress: Mapping[str, str], ledger: int | None) -> dict[str, str]:
    """The recorded steps that count in this ledger: those taken in it, and those taken while no ledger was known.

    What was created in one ledger does not exist in another, and a person's decision about one (`--accept-existing`)
    is no decision about the other. Pure.
    """
    taken_here = f"{IN_LEDGER}{ledger}"
    anywhere = {name: value for name, value in progress.items() if IN_LEDGER not in name}
    here = {name.removesuffix(taken_here): value for name, value in progress.items() if name.endswith(taken_here)}
    return anywhere | here
