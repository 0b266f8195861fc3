"""What one holder has to deliver one event: the event, its lease, the company's ledger, and the steps taken so far."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from delivery.leases import HandedBack, LeaseHandle
from delivery.services import Services
from fortnox import Fortnox, FortnoxError
from fortnox.errors import OutcomeUnknown, Throttled
from ordering import Claim, Skipped
from stores import CompanySettings, Connection, LinkStore

NOT_TAKEN, IN_DOUBT, TAKEN = "", "?", "1"  # what is recorded for a step
SEEN = "seen"  # the step under which an attempt hands on what it saw
SEEN_SECONDS = 20.0  # that this holds good: a few of the rate limit's windows
IN_LEDGER = "@"  # between a step and the tenant id of the ledger that it was taken in

DISABLED = Skipped("The integration is disabled for this company.")


@dataclass(frozen=True)
class TransferContext:
    """One event in the hands of one holder, with what it takes to deliver it."""

    event: Any
    claim: Claim
    lease: LeaseHandle
    services: Services
    steps: dict[str, str] = field(default_factory=dict)  # taken in this ledger, by earlier holders and by this one
    seen: dict[str, tuple[float, str]] = field(default_factory=dict)  # by what it is about: when, and what

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
        """The company's ledger. Every request makes sure first that the event is still this holder's."""
        return self.services.fortnox.open(self.lease)

    @property
    def links(self) -> LinkStore:
        return self.services.stores.links(self.claim.company, self.lease.ledger)

    def switched_off(self, kind: Literal["customers", "projects", "invoices"]) -> Skipped | None:
        """Why this kind of thing is not transferred for the company, if it is not."""
        if self.connection.state == "disabled":
            return DISABLED
        if not getattr(self.connection.integration.transfers, kind):
            return Skipped(f"The transfer of {kind} is switched off for this company.")
        return None

    def taken(self, step: str) -> str | None:
        """What was recorded when this step was taken, by whichever holder; None when it was not, or may not be."""
        value = self.steps.get(step)
        return None if value in (None, NOT_TAKEN, IN_DOUBT) else value

    def in_doubt(self, step: str) -> bool:
        """Whether an earlier holder may have taken the step without living to record it: look before taking it."""
        return self.steps.get(step) == IN_DOUBT

    @contextmanager
    def taking(self, step: str) -> Iterator[None]:
        """Around the one request that takes the step: it is in doubt from before until it is recorded as taken.

        An error that says that nothing was changed ends the doubt; where there was no room for the request, all is as
        it was. Raises `LeaseLost`.
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
        """What was seen in Fortnox a moment ago, by this attempt or by one before it that ended for want of room."""
        at, found = self.seen.get(what, (0.0, None))
        return found if abs(time.time() - at) < SEEN_SECONDS else None  # by the clock of whichever worker

    def remember(self, what: str, found: str) -> None:
        """Notes what a look or a refusal has shown, so that the attempt after one that was throttled goes on from it.

        With eight that want the same room, two requests in a row are hard to come by.
        """
        self.seen[what] = (time.time(), found)

    @contextmanager
    def passing_on_the_cache(self) -> Iterator[None]:
        """Around an attempt. One that ends in any other way, or dies, leaves nothing of it. Raises `LeaseLost`."""
        if noted := self.steps.get(SEEN):
            self.seen.update(json.loads(noted))
            self.record(SEEN, NOT_TAKEN)
        try:
            yield
        except (Throttled, HandedBack):
            if self.seen:
                self.record(SEEN, json.dumps(self.seen))
            raise

    def record(self, step: str, value: str = TAKEN) -> None:
        """Records a step, and in which ledger, before the next is taken. Raises `LeaseLost`."""
        self.services.ordering.record(self.claim, recorded_as(step, self.lease.ledger), value)
        self.steps[step] = value


def recorded_as(step: str, ledger: int | None) -> str:
    """The name under which a step is recorded that is taken in this ledger. Pure."""
    return step if ledger is None else f"{step}{IN_LEDGER}{ledger}"


def counting(progress: Mapping[str, str], ledger: int | None) -> dict[str, str]:
    """The recorded steps that count in this ledger: those taken there, and those taken where none was known.

    What was created in one ledger is not there in another, though that may well have something of the same number, and
    what a person said of the one (`--accept-existing`) is not said of the other. Pure.
    """
    taken_here = f"{IN_LEDGER}{ledger}"
    anywhere = {name: value for name, value in progress.items() if IN_LEDGER not in name}
    here = {name.removesuffix(taken_here): value for name, value in progress.items() if name.endswith(taken_here)}
    return anywhere | here
