"""The ordering engine with a real Redis and a clock that the test sets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from local import EmbeddedRedis
from messages import NOTHING, Message
from ordering import Claim, Done, Ordering, Outcome, Submission, Wakeup

LEASE = timedelta(seconds=30)


def why(words: str) -> Message:
    """The text of a reason."""
    return Message("test.reason", words=words)


class Line:
    """The engine and a clock, with short operations: `publish`, `run`, `status`."""

    def __init__(self, redis: Redis) -> None:
        self.now = 1_700_000_000_000
        self.ordering = Ordering(redis, lease=LEASE, release_limit=3, clock=lambda: self.now)
        self.woken: list[Wakeup] = []

    def passes(self, **duration: float) -> None:
        self.now += round(timedelta(**duration).total_seconds() * 1000)

    def publish(self, event_id: str, key: str = "customer/1", **fields: object) -> bool:
        """Whether the event was new. Keys are the company's own: `invoice/1`."""
        company = str(fields.pop("company", "acme"))
        needs = tuple(f"{company}/{need}" for need in fields.pop("needs", ()))  # type: ignore[attr-defined]
        admission = self.ordering.publish(
            Submission(
                company=company,
                id=event_id,
                key=f"{company}/{key}",
                type="thing.changed",
                body=f'{{"id":"{event_id}"}}',
                occurred_at=datetime.now(UTC),
                needs=needs,
                **fields,  # type: ignore[arg-type]
            )
        )
        self.woken += admission.wakeups
        return not admission.known

    def claim(self, event_id: str, company: str = "acme") -> Claim:
        claim = self.ordering.claim(company, event_id)
        assert claim is not None, f"{event_id} is {self.status(event_id, company)}"
        return claim

    def run(self, event_id: str, outcome: Outcome | None = None, company: str = "acme") -> None:
        self.settle(self.claim(event_id, company), outcome or Done())

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        self.woken += self.ordering.settle(claim, outcome)

    def pump(self) -> timedelta | None:
        pumped = self.ordering.pump()
        self.woken += pumped.wakeups
        return pumped.next_due

    def status(self, event_id: str, company: str = "acme") -> str:
        record = self.ordering.event(company, event_id)
        return record.status if record else "unknown"

    def reason(self, event_id: str) -> Message:
        record = self.ordering.event("acme", event_id)
        return record.reason if record else NOTHING

    def released(self) -> list[str]:
        """The ids released since the last call."""
        ids = [wakeup.id for wakeup in self.woken]
        self.woken = []
        return ids


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("redis")), appendfsync="no") as server:
        yield server


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushdb()
        yield client


@pytest.fixture
def line(redis: Redis) -> Line:
    return Line(redis)
