"""Every page of the console is closed but to the roles that it names, and nothing is done without its form."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from fastapi.routing import iter_route_contexts

from config import load_settings
from console.access import SAFE, SIGNED_IN, Role, rule_of
from console.app import create_app
from delivery.services import Services, build_services
from local import EmbeddedRedis
from operations.accounts import find_account, new_account
from operations.sign_in import MOST
from tests.browsing import Browser, running_console
from tests.commands import run
from tests.waiting import wait_until

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def services(redis_url: str) -> Services:
    accounts = " ".join(new_account(name, role, PASSWORD) for name, role in (("anna", "operator"), ("bo", "viewer")))
    return build_services(
        load_settings(None, redis_url=redis_url, fortnox_api_url="http://127.0.0.1:1", console_accounts=accounts)
    )


@pytest.fixture(scope="module")
def console(services: Services) -> Iterator[str]:
    with running_console(services) as address:
        yield address


@pytest.fixture
def browser(console: str, services: Services) -> Browser:
    services.redis.flushdb()
    return Browser(console, services)


def all_routes() -> list[tuple[str, str, object]]:
    """(method, path, handler) of every route."""
    settings = load_settings(None, fortnox_api_url="http://127.0.0.1:1")
    app = create_app(build_services(settings))
    found = [
        (method, str(route.path), route.endpoint)
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
    ]
    assert len(found) >= 6
    return found


ROUTES = all_routes()
ACME = {"company": "acme"}


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: ACME.get(found.group(1), "x"), path)


@pytest.mark.parametrize("role", ["operator", "viewer", "company", "anybody"])
def test_each_route_lets_in_its_roles_alone(browser: Browser, role: str) -> None:
    if role != "anybody":
        browser.sign_in(role, company="other" if role == "company" else "")
    for method, path, handler in ROUTES:
        rule = rule_of(handler)
        answer = browser.http.request(
            method, browser.address + filled(path), allow_redirects=False, timeout=30, stream=True
        )
        answer.close()
        away = answer.is_redirect and answer.headers["location"].startswith("/sign-in")
        if Role(role) not in rule.roles:
            assert away if role == "anybody" else answer.status_code in (403, 404), (method, path, answer.status_code)
        elif role == "company" and "{company}" in path:
            assert answer.status_code == 404, (method, path)
        elif method not in SAFE:
            assert answer.status_code == 403, f"{method} {path} acts without a form's token"
        else:
            assert not away, (method, path)


def test_every_handler_states_its_roles() -> None:
    assert [path for _, path, handler in ROUTES if not rule_of(handler).roles] == []


def test_nothing_that_only_looks_may_act_and_the_open_pages_are_few() -> None:
    opened = {path for method, path, handler in ROUTES if Role.ANYBODY in rule_of(handler).roles}

    assert opened == {
        *("/healthz", "/static/{name}", "/sign-in", "/sign-in/oidc", "/sign-in/callback", "/language", "/l/{token}"),
        "/{path:path}",
    }
    assert {method for method, _, _ in ROUTES} == {"GET", "POST"}


def test_a_page_that_is_for_somebody_leads_to_the_sign_in_and_back(browser: Browser) -> None:
    answer = browser.get("/?page=2", allow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?to=%2F%3Fpage%3D2"
    entered = browser.post("/sign-in", {"name": "anna", "password": PASSWORD, "to": "/?page=2"}, allow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/?page=2")
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb"])
def test_a_sign_in_leads_to_no_other_site(browser: Browser, to: str) -> None:
    entered = browser.post("/sign-in", {"name": "anna", "password": PASSWORD, "to": to}, allow_redirects=False)

    assert entered.headers["location"] == "/"


def test_a_wrong_password_or_name_signs_nobody_in(browser: Browser) -> None:
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("bo", "")):
        answer = browser.post("/sign-in", {"name": name, "password": password})
        assert answer.status_code == 401
        assert "name or the password is wrong" in answer.text
    assert browser.get("/", allow_redirects=False).status_code == 303


def test_a_sign_in_gives_a_new_cookie_and_ends_the_session_before(browser: Browser, services: Services) -> None:
    before = browser.sign_in("viewer", "bo").http.cookies["console"]

    browser.post("/sign-in", {"name": "anna", "password": PASSWORD})

    after = browser.http.cookies["console"]
    assert after != before
    assert services.stores.sessions.find(before) is None
    found = services.stores.sessions.find(after)
    assert found is not None
    assert (found.role, found.name) == ("operator", "anna")
    assert after not in str(services.redis.keys())


def test_a_session_ends_when_idle_and_a_page_that_is_only_open_does_not_keep_it(
    browser: Browser, services: Services
) -> None:
    browser.sign_in("operator")
    (key,) = services.redis.keys("mf:session:*")
    services.redis.pexpire(key, 60_000)

    browser.get("/transfers/live", headers={"accept": "text/event-stream"}, stream=True).close()
    assert services.redis.pttl(key) <= 60_000
    browser.get("/audit")
    assert services.redis.pttl(key) > 60_000
    services.redis.hset(key, "ends", 1)
    assert browser.get("/audit", allow_redirects=False).status_code == 303, "after twelve hours it ends in any case"


def test_signing_out_ends_the_session(browser: Browser, services: Services) -> None:
    held = browser.sign_in("operator").http.cookies["console"]

    browser.post("/sign-out", page="/")

    assert services.stores.sessions.find(held) is None
    assert browser.get("/", allow_redirects=False).status_code == 303


def test_attempts_are_throttled_for_an_account_and_a_good_one_begins_anew(browser: Browser) -> None:
    for _ in range(MOST - 1):
        assert browser.post("/sign-in", {"name": "bo", "password": "wrong"}).status_code == 401
    browser.services.redis.delete(*browser.services.redis.keys("mf:attempts:*")[:0], "-")
    assert browser.post("/sign-in", {"name": "bo", "password": PASSWORD}, allow_redirects=False).status_code == 303
    refused = browser.post("/sign-in", {"name": "bo", "password": PASSWORD})
    assert refused.status_code == 429, "the address has used up its attempts"
    assert int(refused.headers["retry-after"]) > 0


def test_a_form_of_another_browser_does_nothing(browser: Browser, console: str, services: Services) -> None:
    browser.sign_in("operator")
    other = Browser(console, services)

    answer = browser.http.post(f"{console}/sign-out", data={"csrf": other.csrf()}, timeout=30)

    assert answer.status_code == 403
    assert browser.get("/").status_code == 200


def test_a_form_sent_from_another_site_does_nothing(browser: Browser) -> None:
    browser.sign_in("operator")

    for site in ("cross-site", "same-site"):
        assert browser.post("/sign-out", page="/", headers={"sec-fetch-site": site}).status_code == 403


def test_another_companys_page_is_the_404_of_a_page_that_does_not_exist(browser: Browser) -> None:
    browser.sign_in("company", company="acme")

    other, unknown = browser.get("/companies/other"), browser.get("/no/such/page")

    assert other.status_code == unknown.status_code == 404
    assert other.text.replace("/companies/other", "") == unknown.text.replace("/no/such/page", "")


def test_every_answer_carries_the_strict_headers(browser: Browser) -> None:
    for path in ("/sign-in", "/healthz", "/no/such/page", "/static/console.css", "/"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert headers["cache-control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(browser: Browser, redis_url: str) -> None:
    given = browser.get("/sign-in").headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given

    settings = load_settings(
        None, redis_url=redis_url, fortnox_api_url="http://127.0.0.1:1", console_url="https://console.example"
    )
    with running_console(build_services(settings)) as address:
        answer = requests.get(f"{address}/sign-in", headers={"host": "console.example"}, timeout=30)
        assert answer.headers["set-cookie"].startswith("__Host-console=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        assert requests.get(f"{address}/sign-in", timeout=30).status_code == 400, "another host"
        assert requests.get(f"{address}/healthz", timeout=30).status_code == 200


def test_a_form_that_is_too_large_is_refused_unread(browser: Browser) -> None:
    refused = browser.post("/sign-in", {"name": "x" * 200_000})
    assert refused.status_code == 413
    assert "<h1>What you sent is too large</h1>" in refused.text

    def endless() -> Iterator[bytes]:
        yield b"x"

    assert browser.http.post(f"{browser.address}/sign-in", data=endless(), timeout=30).status_code == 413


def test_where_redis_is_away_a_page_says_so(tmp_path: object) -> None:
    settings = load_settings(None, redis_url="redis://127.0.0.1:1/0", fortnox_api_url="http://127.0.0.1:1")
    services = build_services(settings)
    with running_console(services) as address:
        browser = Browser(address, services)
        browser.http.cookies.set("console", "x")
        answer = browser.get("/")
        assert answer.status_code == 503
        assert "not available right now" in answer.text
        assert browser.get("/healthz").status_code == 503


def test_a_redis_that_goes_away_and_comes_back_is_told_and_signs_nobody_out(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis", appendfsync="no") as server:
        settings = load_settings(None, redis_url=server.url, fortnox_api_url="http://127.0.0.1:1")
        services = build_services(settings)
        with running_console(services) as address:
            browser = Browser(address, services).sign_in("operator")
            assert browser.get("/audit").status_code == 200
            server.process.kill()
            for path in ("/", "/audit", "/transfers", "/failures", "/healthz"):
                assert browser.get(path).status_code == 503, path
            assert browser.http.post(f"{address}/sign-out", timeout=30).status_code == 503
            server.start()
            wait_until(lambda: browser.get("/healthz").status_code == 200, what="Redis to be back")
            assert browser.get("/audit").status_code == 200


def test_the_language_is_the_browsers_until_another_is_chosen(browser: Browser) -> None:
    for header, title in (("en-GB,sv;q=0.5", "Sign in"), ("de, sv;q=0.9, en;q=0.8", "Logga in"), ("fr", "Logga in")):
        browser.http.headers["accept-language"] = header
        assert f"<h1>{title}</h1>" in browser.get("/sign-in").text
    browser.post("/language", {"language": "en", "to": "/sign-in"})
    assert "<h1>Sign in</h1>" in browser.get("/sign-in").text
    assert '<html lang="en">' in browser.get("/sign-in").text


def test_roles_in_the_settings_are_those_that_somebody_signed_in_has() -> None:
    from config.settings import CONSOLE_ROLES

    assert {*CONSOLE_ROLES, "company"} == set(SIGNED_IN)


def test_the_command_prints_an_account_that_can_sign_in() -> None:
    made = run("console", "account", "eva", "viewer", stdin=f"{PASSWORD}\n", environment={})

    assert made.returncode == 0
    settings = load_settings(None, fortnox_api_url="http://127.0.0.1:1", console_accounts=made.stdout.strip())
    found = find_account(build_services(settings), "eva", PASSWORD)
    assert found is not None
    assert (found.name, found.role) == ("eva", "viewer")


@pytest.mark.parametrize(
    ("name", "role", "password", "why"),
    [
        ("eva", "boss", PASSWORD, "one of operator, viewer"),
        ("eva:x", "viewer", PASSWORD, "no spaces, colons"),
        ("eva", "viewer", "short", "at least 12 characters"),
    ],
)
def test_an_account_that_cannot_be_is_not_printed(name: str, role: str, password: str, why: str) -> None:
    made = run("console", "account", name, role, stdin=f"{password}\n", environment={})

    assert made.returncode == 2
    assert why in " ".join(made.stderr.split())
    assert made.stdout == ""
