"""The stand-in's feed: as strict as what is published, and every unknown an option."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.sandbox.sandbox_client import Ledger, Sandbox
from tests.waiting import wait_until

ROW = {"Account": 4010, "Debit": 1000, "Project": "1"}


class Socket:
    """A client that does nothing by itself."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def tell(self, command: str, **fields: Any) -> Any:
        self.connection.send(json.dumps({"command": command, **fields}))
        return self.next()

    def next(self, timeout: float = 10) -> Any:
        return json.loads(self.connection.recv(timeout))

    def add(self, *ledgers: Ledger, secret: str = "sandbox-secret") -> Any:
        tokens = [f"Bearer {one.tokens['access_token']}" for one in ledgers]
        return self.tell("add-tenants-v1", clientSecret=secret, includeChildTenants=False, accessTokens=tokens)

    def subscribe(self, *ledgers: Ledger, **offsets: str) -> None:
        assert self.add(*ledgers)["result"] == "ok"
        topics = [{"topic": "customers"}, {"topic": "supplier-invoices"}, {"topic": "financial-years"}]
        for topic in topics:
            topic.update({"offset": offsets["offset"]} if offsets else {})
        assert self.tell("add-topics-v1", topics=topics) == {"response": "add-topics-v1", "result": "ok"}
        assert self.tell("subscribe-v1") == {"response": "subscribe-v1", "result": "ok"}

    def nothing_more(self, sandbox: Sandbox, ledger: Ledger) -> bool:
        """Whether the next event is one that is made now."""
        sandbox.control("accounts", tenant=ledger.tenant, number=9999)
        return bool(self.next()["entityId"] == "9999")


@contextmanager
def _socket(sandbox: Sandbox, **options: Any) -> Iterator[Socket]:
    address = sandbox.fortnox.replace("http", "ws", 1) + "/topics-v1"
    with connect(address, legacy=True, proxy=None, **options) as connection:
        yield Socket(connection)


@pytest.fixture
def socket(sandbox: Sandbox) -> Iterator[Socket]:
    with _socket(sandbox) as one:
        yield one


def test_a_change_in_a_ledger_is_told_with_its_topic_type_tenant_and_number(
    sandbox: Sandbox, acme: Ledger, socket: Socket
) -> None:
    socket.subscribe(acme)

    acme.customer("10001")
    sandbox.control("customers", tenant="acme", number="10001", Name="Byggarna AB")

    created, updated = socket.next(), socket.next()
    assert (created["topic"], created["type"], created["entityId"]) == ("customers", "customer-created-v1", "10001")
    assert created["tenantId"] == acme.tenant_id
    assert updated["type"] == "customer-updated-v2"
    assert created["offset"] != updated["offset"]
    assert "+0" in created["timestamp"]


def test_what_people_do_with_supplier_invoices_accounts_and_years_is_told(
    sandbox: Sandbox, acme: Ledger, socket: Socket
) -> None:
    socket.subscribe(acme)

    sandbox.control("supplierinvoices", tenant="acme", invoice={"SupplierInvoiceRows": [ROW]})
    sandbox.control("supplierinvoices/1/book", tenant="acme")
    sandbox.control("supplierinvoices/1/cancel", tenant="acme")
    sandbox.control("accounts", tenant="acme", number=3099)
    sandbox.control("accounts", tenant="acme", number=3099, active=False)
    sandbox.control("financialyears", tenant="acme", years=[2026, 2031])

    assert [socket.next()["type"] for _ in range(6)] == [
        "supplier-invoice-created-v1",
        "supplier-invoice-bookkeep-v1",
        "supplier-invoice-cancelled-v1",
        "account-created-v1",
        "account-updated-v1",
        "financial-year-created-v1",
    ]


def test_keys_of_tenant_ids_repeat_the_token_as_it_was_sent(acme: Ledger, socket: Socket) -> None:
    token = acme.tokens["access_token"]
    for sent in (f"Bearer {token}", token):
        answer = socket.tell("add-tenants-v1", clientSecret="sandbox-secret", accessTokens=[sent])
        assert answer["tenantIds"] == {sent: acme.tenant_id}
    assert socket.tell("list-tenants-v1")["tenantIds"] == [acme.tenant_id]
    assert socket.tell("remove-tenants-v1", tenants=[acme.tenant_id])["result"] == "ok"
    assert socket.tell("list-tenants-v1")["tenantIds"] == []


def test_a_wrong_secret_an_unknown_topic_and_a_wrong_order_are_refused(acme: Ledger, socket: Socket) -> None:
    assert socket.tell("add-topics-v1", topics=[{"topic": "customers"}])["result"] == "error"
    assert socket.add(acme, secret="wrong")["result"] == "error"
    assert socket.add(acme)["result"] == "ok"
    assert socket.tell("subscribe-v1")["result"] == "error"
    refused = socket.tell("add-topics-v1", topics=[{"topic": "customers"}, {"topic": "weather"}])
    assert refused == {"response": "add-topics-v1", "result": "error", "invalidTopics": ["weather"]}


@pytest.mark.parametrize(
    ("how", "named", "joined"),
    [("refused", True, False), ("unnamed", False, False), ("partly", True, True), ("left_out", False, True)],
)
def test_a_list_with_an_invalid_token_is_answered_as_the_option_says(
    sandbox: Sandbox, acme: Ledger, socket: Socket, how: str, named: bool, joined: bool
) -> None:
    sandbox.control("options", feed_invalid_tokens=how)
    tokens = [f"Bearer {acme.tokens['access_token']}", "Bearer wrong"]
    answer = socket.tell("add-tenants-v1", clientSecret="sandbox-secret", accessTokens=tokens)
    assert answer["result"] == ("ok" if how == "left_out" else "error")
    assert answer.get("invalidTokens") == (["Bearer wrong"] if named else None)
    assert socket.tell("list-tenants-v1")["tenantIds"] == ([acme.tenant_id] if joined else [])


def test_events_of_other_tenants_and_topics_and_without_the_scope_are_not_told(
    sandbox: Sandbox, acme: Ledger, socket: Socket
) -> None:
    other = sandbox.connect("other", service=True)
    narrow = sandbox.connect("narrow", service=True, scopes="bookkeeping")
    socket.subscribe(acme, narrow)
    other.customer()
    acme.project()
    sandbox.control("customers", tenant="narrow", number="1")
    assert socket.nothing_more(sandbox, acme)


def test_an_offset_replays_what_came_after_it(sandbox: Sandbox, acme: Ledger) -> None:
    with _socket(sandbox) as first:
        first.subscribe(acme)
        acme.customer("1")
        acme.customer("2")
        offset = first.next()["offset"]
    acme.customer("3")
    with _socket(sandbox) as second:
        second.subscribe(acme, offset=offset)
        assert [second.next()["entityId"], second.next()["entityId"]] == ["2", "3"]
    with _socket(sandbox) as third:
        third.subscribe(acme, offset="stale")
        assert third.next()["entityId"] == "1"
    sandbox.control("options", feed_unknown_offset="refused")
    with _socket(sandbox) as fourth:
        fourth.add(acme)
        topics = [{"topic": "customers", "offset": "stale"}]
        assert fourth.tell("add-topics-v1", topics=topics)["invalidTopics"] == ["customers"]


@pytest.mark.parametrize("replays", [True, False])
def test_a_tenant_added_late_gets_what_came_before_only_where_the_option_says_so(
    sandbox: Sandbox, acme: Ledger, replays: bool
) -> None:
    sandbox.control("options", feed_replays_to_late_tenants=replays)
    late = sandbox.connect("late", service=True)
    with _socket(sandbox) as one:
        one.subscribe(acme, offset="stale")
        late.customer("7")
        one.add(late)
        late.customer("8")
        assert one.next()["entityId"] == ("7" if replays else "8")


def test_events_are_lost_and_doubled_as_the_options_say(sandbox: Sandbox, acme: Ledger, socket: Socket) -> None:
    sandbox.control("options", feed_lose_every=2, feed_double_every=3)
    socket.subscribe(acme)
    for number in ("1", "2", "3", "4", "5"):
        acme.customer(number)
    assert [socket.next()["entityId"] for _ in range(4)] == ["1", "3", "3", "5"]


def test_an_event_can_come_before_the_api_shows_the_change(sandbox: Sandbox, acme: Ledger, socket: Socket) -> None:
    sandbox.control("supplierinvoices", tenant="acme", invoice={"SupplierInvoiceRows": [ROW]})
    sandbox.control("options", feed_ahead_seconds=0.5)
    socket.subscribe(acme)

    sandbox.control("supplierinvoices/1/book", tenant="acme")

    assert socket.next()["type"] == "supplier-invoice-bookkeep-v1"

    def booked() -> bool:
        return bool(acme.get("/3/supplierinvoices/1").json()["SupplierInvoice"]["Booked"])

    assert not booked()
    wait_until(booked, what="the API to show the posting")


def test_a_socket_is_closed_with_the_code_of_the_options(sandbox: Sandbox, socket: Socket) -> None:
    sandbox.control("options", feed_close_code=4001)
    sandbox.control("feed/close")
    with pytest.raises(ConnectionClosed) as closed:
        socket.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001


def test_an_idle_socket_is_closed_and_pings_keep_it_open(sandbox: Sandbox) -> None:
    sandbox.control("options", feed_idle_seconds=0.5)
    with _socket(sandbox, ping_interval=0.1) as kept, _socket(sandbox, ping_interval=None) as idle:
        with pytest.raises(ConnectionClosed):
            idle.next()
        assert kept.tell("list-tenants-v1")["result"] == "ok"


def test_a_silent_socket_stays_open_and_answers_no_ping(sandbox: Sandbox, socket: Socket) -> None:
    assert sandbox.control("feed/silence") == {"silenced": 1}
    assert not socket.connection.ping().wait(0.3)


def test_a_withdrawn_consent_shows_as_the_option_says(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.control("options", feed_revoked="removed")
    with _socket(sandbox) as one:
        one.subscribe(acme)
        sandbox.control("grants/revoke", tenant="acme")
        assert one.next() == {"response": "remove-tenants-v1", "result": "ok", "tenants": [acme.tenant_id]}
        assert one.tell("list-tenants-v1")["tenantIds"] == []


def test_unknown_commands_text_and_binary_are_met_as_the_options_say(sandbox: Sandbox, acme: Ledger) -> None:
    with _socket(sandbox) as one:
        assert one.tell("make-coffee-v1") == {"response": "make-coffee-v1", "result": "error"}
        one.connection.send("not JSON")
        with pytest.raises(ConnectionClosed):
            one.next()
    with _socket(sandbox) as two:
        two.connection.send(b"{}")
        with pytest.raises(ConnectionClosed):
            two.next()
    sandbox.control("options", feed_unknown_command="closed")
    with _socket(sandbox) as three, pytest.raises(ConnectionClosed):
        three.tell("make-coffee-v1")


def test_more_tenants_than_the_option_allows_are_refused(sandbox: Sandbox, acme: Ledger, socket: Socket) -> None:
    sandbox.control("options", feed_tenants_per_command=1)
    assert socket.add(acme, sandbox.connect("other", service=True))["result"] == "error"
    assert socket.add(acme)["result"] == "ok"


def test_the_feed_can_be_switched_off(sandbox: Sandbox) -> None:
    sandbox.control("options", feed_enabled=False)
    with pytest.raises(InvalidStatus), _socket(sandbox):
        pass
