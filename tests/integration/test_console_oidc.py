"""Signing in at an OpenID Connect provider, a process of its own."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from config import load_settings
from delivery.services import Services, build_services
from local import Processes
from local.redis import free_port
from operations.accounts import new_account
from tests.browsing import Browser, running_console, words
from tests.oidc_provider import CLIENT, SECRET

PASSWORD = "correct horse battery"


@dataclass
class World:
    issuer: str
    console: str
    services: Services

    def comes(self, **given: Any) -> None:
        """Who comes next: `claims=`, `userinfo=`, `spoilt=`, `new_key=`."""
        requests.post(f"{self.issuer}/control", json=given, timeout=30).raise_for_status()

    def browser(self) -> Browser:
        return Browser(self.console, self.services)


@pytest.fixture(scope="module")
def world(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port = free_port()
    with Processes(tmp_path_factory.mktemp("provider")) as processes:
        process = processes.start("provider", [sys.executable, "-m", "tests.oidc_provider"])
        issuer = str(process.wait_json()["issuer"])
        settings = load_settings(
            None,
            redis_url=redis_url,
            fortnox_api_url="http://127.0.0.1:1",
            console_url=f"http://127.0.0.1:{port}",
            console_accounts=new_account("anna", "operator", PASSWORD),
            oidc_issuer=issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            oidc_operators=("drift",),
            oidc_viewers=("ekonomi", "revision"),
        )
        services = build_services(settings)
        with running_console(services, port) as address:
            yield World(issuer, address, services)


@pytest.fixture(autouse=True)
def emptied(world: World) -> None:
    world.services.redis.flushdb()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["drift", "ekonomi"], "preferred_username": "anna"}, "operator"),
        ({"groups": ["revision"], "email": "anna"}, "viewer"),
        ({"groups": "drift", "name": "anna"}, "operator"),
    ],
)
def test_somebody_signs_in_with_the_role_of_the_claim(world: World, claims: dict[str, Any], role: str) -> None:
    world.comes(claims=claims)
    browser = world.browser()
    assert "organisation" in browser.text("/sign-in?to=/audit")

    arrived = browser.get("/sign-in/oidc?to=/audit")

    assert arrived.status_code == 200
    assert arrived.url == f"{world.console}/audit"
    session = world.services.stores.sessions.find(browser.http.cookies["console"])
    assert session is not None
    assert (session.role, session.name) == (role, "anna")


def test_the_claim_may_be_told_by_the_userinfo_alone(world: World) -> None:
    world.comes(claims={}, userinfo={"groups": ["drift"], "email": "anna@drift.example"})

    assert world.browser().get("/sign-in/oidc").status_code == 200

    world.comes(claims={}, userinfo={"groups": ["drift"], "sub": "somebody else"})
    assert world.browser().get("/sign-in/oidc").status_code == 403


def test_whoever_has_no_role_is_let_in_nowhere(world: World) -> None:
    for claims in ({"groups": ["lager"]}, {}, {"groups": []}):
        world.comes(claims=claims)
        browser = world.browser()
        answer = browser.get("/sign-in/oidc")
        assert answer.status_code == 403
        assert "no access" in words(answer.text)
        assert browser.get("/", allow_redirects=False).status_code == 303


@pytest.mark.parametrize("spoilt", ["nonce", "audience", "audiences", "issuer", "expired", "key", "unsigned"])
def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(world: World, spoilt: str) -> None:
    world.comes(claims={"groups": ["drift"]}, spoilt=spoilt)
    browser = world.browser()

    answer = browser.get("/sign-in/oidc")

    assert answer.status_code == 401
    assert "was not completed" in words(answer.text)
    assert browser.get("/", allow_redirects=False).status_code == 303


def test_a_new_key_of_the_provider_is_found(world: World) -> None:
    world.comes(claims={"groups": ["drift"]}, new_key=True)

    assert world.browser().get("/sign-in/oidc").status_code == 200


def test_the_way_back_works_once_and_in_its_own_browser_alone(world: World) -> None:
    world.comes(claims={"groups": ["drift"]})
    browser = world.browser()
    there = browser.get("/sign-in/oidc", allow_redirects=False).headers["location"]
    back = requests.get(there, allow_redirects=False, timeout=30).headers["location"].removeprefix(world.console)

    assert world.browser().get(back).status_code == 401, "another browser"
    there = browser.get("/sign-in/oidc", allow_redirects=False).headers["location"]
    back = requests.get(there, allow_redirects=False, timeout=30).headers["location"].removeprefix(world.console)
    assert browser.get(back).status_code == 200
    assert browser.get(back).status_code == 401, "a second time"
    for query in ("", "?state=x", "?code=x", "?error=access_denied&state=x"):
        assert world.browser().get(f"/sign-in/callback{query}").status_code == 401


def test_pkce_state_and_nonce_are_sent_and_differ_each_time(world: World) -> None:
    sent = [
        parse_qs(urlsplit(world.browser().get("/sign-in/oidc", allow_redirects=False).headers["location"]).query)
        for _ in range(2)
    ]

    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]


def test_passwords_are_not_taken_where_there_is_a_provider(world: World) -> None:
    browser = world.browser()

    assert browser.post("/sign-in", {"name": "anna", "password": PASSWORD}).status_code == 404


def test_a_provider_that_does_not_answer_is_told_in_words(redis_url: str) -> None:
    settings = load_settings(
        None,
        redis_url=redis_url,
        fortnox_api_url="http://127.0.0.1:1",
        console_url="http://127.0.0.1:1",
        oidc_issuer="http://127.0.0.1:1",
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
    )
    services = build_services(settings)
    with running_console(services) as address:
        answer = Browser(address, services).get("/sign-in/oidc")

    assert answer.status_code == 502
    assert "was not completed" in words(answer.text)


def test_an_email_counts_only_where_the_provider_verified_it(world: World) -> None:
    from operations.oidc import NotKnownHere, role_of

    settings = world.services.settings.model_copy(
        update={"oidc_claim": "email", "oidc_operators": ("anna@drift.example",)}
    )
    claims = {"email": "anna@drift.example", "email_verified": True}
    assert role_of(settings, claims) == "operator"
    for unverified in (False, "true", None):
        with pytest.raises(NotKnownHere):
            role_of(settings, claims | {"email_verified": unverified})
