"""The client of Fortnox's feed against the sandbox's: whatever the unpublished parts turn out to be."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fortnox.feed import FeedConnection, FeedEvent, FeedLost
from fortnox.oauth import OAuth
from tests.services import CLIENT_SECRET, Sandbox
from tests.waiting import wait_until

Token = Callable[[str], str]
ROW = {"Account": 4010, "Debit": 1000, "Project": "1"}


@pytest.fixture
def token(sandbox: Sandbox, oauth: OAuth) -> Token:
    """Connects a company. Returns its access token."""

    def connect(tenant: str) -> str:
        sandbox.tenant(tenant)
        return oauth.exchange_code(sandbox.code(tenant)).access_token.get_secret_value()

    return connect


@pytest.fixture
def odd() -> list[str]:
    return []


@pytest.fixture
def feed(sandbox: Sandbox, odd: list[str]) -> Iterator[FeedConnection]:
    with FeedConnection(sandbox.addresses.feed, on_odd=odd.append, proxies=False) as connection:
        yield connection


def _next(feed: FeedConnection) -> Any:
    return wait_until(lambda: feed.next(0.5), what="an event")


def test_a_change_comes_as_an_event(sandbox: Sandbox, feed: FeedConnection, token: Token) -> None:
    acme = token("acme")
    joined = feed.add_tenants(CLIENT_SECRET, [acme])
    assert feed.add_topics({"customers": None, "invoices": None}) == {"customers": None, "invoices": None}
    feed.subscribe()

    sandbox.customer("acme", "10001")

    event = _next(feed)
    assert (event.kind, event.verb, event.number) == ("customer", "created", "10001")
    assert event.tenant_id == joined.tenants[acme]
    assert feed.tenants() == {event.tenant_id}


@pytest.mark.parametrize("how", ["refused", "unnamed", "partly", "left_out"])
def test_a_dead_token_keeps_no_other_company_out(
    sandbox: Sandbox, feed: FeedConnection, token: Token, how: str
) -> None:
    sandbox.post("options", {"feed_invalid_tokens": how})
    tokens = [token("a"), token("b"), "dead", token("c")]

    joined = feed.add_tenants(CLIENT_SECRET, tokens)

    assert joined.refused == ("dead",)
    assert set(joined.tenants) == set(tokens) - {"dead"}
    assert len(feed.tenants()) == 3


def test_more_tenants_than_a_command_may_have_are_added_in_parts(
    sandbox: Sandbox, feed: FeedConnection, token: Token
) -> None:
    sandbox.post("options", {"feed_tenants_per_command": 2})
    tokens = [token(name) for name in "abcde"]
    assert set(feed.add_tenants(CLIENT_SECRET, tokens).tenants) == set(tokens)


def test_a_wrong_secret_refuses_every_token(feed: FeedConnection, token: Token) -> None:
    tokens = [token("a"), token("b")]
    assert feed.add_tenants("wrong", tokens) == ({}, tuple(tokens))


@pytest.mark.parametrize("how", ["earliest", "now", "refused"])
def test_an_offset_that_is_too_old_stops_nothing(
    sandbox: Sandbox, feed: FeedConnection, token: Token, how: str
) -> None:
    sandbox.post("options", {"feed_unknown_offset": how})
    feed.add_tenants(CLIENT_SECRET, [token("acme")])
    assert feed.add_topics({"customers": "stale"}).keys() == {"customers"}
    feed.subscribe()
    sandbox.customer("acme", "10001")
    assert _next(feed).number == "10001"


def test_a_topic_that_fortnox_does_not_have_is_left_out(feed: FeedConnection, token: Token) -> None:
    feed.add_tenants(CLIENT_SECRET, [token("acme")])
    assert feed.add_topics({"customers": None, "weather": "x"}).keys() == {"customers"}


def test_events_that_come_between_a_command_and_its_answer_are_kept(
    sandbox: Sandbox, feed: FeedConnection, token: Token
) -> None:
    feed.add_tenants(CLIENT_SECRET, [token("acme")])
    feed.add_topics({"customers": None})
    feed.subscribe()
    for number in ("1", "2", "3"):
        sandbox.customer("acme", number)
    assert feed.tenants()
    assert [_next(feed).number for _ in range(3)] == ["1", "2", "3"]


def test_what_is_not_understood_is_counted_and_left_out(
    sandbox: Sandbox, feed: FeedConnection, token: Token, odd: list[str]
) -> None:
    feed.add_tenants(CLIENT_SECRET, [token("acme")])
    feed.add_topics({"customers": None})
    feed.subscribe()
    for text in ("nonsense", "[]", '{"weather": "fine"}', '{"topic": "customers"}'):
        sandbox.post("feed/say", {"text": text})
    sandbox.post("feed/events", {"tenant": "acme", "topic": "customers", "type": "customer-sang-v9", "entityId": 7})
    sandbox.customer("acme", "1")

    first, second = _next(feed), _next(feed)

    assert isinstance(first, FeedEvent)
    assert (first.known, second.known, second.number) == (False, True, "1")
    assert odd == ["not JSON", "not an object", "neither event nor answer", "event without topic, type or offset"]


@pytest.mark.parametrize("code", [1000, 1008, 1012, 4001])
def test_a_closed_socket_is_a_lost_feed_whatever_its_code(sandbox: Sandbox, feed: FeedConnection, code: int) -> None:
    sandbox.post("feed/close", {"code": code})
    with pytest.raises(FeedLost) as lost:
        wait_until(lambda: feed.next(0.5), what="the feed to be lost")
    assert lost.value.code == code


def test_a_socket_that_is_silent_without_closing_is_a_lost_feed(sandbox: Sandbox) -> None:
    with FeedConnection(sandbox.addresses.feed, proxies=False, ping_every=0.2, pong_within=0.2) as feed:
        sandbox.post("feed/silence")
        with pytest.raises(FeedLost):
            wait_until(lambda: feed.next(0.5), what="the feed to be lost")


def test_pings_keep_an_idle_socket_open(sandbox: Sandbox) -> None:
    sandbox.post("options", {"feed_idle_seconds": 1.0})
    with FeedConnection(sandbox.addresses.feed, proxies=False, ping_every=0.2) as feed:
        assert feed.next(1.5) is None
        assert feed.tenants() == frozenset()


def test_a_feed_that_cannot_be_reached_or_refuses_us_is_lost(sandbox: Sandbox) -> None:
    with pytest.raises(FeedLost, match="no connection"):
        FeedConnection("ws://127.0.0.1:9/topics-v1", proxies=False)
    sandbox.post("options", {"feed_enabled": False})
    with pytest.raises(FeedLost, match="handshake refused"):
        FeedConnection(sandbox.addresses.feed, proxies=False)


def test_a_command_without_an_answer_is_a_lost_feed(sandbox: Sandbox) -> None:
    with FeedConnection(sandbox.addresses.feed, proxies=False, answer_within=0.3) as feed:
        sandbox.post("feed/silence")
        with pytest.raises(FeedLost, match="no answer"):
            feed.tenants()
