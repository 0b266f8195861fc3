"""Many processes, tokens that live seconds: is any refresh token used twice, any connection or transfer lost?"""

import time
from dataclasses import dataclass
from pathlib import Path

from local import wait_until
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, integration_json
from worker.bootstrap import create_app

COMPANIES = [f"load{n}" for n in range(8)]
LIFETIME = 2  # seconds of an access token
PER_SECOND = 24  # events; below what our own limiter lets 8 companies do


@dataclass(frozen=True)
class Load:
    """What came of it."""

    processes: int
    seconds: float
    transfers: int
    failed: int
    refreshes: int
    most_uses: int  # of any refresh token
    lost: int  # connections

    @property
    def good(self) -> bool:
        return (self.failed, self.lost, self.most_uses) == (0, 0, 1)

    def __str__(self) -> str:
        return (
            f"{self.processes} worker processes, access tokens of {LIFETIME} s, {self.seconds:.0f} s: "
            f"{self.transfers} transfers, {self.failed} failed; {self.refreshes} refreshes, a refresh token used at "
            f"most {self.most_uses} times; {self.lost} of {len(COMPANIES)} connections lost"
        )


def under_load(directory: Path, *, seconds: float, workers: int = 2, concurrency: int = 4) -> Load:
    """Runs `workers` x `concurrency` real worker processes for so long."""
    with Stack(directory) as stack:
        stack.start_services()
        system = System(stack, create_app(stack.settings))
        stack.sandbox.post(
            "options",
            {"access_token_seconds": LIFETIME, "refresh_seconds": 0.1, "refresh_answer_seconds": 0.1},
        )
        for company in COMPANIES:
            stack.sandbox.tenant(company)
            code = stack.sandbox.code(company, service=False)
            system.publish(
                integration_json(company=company, authorization_code=code, service_account=False, expenses={})
            )
        for n in range(workers):
            stack.start_worker(f"w{n}", concurrency=concurrency)
        for company in COMPANIES:
            assert system.settled(company, "e4").status == "done"
        published = _publish(system, seconds)
        counts = system.app.services.ordering.counts
        wait_until(
            lambda: sum(counts(one)["done"] + counts(one)["failed"] for one in COMPANIES) >= published + len(COMPANIES),
            what="everything to go through",
            timeout=seconds + 120,
        )
        uses = [stack.sandbox.get("tokens/refresh", tenant=one)["tokens"] for one in COMPANIES]
        return Load(
            processes=workers * concurrency,
            seconds=seconds,
            transfers=published,
            failed=sum(counts(one)["failed"] for one in COMPANIES),
            refreshes=sum(token["shown"] for tokens in uses for token in tokens),
            most_uses=max(token["shown"] for tokens in uses for token in tokens),
            lost=sum(1 for one in COMPANIES if not _alive(system, one)),
        )


def _publish(system: System, seconds: float) -> int:
    started, published = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        company = COMPANIES[published % len(COMPANIES)]
        number = str(10_000 + published)
        system.publish(customer_json(company=company, event_id=f"c{published}", customer_number=number))
        published += 1
        time.sleep(max(0.0, started + published / PER_SECOND - time.monotonic()))
    return published


def _alive(system: System, company: str) -> bool:
    services = system.app.services
    held = services.stores.connections.held(company)
    if held is None or services.ordering.paused(company) is not None:
        return False
    return bool(services.fortnox.tokens.renew(company, held.tokens.access_token.get_secret_value()))
