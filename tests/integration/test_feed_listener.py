"""The feed's listener against a real Redis and the sandbox: what it keeps, and what does not end it."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis

from delivery.feed import listener
from delivery.feed.dispatcher import HintDispatcher
from delivery.feed.listener import LONGEST_PAUSE, FeedListener, Timing, pause_before
from delivery.feed.tenants import to_add
from delivery.tokens import to_tokens
from fortnox.feed import KINDS, TOPICS
from stores import Version
from stores.connections import TokenState
from stores.feed import MISSED, Hint
from tests.services import Sandbox
from tests.unattended import Unattended, unattended_services
from tests.unit.factories import integration_json
from tests.waiting import wait_until
from worker.metrics import PREFIX, registry

QUICK = Timing(lease=2, ping_every=0.3, pong_within=0.3, scan_every=0.2, check_every=0.5, gather=5.0, say_every=0.0)


class Listening:
    """The listener, stepped by the test."""

    def __init__(self, unattended: Unattended) -> None:
        self.sandbox = unattended.sandbox
        self.services = unattended.services
        self.listener = self.another("one")

    def another(self, name: str, timing: Timing = QUICK) -> FeedListener:
        return FeedListener(self.services, name, timing)

    def until(self, condition: Callable[[], Any], what: str, listener: FeedListener | None = None) -> Any:
        """Step until the condition holds."""

        def step() -> Any:
            (listener or self.listener).step()
            return condition()

        return wait_until(step, what=what)

    def subscribed(self, companies: int = 1, listener: FeedListener | None = None) -> None:
        def heard() -> bool:
            state = self.services.feed.state()
            return state is not None and state.connected and state.companies == companies

        self.until(heard, "the feed to be subscribed", listener)

    def kept(self) -> list[Hint]:
        return [Hint.from_json(text) for text in self.services.feed.waiting(1000)]

    def hints(self) -> list[Hint]:
        """Of what changed."""
        return [hint for hint in self.kept() if hint.verb != MISSED]

    def missed(self) -> list[tuple[str, set[str]]]:
        """Of which events are not replayed: the company ("": of all) and the kinds."""
        return [(hint.company, set(hint.kind.split())) for hint in self.kept() if hint.verb == MISSED]

    def numbers(self) -> list[str]:
        return [hint.number for hint in self.hints()]

    def counted(self, *field: str) -> int:
        return self.services.telemetry.counters.read().get(field, 0)


@pytest.fixture
def unattended(redis_url: str, redis_client: "redis.Redis", sandbox: Sandbox) -> Iterator[Unattended]:
    """The services, with the feed."""
    with unattended_services(redis_url, sandbox, fortnox_feed_url=sandbox.addresses.feed) as services:
        yield services


@pytest.fixture
def listening(unattended: Unattended) -> Iterator[Listening]:
    one = Listening(unattended)
    yield one
    one.listener.close()


@pytest.fixture
def heard(listening: Listening, unattended: Unattended) -> Listening:
    """Listening to `acme`."""
    unattended.connect()
    listening.subscribed()
    return listening


def _connect(unattended: Unattended, company: str) -> None:
    """Connect another company, as a worker would."""
    unattended.sandbox.tenant(company)
    code = unattended.sandbox.code(company)
    grant = unattended.services.fortnox.oauth.exchange_code(code, company=company)
    acme = unattended.services.stores.connections.get("acme")
    unattended.services.redis.sadd("mf:companies", company)
    connection = acme.model_copy(update={"company": company, "tenant_id": grant.tenant_id, "revision": 0})
    unattended.services.stores.connections.begin(connection, to_tokens(grant))


def test_what_changes_in_a_connected_companys_ledger_is_kept_as_a_hint(heard: Listening) -> None:
    heard.sandbox.customer("acme", "10001")
    heard.sandbox.account("acme", 3099)

    heard.until(lambda: len(heard.hints()) == 2, "two hints")

    first, second = heard.hints()
    assert first[:4] == ("acme", "customer", "created", "10001")
    assert second[:4] == ("acme", "account", "created", "3099")
    assert heard.counted("feed_events", "customer-created") == 1


def test_metrics_say_whether_it_is_connected_what_it_heard_and_how_late(heard: Listening) -> None:
    def value(name: str, **labels: str) -> float | None:
        return registry(heard.services).get_sample_value(PREFIX + name, labels)

    assert (value("feed_connected"), value("feed_companies")) == (1, 1)
    heard.sandbox.customer("acme", "10001")
    heard.until(heard.hints, "a hint")
    assert value("feed_events_total", type="customer-created") == 1
    assert value("feed_lag_seconds_count") == 1
    assert value("feed_hints_waiting") == 2  # and that what came before the first socket was missed
    heard.sandbox.post("options", {"feed_enabled": False})
    heard.sandbox.post("feed/close")
    heard.until(lambda: value("feed_connected") == 0, "the metrics to say that it is not connected")
    heard.until(lambda: value("feed_connections_total", outcome="lost"), "the loss to be counted")


def test_without_a_connected_company_no_socket_is_opened(listening: Listening) -> None:
    state = listening.until(listening.services.feed.state, "the listener to say something")
    assert (state.connected, state.why) == (False, "no company is connected")
    assert listening.sandbox.get("feed")["connections"] == 0


def test_a_company_that_connects_later_is_added_to_the_open_socket(heard: Listening, unattended: Unattended) -> None:
    unattended.sandbox.tenant("late")
    _connect(unattended, "late")
    heard.subscribed(companies=2)

    heard.sandbox.customer("late", "7")

    heard.until(lambda: heard.hints(), "a hint")
    assert heard.hints()[0].company == "late"
    assert heard.sandbox.get("feed")["connections"] == 1


def test_each_token_is_replaced_by_a_newer_one_before_it_ends(heard: Listening) -> None:
    heard.sandbox.post("options", {"feed_expired_tokens": "removed"})
    before = heard.sandbox.get("feed")["commands"]["add-tenants-v1"]
    heard.sandbox.post("tokens/expire", {"tenant": "acme"})
    heard.services.redis.hset("mf:connection:acme", "renew_at", 1)

    heard.until(
        lambda: heard.sandbox.get("feed")["commands"]["add-tenants-v1"] > before, "the tenant to be added again"
    )

    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "a hint")
    assert heard.sandbox.get("feed")["connections"] == 1


@pytest.mark.parametrize("how", ["refused", "unnamed", "partly", "left_out"])
def test_one_companys_dead_grant_is_told_and_ends_no_others_feed(
    listening: Listening, unattended: Unattended, how: str
) -> None:
    unattended.sandbox.post("options", {"feed_invalid_tokens": how})
    unattended.connect()
    for name in ("b", "c"):
        _connect(unattended, name)
    unattended.sandbox.post("grants/revoke", {"tenant": "b"})

    listening.subscribed(companies=2)

    listening.until(lambda: listening.services.ordering.paused("b"), "the company to be paused")
    listening.sandbox.customer("acme", "1")
    listening.sandbox.customer("c", "2")
    listening.until(lambda: listening.numbers() == ["1", "2"], "both hints")


def test_where_the_feed_tells_of_a_withdrawn_consent_the_company_pauses_at_once(
    heard: Listening, unattended: Unattended
) -> None:
    heard.sandbox.post("options", {"feed_revoked": "removed"})
    heard.sandbox.post("grants/revoke", {"tenant": "acme"})
    heard.until(lambda: heard.services.ordering.paused("acme"), "the company to be paused")
    assert "" in unattended.reported()


def test_a_tenant_that_the_feed_lost_is_noticed_and_added_again(heard: Listening, unattended: Unattended) -> None:
    """A revoked consent may show only in the list of tenants."""
    with_tenants = heard.sandbox.get("feed")["tenants"]
    heard.sandbox.post("feed/say", {"text": "{}"})
    feed = heard.listener._feed
    assert feed is not None
    feed.remove_tenants(with_tenants)
    heard.until(lambda: heard.sandbox.get("feed")["tenants"] == with_tenants, "the tenant to be back")


def test_a_company_that_is_disconnected_leaves_the_feed(heard: Listening, unattended: Unattended) -> None:
    _connect(unattended, "stays")
    heard.subscribed(companies=2)
    unattended.publish(integration_json(event_id="off", type="integration.disabled", authorization_code=None))
    assert unattended.run("off") == "done"
    stays = heard.services.stores.connections.ledger("stays")
    heard.until(lambda: heard.sandbox.get("feed")["tenants"] == [stays], "the tenant to be removed")


def test_after_a_lost_socket_the_feed_goes_on_from_where_it_was_read(heard: Listening) -> None:
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "a hint")

    heard.sandbox.post("feed/close", {"code": 1012})
    heard.sandbox.customer("acme", "2")
    heard.until(lambda: "2" in heard.numbers(), "the event from meanwhile")

    assert heard.numbers() == ["1", "2"]
    assert heard.counted("feed_connections", "lost") == 1
    assert heard.counted("feed_connections", "opened") == 2


def test_a_silent_socket_is_given_up(heard: Listening) -> None:
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "a hint")
    heard.sandbox.post("feed/silence")
    heard.sandbox.customer("acme", "2")
    heard.until(lambda: heard.numbers() == ["1", "2"], "the event over another socket")


def test_a_feed_that_is_down_or_refuses_us_is_said_and_tried_again(heard: Listening) -> None:
    heard.sandbox.post("options", {"feed_enabled": False})
    heard.sandbox.post("feed/close")

    def refused() -> bool:
        state = heard.services.feed.state()
        return state is not None and state.why == "handshake refused"

    heard.until(refused, "the listener to say that it is refused")
    heard.sandbox.post("options", {"feed_enabled": True})
    heard.subscribed()


def _hear_every_topic(heard: Listening) -> None:
    """So that each has an offset. Forgets what was kept until then."""
    for topic, kinds in TOPICS.items():
        event = {"tenant": "acme", "topic": topic, "type": f"{kinds[0]}-updated-v1", "entityId": 1}
        heard.sandbox.post("feed/events", event)
    heard.until(lambda: len(heard.hints()) == len(TOPICS), "a hint of each topic")
    assert heard.services.feed.drop(heard.services.feed.waiting(1000))


def _again(heard: Listening) -> None:
    heard.sandbox.post("feed/close")
    heard.until(lambda: heard.sandbox.get("feed")["connections"] == 2, "another socket")
    heard.subscribed()


def test_what_came_before_the_first_socket_was_missed(heard: Listening) -> None:
    assert heard.missed() == [("", set(KINDS))]


def test_a_gap_that_is_replayed_misses_nothing(heard: Listening) -> None:
    _hear_every_topic(heard)
    _again(heard)
    assert heard.missed() == []


def test_a_topic_whose_offset_is_refused_was_missed(heard: Listening) -> None:
    _hear_every_topic(heard)
    heard.sandbox.post("options", {"feed_unknown_offset": "refused"})
    heard.services.redis.hset("mf:feed:offsets", "financial-years", "stale")
    _again(heard)
    assert heard.missed() == [("", {"account", "financial-year"})]


def test_a_gap_longer_than_fortnox_replays_was_missed(heard: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    _hear_every_topic(heard)
    monkeypatch.setattr(listener, "REPLAYED", timedelta(0))
    _again(heard)
    assert heard.missed() == [("", set(KINDS))]


def test_what_came_before_a_company_was_added_to_the_open_socket_was_missed(
    heard: Listening, unattended: Unattended
) -> None:
    _hear_every_topic(heard)
    _connect(unattended, "late")
    heard.subscribed(companies=2)
    assert heard.missed() == [("late", set(KINDS))]


@pytest.mark.parametrize("replays", ["earliest", "now", "refused"])
def test_an_offset_that_fortnox_no_longer_has_stops_nothing(heard: Listening, replays: str) -> None:
    heard.sandbox.post("options", {"feed_unknown_offset": replays})
    heard.services.redis.hset("mf:feed:offsets", "customers", "stale")
    heard.sandbox.post("feed/close")
    heard.until(lambda: heard.sandbox.get("feed")["connections"] == 2, "another socket")
    heard.subscribed()
    heard.sandbox.customer("acme", "1")
    heard.until(lambda: "1" in heard.numbers(), "the hint")


def test_a_double_and_an_unknown_type_tenant_or_answer_cost_nothing(heard: Listening) -> None:
    heard.sandbox.post("options", {"feed_double_every": 1})
    known = {"tenant": "acme", "topic": "customers", "type": "customer-updated-v2", "entityId": 1}
    heard.sandbox.post("feed/events", {**known, "type": "customer-sang-v3"})
    heard.sandbox.post("feed/events", {**known, "entityId": ""})
    heard.sandbox.post("feed/say", {"text": '{"response": "weather-v1", "result": "ok"}'})
    stranger = {"topic": "customers", "type": "customer-updated-v2", "tenantId": 5, "entityId": "1", "offset": "x1"}
    heard.sandbox.post("feed/say", {"text": json.dumps(stranger)})
    heard.sandbox.customer("acme", "1")

    heard.until(lambda: len(heard.hints()) == 2, "the doubled hint")

    assert heard.numbers() == ["1", "1"]
    assert heard.counted("feed_ignored", "type") == 2
    assert heard.counted("feed_ignored", "number") == 2
    assert heard.counted("feed_ignored", "tenant") == 1
    assert heard.counted("feed_ignored", "answer") == 1


HUGE = 20_000_000  # bytes: more than the list of all tenants would have
EVENT = {"topic": "customers", "offset": "x1", "type": "customer-updated-v2", "entityId": "1"}


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ('{"topic": ' * 100_000, "not JSON"),
        ('{"topic": "customers", "tenantId": 1' + "0" * 5000 + "}", "not JSON"),
        ("17", "not an object"),
        ("null", "not an object"),
        ("[]", "not an object"),
        ("{}", "neither event nor answer"),
        ('{"response": 7}', "neither event nor answer"),
        (json.dumps({**EVENT, "tenantId": None}), "event without tenant"),
        (json.dumps({**EVENT, "tenantId": {"a": [1]}}), "event without tenant"),
        (json.dumps({**EVENT, "tenantId": True}), "event without tenant"),
        (json.dumps({**EVENT, "tenantId": 1, "offset": None}), "event without topic, type or offset"),
        (json.dumps({**EVENT, "tenantId": 1, "offset": "x" * 300}), "event without topic, type or offset"),
        (json.dumps({**EVENT, "tenantId": 1, "topic": ["customers"]}), "event without topic, type or offset"),
        (json.dumps({**EVENT, "tenantId": 1, "type": {}}), "event without topic, type or offset"),
        (json.dumps({**EVENT, "tenantId": 1, "type": "customer-sang-v3"}), "type"),
        (json.dumps({**EVENT, "tenantId": 1, "type": "\u0000"}), "type"),
        (json.dumps({**EVENT, "tenantId": 4711}), "tenant"),
        (json.dumps({**EVENT, "tenantId": -1}), "tenant"),
        (json.dumps({**EVENT, "tenantId": 10**18}), "tenant"),
        (json.dumps({**EVENT, "tenantId": 4711, "timestamp": [], "entityId": {}}), "tenant"),
    ],
)
def test_what_cannot_be_understood_is_counted_and_costs_nothing(heard: Listening, text: str, counted: str) -> None:
    heard.sandbox.post("feed/say", {"text": text})
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "the event after it")
    assert (heard.numbers(), heard.counted("feed_ignored", counted)) == (["1"], 1)
    assert heard.sandbox.get("feed")["connections"] == 1


@pytest.mark.parametrize(
    "number", [None, True, 1.5, [], {"a": 1}, "", "..", "a\nb", "x" * 300, "\u0000"], ids=lambda one: repr(one)[:12]
)
def test_an_event_of_ours_without_a_number_that_could_be_one_is_counted(heard: Listening, number: object) -> None:
    (tenant,) = heard.sandbox.get("feed")["tenants"]
    heard.sandbox.post("feed/say", {"text": json.dumps({**EVENT, "tenantId": tenant, "entityId": number})})
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "the event after it")
    assert (heard.numbers(), heard.counted("feed_ignored", "number")) == (["1"], 1)


def test_a_binary_frame_is_counted_and_costs_nothing(heard: Listening) -> None:
    heard.sandbox.post("feed/say", {"bytes_base64": "AAEC/w=="})
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "the event after it")
    assert (heard.numbers(), heard.counted("feed_ignored", "not an object")) == (["1"], 1)


@pytest.mark.parametrize("how", ["large", "not UTF-8"])
def test_a_frame_that_is_too_large_or_no_text_costs_a_socket_and_no_event(heard: Listening, how: str) -> None:
    _hear_every_topic(heard)
    if how == "large":
        heard.sandbox.post("feed/say", {"letters": HUGE})
    else:
        heard.sandbox.post("feed/say", {"frame_base64": "gQL//g=="})  # a text frame that is no UTF-8
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "the event from meanwhile")
    heard.subscribed()
    assert heard.numbers() == ["1"]
    assert heard.counted("feed_connections", "lost") == 1


def test_an_event_of_a_company_that_is_disconnected_costs_nothing(heard: Listening, unattended: Unattended) -> None:
    _connect(unattended, "stays")
    heard.subscribed(companies=2)
    gone = heard.services.stores.connections.ledger("acme")
    unattended.publish(integration_json(event_id="off", type="integration.disabled", authorization_code=None))
    assert unattended.run("off") == "done"
    heard.until(lambda: gone not in heard.sandbox.get("feed")["tenants"], "the tenant to be removed")
    heard.sandbox.post("feed/say", {"text": json.dumps({**EVENT, "tenantId": gone})})
    heard.sandbox.customer("stays", "2")
    heard.until(lambda: "2" in heard.numbers(), "the event after it")
    dispatcher = HintDispatcher(heard.services, "one")
    wait_until(lambda: dispatcher.step() and not heard.kept(), what="the hints to be acted on")
    dispatcher.close()
    assert heard.services.feed.looking() == frozenset()


def test_only_one_listens_and_another_takes_over_when_it_dies(heard: Listening) -> None:
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "a hint")
    other = heard.another("two")
    assert other.step() > 0
    assert heard.sandbox.get("feed")["connections"] == 1

    heard.sandbox.customer("acme", "2")  # `one` is stepped no more: its lease lapses
    heard.until(lambda: heard.numbers() == ["1", "2"], "the other to listen", other)

    assert heard.listener.step() > 0  # it finds that its lease is another's, and hangs up
    assert heard.listener._feed is None
    other.close()


def test_a_hint_is_kept_before_its_offset_is_stored(heard: Listening) -> None:
    heard.sandbox.customer("acme", "1")
    heard.until(heard.hints, "a hint")
    assert heard.services.feed.offsets().keys() == {"customers"}
    assert heard.services.feed.drop(heard.services.feed.waiting(10))
    assert heard.hints() == []


def test_pauses_double_with_jitter_up_to_a_minute() -> None:
    assert [pause_before(n, 0.5) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pause_before(50, 0.5) == LONGEST_PAUSE
    assert (pause_before(1, 0.0), pause_before(1, 1.0)) == (0.5, 1.5)


def test_companies_that_lack_come_before_those_whose_token_is_due() -> None:
    state = TokenState(1, Version(1, 1), due=False)
    wanted = {"due": state._replace(due=True), "new": state, "kept": state, "renewed": state, "refused": state}
    added = {"due": Version(1, 1), "kept": Version(1, 1), "renewed": Version(1, 0)}
    assert to_add(wanted, added, {"refused": Version(1, 1)}) == ["new", "due", "renewed"]


def test_an_event_for_two_companies_of_one_ledger_is_a_hint_for_each(heard: Listening, unattended: Unattended) -> None:
    acme = heard.services.stores.connections.get("acme")
    held = heard.services.stores.connections.held("acme")
    assert held is not None
    heard.services.redis.sadd("mf:companies", "twin")
    twin = acme.model_copy(update={"company": "twin", "revision": 0})
    heard.services.stores.connections.begin(twin, held.tokens)
    heard.subscribed(companies=2)
    heard.sandbox.customer("acme", "1")
    heard.until(lambda: len(heard.hints()) == 2, "two hints")
    assert {hint.company for hint in heard.hints()} == {"acme", "twin"}
