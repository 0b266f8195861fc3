"""Runs the transfer of a claimed event and settles it, in the same steps for every kind."""

import random
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from delivery.bugs import is_bug, report_bug
from delivery.context import DISABLED, TransferContext, counting
from delivery.retry_policy import OutOfTime, decide
from delivery.services import Services
from fortnox.errors import PrerequisiteMissing
from moment.events import parse_stored
from ordering import Claim, Held, LeaseLost, Outcome
from stores import NeverConnected

log = structlog.get_logger(__name__)

WAIT_FOR_REDIS = 0.5  # seconds between two tries to settle

Deliver = Callable[[TransferContext], Outcome]
Read = Callable[[str], Any]  # an event's body → the event, which names its prerequisites


def settle(claim: Claim, services: Services, outcome: Outcome, process: str = "") -> Claim | None:
    """Store how a claimed event ended. Raises `LeaseLost`. With the name of this process, also claim the next event.

    A Redis that is down is waited for while the lease may hold: otherwise the next attempt would repeat the work.
    """
    deadline = time.monotonic() + services.ordering.lease.total_seconds() * 2 / 3  # renewed within the third before
    while True:
        try:
            if process:
                following, _ = services.ordering.settle_and_claim(claim, outcome, process)
                return following
            services.ordering.settle(claim, outcome)
            return None
        except (RedisConnectionError, RedisTimeoutError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("transfer.waits_for_redis", error=type(error).__name__)
            time.sleep(WAIT_FOR_REDIS)


def run(
    claim: Claim,
    services: Services,
    transfer: Deliver,
    read: Read = parse_stored,
    interrupted_by: type[Exception] = OutOfTime,
) -> Outcome:
    """Deliver a claimed event and return how that ended. Raises `LeaseLost`.

    `interrupted_by`: the error that a time limit raises in the middle of whatever runs.
    """
    needs: tuple[str, ...] = ()
    try:
        event = read(claim.body)
        needs = tuple(map(str, event.prerequisites))
        with services.leases.keep(claim) as lease:
            steps = counting(claim.progress, lease.ledger) if claim.progress else {}
            context = TransferContext(event, claim, lease, services, steps)
            with context.passing_on_the_cache():
                return transfer(context)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - `decide` tells the errors apart, and a bug fails loudly
        if isinstance(error, NeverConnected) and _is_disabled(services, claim.company):
            return DISABLED  # it was disabled while the event ran
        known = OutOfTime() if isinstance(error, interrupted_by) else error
        outcome = decide(known, claim, needs, chance=random.random())
        if isinstance(error, PrerequisiteMissing) and isinstance(outcome, Held):
            _forget_link(services, outcome.key)
        if is_bug(outcome):
            report_bug(error, claim)
        return outcome


def _is_disabled(services: Services, company: str) -> bool:
    connection = services.stores.connections.find(company)
    return connection is not None and connection.state == "disabled"


def _forget_link(services: Services, key: str) -> None:
    """Fortnox no longer has this customer or project as we wrote it: its next event writes it again."""
    company, kind, number = key.split("/", 2)
    services.stores.links(company, services.stores.connections.ledger(company)).forget(kind, number)
