"""The HTTP door `/api/v1`: what it accepts is on disk, what it refuses leaves nothing, and only keys open it."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from config import load_settings
from console.api import bodies
from console.api.document import FILE, document_json
from delivery.services import build_services
from operations import audit
from stores.producer_keys import EVERY
from tests.browsing import Browser, running_console
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json
from tests.unit.test_conventions import ROOT
from tests.waiting import wait_until

EVENTS = "/api/v1/events"
JSON_LINES = "application/x-ndjson"


class Producer:
    """A program with a key."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self.http = requests.Session()
        self.http.headers["authorization"] = f"Bearer {key}"

    def send(self, *events: Any, **options: Any) -> requests.Response:
        body = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in events)
        headers = {"content-type": JSON_LINES} | options.pop("headers", {})
        return self.http.post(self.address + EVENTS, data=body, headers=headers, timeout=60, **options)

    def get(self, path: str) -> requests.Response:
        return self.http.get(f"{self.address}/api/v1/{path}", timeout=60)

    def post(self, path: str, body: bytes = b"") -> requests.Response:
        return self.http.post(f"{self.address}/api/v1/{path}", data=body, timeout=60)


@pytest.fixture
def address(unattended: Unattended) -> Iterator[str]:
    with running_console(unattended.services) as address:
        yield address


@pytest.fixture
def producer(unattended: Unattended, address: str) -> Producer:
    """A program whose key is for `acme` and `beta`."""
    key = unattended.services.stores.producer_keys.make("erp", ["acme", "beta"])
    assert key is not None
    return Producer(address, key)


def errors(answer: requests.Response) -> list[dict[str, Any]]:
    return list(answer.json()["errors"])


# --- Accepting ---


def test_one_event_is_accepted_and_known_when_it_comes_again(unattended: Unattended, producer: Producer) -> None:
    for expected in ({"accepted": 1, "known": 0}, {"accepted": 0, "known": 1}):
        body = json.dumps(customer_json(event_id="e1"), indent=2).encode()
        answer = producer.send(body, headers={"content-type": "application/json; charset=UTF-8"})
        assert (answer.status_code, answer.json()) == (202, expected)
    assert unattended.event("e1").status in ("ready", "waiting")


def test_json_lines_are_accepted_in_their_order_and_delivered(acme: Unattended, producer: Producer) -> None:
    lines = [customer_json(event_id=f"c{n}", customer_number="77", name=f"Name {n}") for n in range(3)]
    answer = producer.send(b"\xef\xbb\xbf" + json.dumps(lines[0]).encode(), b"", *lines[1:], b"  ", lines[0])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 3, "known": 1})
    assert acme.run("c2") == "done"
    names = [one["Name"] for one in acme.sandbox.state("acme")["customers"] if one["CustomerNumber"] == "77"]
    assert names == ["Name 2"]


def test_what_is_no_event_is_named_by_line_and_path_and_nothing_is_accepted(
    unattended: Unattended, producer: Producer
) -> None:
    bad = customer_json(event_id="e2")
    del bad["customer"]["name"]
    worse = invoice_json(event_id="e3")
    worse["invoice"]["lines"][0]["accountNumber"] = "x"
    answer = producer.send(customer_json(event_id="e1"), bad, b"{", worse)
    assert answer.status_code == 422
    assert [(one["line"], one["path"]) for one in errors(answer)] == [
        (2, "customer.name"),
        (3, ""),
        (4, "invoice.lines.0.accountNumber"),
    ]
    assert all(one["message"] for one in errors(answer))
    assert unattended.services.ordering.companies() == []


def test_the_authorization_code_of_a_refused_event_is_not_in_the_answer(producer: Producer) -> None:
    event = {"id": "e1", "company": "acme", "type": "integration.enabled", "occurredAt": "now"}
    answer = producer.send(event | {"integration": {"authorizationCode": "s3cr3t", "errorEmail": 7}})
    assert answer.status_code == 422
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 422),
        (b"\n \n", {}, 422),
        (b"[]", {"content-type": "application/json"}, 422),
        (b"[" * 100_000, {"content-type": "application/json"}, 422),
        (b'{"a": ' + b"9" * 100_000 + b"}", {}, 422),
        (b"\xff\xfe{}", {}, 422),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json; charset=utf-16"}, 415),
        (b"{}", {"content-encoding": "gzip"}, 415),
        (b"\n" * 10_001, {}, 413),
    ],
)
def test_a_body_that_cannot_be_right_is_refused_with_the_reason(
    producer: Producer, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = producer.send(body, headers=headers)
    assert answer.status_code == status
    assert errors(answer)[0]["message"]


# --- Keys ---


def test_without_a_key_nothing_is_answered_but_the_document(producer: Producer, address: str) -> None:
    assert requests.get(f"{address}/api/v1/openapi.json", timeout=30).status_code == 200
    paths = json.loads(document_json())["paths"]
    assert len(paths) >= 6
    for path, methods in paths.items():
        for method in methods:
            for header in ({}, {"authorization": "Bearer mfk_x"}, {"authorization": "Basic eDp5"}):
                answer = requests.request(method, f"{address}/api/v1{path}", headers=header, timeout=30)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"


def test_a_console_session_opens_no_door_and_a_key_opens_no_page(unattended: Unattended, producer: Producer) -> None:
    browser = Browser(producer.address, unattended.services).sign_in("operator")
    assert browser.get("/api/v1/companies").status_code == 401
    answer = producer.http.get(f"{producer.address}/", timeout=30, allow_redirects=False)
    assert answer.is_redirect


def test_a_key_sees_and_sends_its_own_companies_alone(unattended: Unattended, producer: Producer) -> None:
    unattended.publish(customer_json(company="other", event_id="o1"), customer_json(company="acme", event_id="e1"))
    answer = producer.send(customer_json(event_id="e2"), customer_json(company="other", event_id="o2"))
    assert (answer.status_code, errors(answer)[0]["path"]) == (403, "company")
    assert unattended.services.ordering.event("acme", "e2") is None
    unknown = producer.get("events/nobody/o1")
    for path in (
        "events/other/o1",
        "companies/other",
        "failures?company=other",
        "events/acme/o1",
        "events/acme%3A/e1",
    ):
        assert producer.get(path).status_code == 404
        assert producer.get(path).json() == unknown.json()
    for path in ("events/other/o1/retry", "events/other/o1/skip"):
        assert producer.post(path).status_code == 404
    assert [one["company"] for one in producer.get("companies").json()["companies"]] == ["acme"]


def test_a_key_for_all_companies_is_for_those_that_are_not_known_yet(
    unattended: Unattended, producer: Producer
) -> None:
    key = unattended.services.stores.producer_keys.make("moment", [EVERY])
    assert key is not None
    everyone = Producer(producer.address, key)
    assert everyone.send(customer_json(company="new", event_id="n1")).status_code == 202
    assert everyone.get("events/new/n1").status_code == 200


def test_a_revoked_key_is_none_from_the_next_request_on(unattended: Unattended, producer: Producer) -> None:
    assert producer.get("companies").status_code == 200
    unattended.services.stores.producer_keys.revoke("erp")
    assert producer.get("companies").status_code == 401


# --- What became of it, retrying, skipping ---


@pytest.fixture
def failed(acme: Unattended) -> Unattended:
    event = invoice_json(event_id="i1", project=None)
    event["invoice"]["lines"][0]["accountNumber"] = "9999"
    acme.publish(event)
    acme.run("i1")
    return acme


def test_what_became_of_an_event_is_told_in_the_fields_of_the_stream(failed: Unattended, producer: Producer) -> None:
    entries: Any = failed.services.redis.xrange("moment:outcomes")
    told = {fields["id"]: fields for _, fields in entries}
    for event_id in ("e1", "i1"):
        assert producer.get(f"events/acme/{event_id}").json() == told[event_id]
    assert producer.get("events/acme/none").status_code == 404


def test_an_id_with_a_slash_is_found(unattended: Unattended, producer: Producer) -> None:
    assert producer.send(customer_json(event_id="2026/å:1")).status_code == 202
    assert producer.get("events/acme/2026%2F%C3%A5%3A1").json()["id"] == "2026/å:1"


def test_failures_are_told_by_cause_and_retried_and_skipped_in_the_keys_name(
    failed: Unattended, producer: Producer
) -> None:
    failed.publish(customer_json(company="other", event_id="o1"))
    with pytest.raises(Exception, match="NeverConnected"):
        failed.app.tasks["transfer.customer"].run("other", "o1")
    (one,) = producer.get("failures?company=acme").json()["failures"]
    assert (one["events"], "9999" in one["said"], one["companies"]) == (1, True, {"acme": 1})
    assert one["ids"] == [{"company": "acme", "id": "i1"}]
    assert producer.get("failures").json()["failures"] == [one]
    company = producer.get("companies/acme").json()
    assert (company["connection"], company["events"]["failed"]) == ("connected", 1)
    assert producer.post("events/acme/i1/retry").json() == {"status": "ready"}
    failed.run("i1")
    reason = json.dumps({"reason": "entered by hand"}).encode()
    assert producer.post("events/acme/i1/skip", reason).json() == {"status": "skipped"}
    assert producer.post("events/acme/i1/skip").status_code == 409
    assert producer.post("events/acme/e1/skip").status_code == 409
    assert producer.post("events/acme/none/retry").status_code == 404
    entries = audit.page(failed.services, "acme").entries
    acted = {(entry.action, entry.kind, entry.name) for entry in entries if entry.outcome == "done"}
    assert acted == {("event.retried", "key", "erp"), ("event.skipped", "key", "erp")}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b'{"reason": 1}', 422),
        (b'{"reason": " "}', 422),
        (b"\xff", 422),
        (b"x" * 20_000, 413),
    ],
)
def test_a_reason_that_is_none_skips_nothing(failed: Unattended, producer: Producer, body: bytes, status: int) -> None:
    assert producer.post("events/acme/i1/skip", body).status_code == status
    assert failed.event("i1").status == "failed"


def test_many_companies_come_page_by_page(unattended: Unattended, producer: Producer) -> None:
    key = unattended.services.stores.producer_keys.make("moment", [EVERY])
    assert key is not None
    names = [f"c{number:04}" for number in range(1_100)]
    unattended.services.redis.sadd("mf:companies", *names)
    everyone, found, after = Producer(producer.address, key), [], ""
    while after is not None:
        page = everyone.get(f"companies?after={after}").json()
        found += [one["company"] for one in page["companies"]]
        after = page["next"]
    assert found == names


# --- Limits ---


def limited(unattended: Unattended, **settings: Any) -> Any:
    """A console with other settings, and the same Redis."""
    ours = unattended.services.settings
    given = {
        "redis_url": ours.redis_url,
        "fortnox_api_url": ours.fortnox_api_url,
        "fortnox_auth_url": ours.fortnox_auth_url,
    }
    return running_console(build_services(load_settings(None, **(given | settings))))


def begin(connection: socket.socket, producer: Producer, body: bytes) -> None:
    """Send the beginning of a body of 9,999 bytes."""
    head = ("Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 9999")
    key = f"Authorization: {producer.http.headers['authorization']!s}"
    connection.sendall("\r\n".join((f"POST {EVENTS} HTTP/1.1", *head, key, "", "")).encode() + body)


def test_too_many_requests_are_told_how_long_to_wait(unattended: Unattended, producer: Producer) -> None:
    with limited(unattended, api_rate_limit="3/60") as address:
        producer.address = address
        assert [producer.get("companies").status_code for _ in range(3)] == [200] * 3
        refused = producer.send(customer_json(event_id="e1"))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert unattended.services.ordering.companies() == []
        assert unattended.services.redis.ttl("mf:producer-key-window:erp") > 0
        other = Producer(address, str(unattended.services.stores.producer_keys.make("other", ["acme"])))
        assert other.get("companies").status_code == 200


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    unattended: Unattended, producer: Producer
) -> None:
    with limited(unattended, max_event_bytes=10_000) as address:
        producer.address = address
        large = customer_json(event_id="e1", name="x" * 20_000)
        assert producer.send(large).status_code == 413

        def in_chunks() -> Iterator[bytes]:
            yield from (json.dumps(large).encode(),) * 2

        answer = producer.http.post(
            address + EVENTS, data=in_chunks(), headers={"content-type": "application/json"}, timeout=60
        )
        assert answer.status_code == 413
        assert producer.send(customer_json(event_id="e1")).status_code == 202


def test_a_body_that_drips_is_given_up(
    unattended: Unattended, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)
    host, port = producer.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        begin(connection, producer, b"{")
        assert b" 408 " in connection.recv(4096)


def test_bodies_together_have_a_bounded_memory(
    unattended: Unattended, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = bodies.BodyMemory(10_000)
    monkeypatch.setattr("console.api.app.BodyMemory", lambda most: memory)
    with limited(unattended, max_event_bytes=10_000) as address:
        producer.address = address
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as held:
            begin(held, producer, b"x" * 9_900)
            event = customer_json(event_id="e1")
            wait_until(lambda: memory.used == 9_900, what="the body to be read")
            assert producer.send(event).status_code == 503
        wait_until(lambda: producer.send(event).status_code == 202, what="the memory to be free again")


def test_many_at_once_accept_each_event_once(unattended: Unattended, producer: Producer) -> None:
    events = [customer_json(event_id=f"e{n}", customer_number=str(n)) for n in range(50)]
    answers: list[requests.Response] = []

    def send() -> None:
        answers.append(Producer(producer.address, producer.http.headers["authorization"][7:]).send(*events))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202] * 8
    assert sum(answer.json()["accepted"] for answer in answers) == 50


# --- Trouble ---


def test_where_redis_is_away_the_answer_is_503_with_when_to_try_again() -> None:
    settings = load_settings(None, redis_url="redis://127.0.0.1:1/0", fortnox_api_url="http://127.0.0.1:1")
    with running_console(build_services(settings)) as address:
        answer = Producer(address, "mfk_x").send(customer_json(event_id="e1"))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "Send the request again" in errors(answer)[0]["message"]


def test_a_redis_that_takes_no_writes_accepts_nothing_and_says_so(unattended: Unattended, producer: Producer) -> None:
    redis: Any = unattended.services.redis
    redis.config_set("maxmemory", "1")
    try:
        assert producer.send(customer_json(event_id="e1")).status_code == 503
    finally:
        redis.config_set("maxmemory", "0")
    assert unattended.services.ordering.event("acme", "e1") is None


def test_what_redis_holds_of_a_company_that_is_damaged_is_no_reason_to_send_again(
    unattended: Unattended, producer: Producer
) -> None:
    unattended.services.redis.set("mf:company:acme", "no hash")
    answer = producer.send(customer_json(event_id="e1"))
    assert (answer.status_code, "retry-after" in answer.headers) == (500, False)


def test_an_address_that_is_none_and_a_method_that_is_none_are_told_in_json(producer: Producer) -> None:
    for method, path, status in (("GET", "none", 404), ("GET", "events", 405), ("DELETE", "companies", 405)):
        answer = producer.http.request(method, f"{producer.address}/api/v1/{path}", timeout=30)
        assert (answer.status_code, list(answer.json())) == (status, ["errors"])


# --- The document ---


def test_the_committed_document_is_the_one_that_is_served(producer: Producer) -> None:
    assert FILE.read_text(encoding="utf-8") == document_json(), "run python -m console.api.document"
    assert requests.get(f"{producer.address}/api/v1/openapi.json", timeout=30).json() == json.loads(document_json())
    assert FILE.is_relative_to(ROOT / "docs")
