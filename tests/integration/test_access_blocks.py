"""Closed parts of Fortnox over a real engine: who is told, who probes, and what a death in between leaves."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from redis import Redis

from delivery.access_blocks import AccessBlocks
from delivery.retry_policy import decide
from fortnox.codes import explain
from fortnox.errors import AccessMissing, Details, MissingLicence, StillBlocked, ValueRefused
from ordering import Claim, Ordering, Submission
from stores.access_blocks import OPENING
from tests.sentences import sentence

CUSTOMERS = "/3/customers/{number}"
REFUSED = MissingLicence(Details("PUT", CUSTOMERS, 403, "2001101", situation="licence"))


class Company:
    """Customer events of one company, whose licence comes and goes."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        now = count(round(time.time() * 1000))  # a tick for each transition: none falls into the same ms as another
        self.ordering = Ordering(redis, clock=now.__next__)
        self.closed = AccessBlocks(redis, self.ordering)
        self.licensed = False
        self.asked: list[str] = []

    def publish(self, *ids: str, kind: str = "customer") -> None:
        for one in ids:
            key = f"acme/{kind}/{one}" if kind != "integration" else "acme/integration"
            self.ordering.publish(Submission("acme", one, key, f"{kind}.updated", "{}", datetime.now(UTC)))

    def claim(self, event_id: str) -> Claim:
        claim = self.ordering.claim("acme", event_id)
        assert claim is not None
        return claim

    def request(self, claim: Claim, error: Exception | None = None) -> None:
        """What a transfer does: one request through what is closed or open."""
        with self.closed.through(claim, CUSTOMERS):
            self.asked.append(claim.id)
            if error is not None:
                raise error
            if not self.licensed:
                raise REFUSED

    def run(self, event_id: str) -> None:
        claim = self.claim(event_id)
        try:
            self.request(claim)
        except AccessMissing as error:
            self.ordering.settle(claim, decide(error, claim, (), 0.5))

    def status(self, event_id: str) -> str:
        record = self.ordering.event("acme", event_id)
        assert record is not None
        return record.status

    def told(self) -> list[str]:
        """Those that a person is told of now."""
        told = self.ordering.unreported()
        self.ordering.reported(*told)
        return [one.id for one in told]


@pytest.fixture
def company(redis_url: str) -> Iterator[Company]:
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        redis.flushdb()
        yield Company(redis)


def test_the_first_that_is_refused_is_told_and_the_others_do_not_ask(company: Company) -> None:
    company.publish("a", "b", "c")
    for one in ("a", "b", "c"):
        company.run(one)
    assert company.asked == ["a"]
    assert company.told() == ["a"]
    record = company.ordering.event("acme", "c")
    assert record is not None
    assert (record.status, record.blocker) == ("held", "acme/access/customers")
    assert (record.code, record.reason) == ("licence 2001101", explain(REFUSED).reason)


def test_of_several_that_are_refused_at_the_same_time_one_is_told(company: Company) -> None:
    company.publish("a", "b")
    first, second = company.claim("a"), company.claim("b")

    def refused_while_the_first_is() -> None:
        with company.closed.through(second, CUSTOMERS):
            with pytest.raises(MissingLicence):
                company.request(first)
            raise REFUSED

    with pytest.raises(StillBlocked):
        refused_while_the_first_is()


def test_the_probe_is_quiet_while_the_part_is_closed_and_opens_it_for_all_in_order(company: Company) -> None:
    company.publish("a", "b", "c")
    for one in ("a", "b", "c"):
        company.run(one)
    company.told()
    company.closed.probe()
    company.run("a")
    assert (company.asked, company.told(), company.status("a")) == (["a", "a"], [], "held")
    company.licensed = True
    company.closed.probe()
    company.request(company.claim("a"))
    assert company.redis.hgetall("mf:closed") == {}
    assert [company.status(one) for one in ("b", "c")] == ["ready", "ready"]


def test_the_probe_waits_until_a_person_has_been_told(company: Company) -> None:
    company.publish("a")
    company.run("a")
    company.closed.probe()
    assert company.status("a") == "held"


def test_one_that_dies_before_it_is_settled_is_still_told(company: Company) -> None:
    company.publish("a", "b")
    claim = company.claim("a")
    with pytest.raises(MissingLicence):
        company.request(claim)  # and its process dies: it comes again at the same attempt
    with pytest.raises(MissingLicence):
        company.request(claim)
    company.run("b")
    assert company.told() == []
    company.ordering.settle(claim, decide(REFUSED, claim, (), 0.5))
    assert company.told() == ["a"]


def test_days_of_probing_use_up_no_attempts(company: Company) -> None:
    company.publish("a")
    for _ in range(40):
        company.run("a")
        company.told()
        company.closed.probe()
    assert company.claim("a").attempts == 0


def test_a_part_that_opens_while_another_is_closed_is_open(company: Company) -> None:
    company.publish("a", "b")
    everything = MissingLicence(Details("PUT", CUSTOMERS, 403, "2001103", situation="api-licence"))
    claim = company.claim("a")
    with pytest.raises(MissingLicence):
        company.request(claim, everything)
    with pytest.raises(MissingLicence):
        company.request(claim)  # the licence for integrations is there, that for customers is not
    assert list(company.redis.hgetall("mf:closed")) == ["acme/customers"]


def test_a_refusal_at_the_token_endpoint_closes_nothing(company: Company) -> None:
    company.publish("a")
    with pytest.raises(MissingLicence):
        company.request(company.claim("a"), MissingLicence(Details("POST", "/oauth-v1/token", 400)))
    assert company.redis.hgetall("mf:closed") == {}


def test_a_refusal_of_another_kind_opens_the_part(company: Company) -> None:
    company.publish("a", "b")
    company.run("a")
    company.run("b")
    company.told()
    company.closed.probe()
    with pytest.raises(ValueRefused):
        company.request(company.claim("a"), ValueRefused(Details(path=CUSTOMERS)))
    assert company.status("b") == "ready"


def test_a_part_whose_probe_was_given_up_is_opened_for_the_next(company: Company) -> None:
    company.publish("a", "b")
    company.run("a")
    company.run("b")
    company.ordering.skip("acme", "a", sentence("not wanted"))
    company.closed.probe()
    company.run("b")
    assert company.asked == ["a", "b"]
    assert "b" in company.told()


def test_one_that_dies_while_it_opens_a_part_leaves_the_rest_to_the_probe(company: Company) -> None:
    company.publish("a", "b")
    company.run("a")
    company.redis.hset("mf:closed", "acme/customers", OPENING)
    company.closed.probe()
    assert (company.status("a"), company.redis.hgetall("mf:closed")) == ("ready", {})


def test_events_about_the_connection_always_pass_and_are_never_held(company: Company) -> None:
    company.publish("a")
    company.run("a")
    company.publish("on", kind="integration")
    claim = company.claim("on")
    with pytest.raises(MissingLicence) as caught:
        company.request(claim)
    company.ordering.settle(claim, decide(caught.value, claim, (), 0.5))
    assert company.status("on") == "failed"
    company.closed.reopen("acme")
    assert company.status("a") == "ready"


def test_a_closed_part_of_one_company_is_open_for_another(company: Company) -> None:
    company.publish("a")
    company.run("a")
    company.ordering.publish(Submission("bolt", "x", "bolt/customer/1", "customer.updated", "{}", datetime.now(UTC)))
    claim = company.ordering.claim("bolt", "x")
    assert claim is not None
    company.licensed = True
    company.request(claim)
    assert company.asked == ["a", "x"]
