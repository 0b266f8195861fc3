"""The authorization server: lifetimes, single use, the refresh race, odd content types."""

import base64
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.sandbox_client import Ledger, Sandbox, code_of


def a_code(sandbox: Sandbox, **grant: Any) -> dict[str, str]:
    code = sandbox.control("grants", **{"tenant": "acme", **grant})["code"]
    return {"grant_type": "authorization_code", "code": code}


def is_invalid_grant(answer: requests.Response) -> bool:
    # The real server's content type for this JSON is text/html.
    kind = answer.headers["content-type"]
    return answer.status_code == 400 and "text/html" in kind and answer.json()["error"] == "invalid_grant"


def test_a_code_is_exchanged_for_a_pair_whose_token_names_the_tenant(sandbox: Sandbox) -> None:
    granted = sandbox.control("grants", tenant="acme", scopes="customer project")
    form = {"grant_type": "authorization_code", "code": granted["code"]}
    pair = sandbox.token(form).json()
    claims = pair["access_token"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["tenantId"] == granted["tenantId"]
    assert pair["expires_in"] == 3600
    assert pair["scope"] == "customer project"
    assert pair["refresh_token"]


def test_a_code_works_once(sandbox: Sandbox) -> None:
    form = a_code(sandbox)
    assert sandbox.token(form).status_code == 200
    assert is_invalid_grant(sandbox.token(form))


def test_a_code_is_dead_after_ten_minutes(sandbox: Sandbox) -> None:
    form = a_code(sandbox)
    sandbox.control("clock", advance_seconds=601)
    assert is_invalid_grant(sandbox.token(form))


def test_a_redirect_address_must_be_the_one_of_the_consent(sandbox: Sandbox) -> None:
    form = a_code(sandbox, redirect_uri="https://here.example/back")
    assert is_invalid_grant(sandbox.token({**form, "redirect_uri": "https://there.example/"}))
    assert sandbox.token({**form, "redirect_uri": "https://here.example/back"}).status_code == 200


def test_wrong_client_credentials_are_refused_as_plain_text(sandbox: Sandbox) -> None:
    answer = sandbox.token(a_code(sandbox), client=("sandbox-client", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.json()["error"] == "invalid_client"


def test_an_unknown_grant_type_is_refused(sandbox: Sandbox) -> None:
    assert sandbox.token({"grant_type": "password"}).json()["error"] == "unsupported_grant_type"


def test_a_refresh_token_rotates_and_the_first_pair_lives_on_when_the_old_one_comes_again(
    sandbox: Sandbox, acme: Ledger
) -> None:
    sandbox.control("options", refresh_race_window=0)
    old = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
    pair = sandbox.token(old).json()
    assert is_invalid_grant(sandbox.token(old))
    acme.tokens = pair
    assert acme.get("/3/customers").status_code == 200
    again = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    assert sandbox.token(again).status_code == 200


def test_two_simultaneous_refreshes_both_succeed_and_only_the_last_pair_works(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.control("options", refresh_race_window=5)
    form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
    first, last = sandbox.token(form).json(), sandbox.token(form).json()
    assert [_works(acme, first), _works(acme, last)] == [False, True]
    refresh = {"grant_type": "refresh_token"}
    assert is_invalid_grant(sandbox.token({**refresh, "refresh_token": first["refresh_token"]}))
    assert sandbox.token({**refresh, "refresh_token": last["refresh_token"]}).status_code == 200


def test_truly_parallel_refreshes_leave_exactly_one_working_pair(sandbox: Sandbox, acme: Ledger) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
    sandbox.control("options", refresh_seconds=0.05)
    answers: list[requests.Response] = []

    def refresh() -> None:
        url = f"{sandbox.fortnox}/oauth-v1/token"
        answers.append(requests.post(url, data=form, auth=("sandbox-client", "sandbox-secret"), timeout=30))

    threads = [threading.Thread(target=refresh) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert sum(_works(acme, answer.json()) for answer in answers) == 1


def _works(ledger: Ledger, pair: Any) -> bool:
    ledger.tokens = pair
    return ledger.get("/3/customers").status_code == 200


def test_a_refresh_token_is_dead_after_45_days(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.control("clock", advance_seconds=45 * 86_400 + 1)
    form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
    assert is_invalid_grant(sandbox.token(form))


def test_an_access_token_is_dead_after_an_hour(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.control("clock", advance_seconds=3601)
    answer = acme.get("/3/customers")
    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized"})


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
def test_a_call_without_a_live_token_is_unauthorized(sandbox: Sandbox, header: str) -> None:
    answer = sandbox.session.get(f"{sandbox.fortnox}/3/customers", headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized"})


class TestClientCredentials:
    FORM = {"grant_type": "client_credentials"}  # noqa: RUF012 - a constant of the table below

    def test_they_need_a_service_account_consent_whose_code_was_used(self, sandbox: Sandbox) -> None:
        granted = sandbox.control("grants", tenant="acme", service=True)
        tenant = str(granted["tenantId"])
        assert is_invalid_grant(sandbox.token(self.FORM, TenantId=tenant))
        sandbox.token({"grant_type": "authorization_code", "code": granted["code"]})
        pair = sandbox.token(self.FORM, TenantId=tenant).json()
        assert "refresh_token" not in pair
        assert pair["access_token"]

    def test_an_ordinary_consent_is_not_enough(self, sandbox: Sandbox) -> None:
        ledger = sandbox.connect("acme", service=False)
        assert is_invalid_grant(sandbox.token(self.FORM, TenantId=str(ledger.tenant_id)))

    @pytest.mark.parametrize("tenant", ["", "999", "acme"])
    def test_they_need_the_right_tenant(self, sandbox: Sandbox, acme: Ledger, tenant: str) -> None:
        assert is_invalid_grant(sandbox.token(self.FORM, TenantId=tenant))

    def test_they_end_when_the_company_withdraws_its_consent(self, sandbox: Sandbox, acme: Ledger) -> None:
        sandbox.control("grants/revoke", tenant="acme")
        assert is_invalid_grant(sandbox.token(self.FORM, TenantId=str(acme.tenant_id)))
        assert acme.get("/3/customers").status_code == 401


def test_revoking_the_refresh_token_of_a_user_ends_the_grant(sandbox: Sandbox) -> None:
    ledger = sandbox.connect("acme", service=False)
    url = f"{sandbox.fortnox}/oauth-v1/revoke"
    form = {"token_type_hint": "refresh_token", "token": ledger.tokens["refresh_token"]}
    answers = [sandbox.session.post(url, data=form, auth=("sandbox-client", "sandbox-secret")).json() for _ in "ab"]
    assert answers == [{"revoked": True}, {"revoked": False}]
    assert ledger.get("/3/customers").status_code == 401


def test_tokens_can_be_expired_at_once(sandbox: Sandbox, acme: Ledger) -> None:
    sandbox.control("tokens/expire", tenant="acme", access=True, refresh=True)
    assert acme.get("/3/customers").status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": acme.tokens["refresh_token"]}
    assert is_invalid_grant(sandbox.token(form))


def test_a_call_outside_its_scopes_is_refused_with_400(sandbox: Sandbox) -> None:
    ledger = sandbox.connect("acme", scopes="customer")
    assert ledger.get("/3/customers").status_code == 200
    answer = ledger.get("/3/projects")
    assert (answer.status_code, code_of(answer)) == (400, 2000663)


def test_ledgers_of_two_tenants_are_apart(sandbox: Sandbox) -> None:
    one, other = sandbox.connect("acme"), sandbox.connect("other")
    one.customer()
    assert one.get("/3/customers/10001").status_code == 200
    assert other.get("/3/customers/10001").status_code == 404
    info = other.get("/3/companyinformation").json()["CompanyInformation"]
    assert info["DatabaseNumber"] == other.tenant_id != one.tenant_id


CONSENT = {
    "client_id": "sandbox-client",
    "redirect_uri": "https://here.example/back",
    "scope": "customer project",
    "state": "s 1",
    "response_type": "code",
    "access_type": "offline",
    "account_type": "service",
}


def test_the_consent_page_sends_back_a_code_and_the_state(sandbox: Sandbox) -> None:
    sandbox.control("tenants", tenant="acme")
    url = f"{sandbox.fortnox}/oauth-v1/auth"
    assert "acme" in sandbox.session.get(url, params=CONSENT).text
    answer = sandbox.session.post(url, data={**CONSENT, "tenant": "acme", "decision": "approve"}, allow_redirects=False)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status_code, back["state"]) == (302, ["s 1"])
    form = {"grant_type": "authorization_code", "code": back["code"][0]}
    assert sandbox.token({**form, "redirect_uri": CONSENT["redirect_uri"]}).status_code == 200


def test_the_consent_page_can_be_denied(sandbox: Sandbox) -> None:
    sandbox.control("tenants", tenant="acme")
    url = f"{sandbox.fortnox}/oauth-v1/auth"
    form = {**CONSENT, "tenant": "acme", "decision": "deny"}
    answer = sandbox.session.post(url, data=form, allow_redirects=False)
    assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == ["access_denied"]


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": "x"}, {"response_type": "token"}, {"redirect_uri": "/back"}, {"scope": "everything"}],
)
def test_a_wrong_consent_request_is_shown_as_an_error(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    answer = sandbox.session.get(f"{sandbox.fortnox}/oauth-v1/auth", params={**CONSENT, **wrong})
    assert answer.status_code == 400
