"""Faults on demand, random faults, the rate limit and the request log."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.sandbox_client import Ledger, Sandbox, code_of
from tests.waiting import wait_until


def fault(sandbox: Sandbox, kind: str, **more: Any) -> None:
    sandbox.control("faults", kind=kind, **more)


def test_a_code_can_have_another_text(sandbox: Sandbox, acme: Ledger) -> None:
    acme.customer()
    sandbox.control("options", texts={"2000637": "Customer name cannot be empty."})
    try:
        information = acme.customer().json()["ErrorInformation"]
    finally:
        sandbox.control("options", texts={})
    assert (information["Code"], information["Message"]) == (2000637, "Customer name cannot be empty.")


class TestFailNext:
    @pytest.mark.parametrize(
        ("body", "content_type", "text"),
        [
            ("json", "application/json", '{"ErrorInformation":{"Error":1,"Message":"m","Code":7}}'),
            ("lowercase", "application/json", '{"ErrorInformation":{"error":1,"message":"m","code":7}}'),
            ("unauthorized", "application/json", '{"message":"unauthorized"}'),
            ("oauth", "application/json", '{"error":"7","error_description":"m"}'),
            ("html", "text/html", "<html><body><h1>503</h1></body></html>"),
            ("empty", None, ""),
        ],
    )
    def test_it_answers_once_in_the_wanted_form(
        self, sandbox: Sandbox, acme: Ledger, body: str, content_type: str | None, text: str
    ) -> None:
        fault(sandbox, "fail_next", status=503, code=7, message="m", body=body, retry_after=3)
        answer = acme.customer()
        found = (answer.status_code, answer.headers.get("content-type"), answer.text)
        assert found == (503, content_type, text)
        assert answer.headers["retry-after"] == "3"
        assert acme.customer().status_code == 201

    def test_it_counts_skips_and_chooses(self, sandbox: Sandbox, acme: Ledger) -> None:
        other = sandbox.connect("other")
        fault(sandbox, "fail_next", count=2, skip=1, tenant="acme", method="GET", path="/3/customers")
        assert other.get("/3/customers").status_code == 200
        assert acme.get("/3/projects").status_code == 200
        assert acme.customer().status_code == 201
        statuses = [acme.get("/3/customers").status_code for _ in range(4)]
        assert statuses == [200, 500, 500, 200]

    def test_it_reaches_the_authorization_server(self, sandbox: Sandbox, acme: Ledger) -> None:
        fault(sandbox, "fail_next", status=503, path="/oauth-v1/token")
        form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
        assert [sandbox.token(form).status_code, sandbox.token(form).status_code] == [503, 200]


class TestDrops:
    def test_a_lost_answer_leaves_the_write_behind(self, sandbox: Sandbox, acme: Ledger) -> None:
        fault(sandbox, "drop_response_after_write")
        assert acme.get("/3/customers").status_code == 200
        with pytest.raises(requests.ConnectionError):
            acme.customer()
        assert acme.get("/3/customers/10001").status_code == 200
        assert acme.state()["customers"][0]["writes"] == {"POST": 1}
        assert acme.state()["counters"]["unanswered POST /3/customers"] == 1

    def test_a_refused_write_keeps_its_answer_and_the_fault_waits(self, sandbox: Sandbox, acme: Ledger) -> None:
        fault(sandbox, "drop_response_after_write")
        assert acme.customer(Name=None).status_code == 400
        with pytest.raises(requests.ConnectionError):
            acme.customer()

    def test_an_error_after_the_write_leaves_it_behind_too(self, sandbox: Sandbox, acme: Ledger) -> None:
        fault(sandbox, "fail_after_write", status=504, body="html")
        assert acme.customer().status_code == 504
        assert acme.get("/3/customers/10001").status_code == 200

    def test_a_request_dropped_before_changes_nothing(self, sandbox: Sandbox, acme: Ledger) -> None:
        fault(sandbox, "drop_before")
        with pytest.raises(requests.ConnectionError):
            acme.customer()
        assert acme.get("/3/customers/10001").status_code == 404
        assert sandbox.see("requests")["requests"][-2]["fault"] == "drop_before"

    def test_a_lost_refresh_leaves_the_old_token_used(self, sandbox: Sandbox, acme: Ledger) -> None:
        sandbox.control("options", refresh_race_window=0)
        fault(sandbox, "drop_response_after_write", path="/oauth-v1/token")
        form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
        with pytest.raises(requests.ConnectionError):
            sandbox.token(form)
        assert sandbox.token(form).json()["error"] == "invalid_grant"


def test_a_delay_is_waited_for(sandbox: Sandbox, acme: Ledger) -> None:
    fault(sandbox, "delay", seconds=0.2)
    assert acme.get("/3/customers").elapsed.total_seconds() >= 0.2
    assert sandbox.see("faults")["queue"] == []


def test_random_faults_are_repeatable_and_cleared(sandbox: Sandbox, acme: Ledger) -> None:
    def outcomes() -> list[int]:
        sandbox.control("faults", seed=7, rates={"500": 0.2, "429": 0.1, "drop_before": 0.1, "drop_after": 0.1})
        found = []
        for _ in range(60):
            try:
                found.append(acme.get("/3/customers").status_code)
            except requests.ConnectionError:
                found.append(0)
        return found

    first = outcomes()
    assert set(first) == {0, 200, 429, 500}
    assert outcomes() == first
    sandbox.clear("faults")
    assert acme.get("/3/customers").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"kind": "delay", "colour": 1}, {"rates": {"x": 1}}, {"body": "x"}]
)
def test_a_fault_that_is_not_understood_is_refused(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    assert sandbox.session.post(f"{sandbox.fortnox}/_sandbox/faults", json=wrong).status_code == 400


class TestRateLimit:
    @pytest.fixture
    def limited(self, sandbox: Sandbox, acme: Ledger) -> Ledger:
        sandbox.control("options", rate_limit_enabled=True)
        return acme

    def test_the_26th_request_in_five_seconds_is_refused(self, sandbox: Sandbox, limited: Ledger) -> None:
        statuses = [limited.get("/3/customers").status_code for _ in range(27)]
        assert statuses == [200] * 25 + [429] * 2
        assert sandbox.see("requests/count", tenant="acme", by="status")["counts"]["429"] == 2

    def test_it_counts_each_tenant_apart_and_all_its_tokens_together(self, sandbox: Sandbox, limited: Ledger) -> None:
        other, second = sandbox.connect("other"), sandbox.connect("acme")
        for _ in range(25):
            limited.get("/3/customers")
        assert second.get("/3/customers").status_code == 429
        assert other.get("/3/customers").status_code == 200

    def test_the_window_slides(self, sandbox: Sandbox, limited: Ledger) -> None:
        sandbox.control("options", rate_limit=2, rate_limit_seconds=60)
        statuses = [limited.get("/3/customers").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        sandbox.control("options", rate_limit_seconds=0.1)
        wait_until(lambda: limited.get("/3/customers").status_code == 200, what="the window to slide")

    @pytest.mark.parametrize(("seconds", "header"), [(None, None), (4, "4")])
    def test_retry_after_is_optional(
        self, sandbox: Sandbox, limited: Ledger, seconds: int | None, header: str | None
    ) -> None:
        sandbox.control("options", rate_limit=0, retry_after=seconds, rate_limit_body="html")
        answer = limited.get("/3/customers")
        assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
        assert answer.headers["content-type"] == "text/html"


def test_statuses_can_be_moved_where_reports_differ(sandbox: Sandbox, acme: Ledger) -> None:
    acme.settings(api_licence=False)
    sandbox.control("options", statuses={"2001103": 400})
    answer = acme.get("/3/customers")
    assert (answer.status_code, code_of(answer)) == (400, 2001103)


def test_the_log_tells_requests_apart(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.clear("requests")
    acme.customer()
    acme.customer()
    acme.get("/3/customers/10001")
    entries = sandbox.see("requests", tenant="acme")["requests"]
    assert [(entry["method"], entry["status"], entry["code"]) for entry in entries] == [
        ("POST", 201, None),
        ("POST", 400, 2000637),
        ("GET", 200, None),
    ]
    assert len({entry["token"] for entry in entries}) == 1
    counts = sandbox.see("requests/count", tenant="acme", by="path-kind")
    assert counts["counts"] == {"GET /3/customers/{CustomerNumber}": 1, "POST /3/customers": 2}


def test_parallel_creates_of_one_number_make_one_document(sandbox: Sandbox, acme: Ledger) -> None:
    headers = {"Authorization": f"Bearer {acme.tokens['access_token']}"}
    body = {"Customer": {"Name": "Bygg", "CustomerNumber": "1"}}

    def create(_: int) -> int:
        url = f"{sandbox.fortnox}/3/customers"
        return requests.post(url, json=body, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(16)))
    assert statuses == [201] + [400] * 15
    counters = acme.state()["counters"]
    assert (counters["customers.created"], counters["customers.duplicates_refused"]) == (1, 15)
