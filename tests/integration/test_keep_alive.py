"""Idle companies stay connected, those that are due and no others; one that is gone is paused and told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from delivery.tokens import to_tokens
from local.stack import Stack
from moment.events import Integration
from stores import Connection
from tasks.keep_alive import MOST, exchange_unused
from worker.bootstrap import App, create_app


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(Path(tmp_path_factory.mktemp("idle")), appendfsync="no") as stack:
        stack.start_services()
        yield stack


@pytest.fixture
def app(stack: Stack) -> App:
    app = create_app(stack.settings)
    app.services.redis.flushdb()
    stack.sandbox.post("reset")
    return app


def connect(app: App, stack: Stack, company: str, *, service: bool = False) -> None:
    stack.sandbox.tenant(company)
    grant = app.services.fortnox.oauth.exchange_code(stack.sandbox.code(company, service=service))
    connection = Connection(
        company=company,
        state="connected",
        tenant_id=grant.tenant_id,
        integration=Integration(service_account=service, error_email=f"ekonomi@{company}.example"),
        connected_at=datetime.now(UTC),
    )
    tokens = to_tokens(grant)
    app.services.stores.connections.begin(
        connection, tokens.model_copy(update={"refresh_token": None}) if service else tokens
    )


def advance(stack: Stack, days: float) -> datetime:
    """Fortnox's calendar and ours go on together."""
    stack.sandbox.post("clock", {"advance_seconds": days * 86400})
    return datetime.now(UTC) + timedelta(days=days)


def test_an_idle_company_is_connected_after_100_days(app: App, stack: Stack) -> None:
    connect(app, stack, "idle")
    services = app.services
    passed = 0.0
    exchanged = 0
    while passed < 100:
        passed += 1
        now = advance(stack, 1) + timedelta(days=passed - 1)
        exchanged += (due := exchange_unused(services, now))
        if due:  # Redis's clock did not go on: what is stored as used now was used then
            services.stores.connections.look_again("idle", now)
    assert exchanged == 3
    assert services.fortnox.tokens.renew("idle", services.fortnox.tokens.access_token("idle"))


def test_without_it_the_refresh_token_lapses(app: App, stack: Stack) -> None:
    """What the test above would be without the task: the sandbox's tokens do lapse."""
    connect(app, stack, "lapsed")
    now = advance(stack, 46)
    assert exchange_unused(app.services, now) == 0
    assert app.services.ordering.paused("lapsed")
    assert ("lapsed", "") in [(one[0], one[1]) for one in app.services.ordering.unreported()]
    assert app.services.stores.connections.unused_since(now, 10) == []


def test_what_is_not_due_and_a_service_account_are_left_alone(app: App, stack: Stack) -> None:
    connect(app, stack, "busy")
    connect(app, stack, "service", service=True)
    assert exchange_unused(app.services, datetime.now(UTC) + timedelta(days=29)) == 0
    assert app.services.stores.connections.unused_since(datetime.now(UTC) + timedelta(days=60), 10) == ["busy"]


def test_a_failure_that_passes_is_tried_again_in_an_hour_and_holds_up_nobody(app: App, stack: Stack) -> None:
    now = datetime.now(UTC)
    for name in ("first", "second"):
        connect(app, stack, name)
        app.services.stores.connections.look_again(name, now - timedelta(days=31))
    stack.sandbox.fault("fail_next", status=503, path="/oauth-v1/token", body="html", tenant="first", count=2)
    assert exchange_unused(app.services, now) == 1
    assert exchange_unused(app.services, now) == 0
    assert app.services.ordering.paused("first") is None
    assert exchange_unused(app.services, now + timedelta(hours=1, seconds=1)) == 1


def test_a_tick_is_short_and_takes_the_longest_unused_first(app: App, stack: Stack) -> None:
    names = [f"c{n:02}" for n in range(MOST + 2)]
    for n, name in enumerate(names):
        connect(app, stack, name)
        app.services.stores.connections.look_again(name, datetime.now(UTC) - timedelta(days=31, seconds=-n))
    assert exchange_unused(app.services, datetime.now(UTC)) == MOST
    assert app.services.stores.connections.unused_since(datetime.now(UTC) - timedelta(days=1), 10) == names[MOST:]


def test_a_token_that_no_key_opens_holds_up_no_other_company(app: App, stack: Stack) -> None:
    now = datetime.now(UTC)
    for n, name in enumerate(("locked", "behind")):
        connect(app, stack, name)
        app.services.stores.connections.look_again(name, now - timedelta(days=31, seconds=-n))
    app.services.redis.hset("mf:connection:locked", "tokens", "sealed with a key that is lost")
    with capture_logs() as logged:
        assert exchange_unused(app.services, now) == 1
    (told,) = [line for line in logged if line["event"] == "connection.needs_operator"]
    assert (told["company"], told["error"]) == ("locked", "Unsealable")
    assert exchange_unused(app.services, now) == 0
    assert app.services.stores.connections.unused_since(now - timedelta(days=29), 10) == [
        "locked"
    ]  # looked at in an hour


def test_an_error_that_nobody_foresaw_holds_up_no_other_company(
    app: App, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for n, name in enumerate(("odd", "behind")):
        connect(app, stack, name)
        app.services.stores.connections.look_again(name, now - timedelta(days=31, seconds=-n))
    keep_alive = app.services.fortnox.tokens.keep_alive

    def breaks(company: str) -> None:
        if company == "odd":
            raise KeyError(company)
        keep_alive(company)

    monkeypatch.setattr(app.services.fortnox.tokens, "keep_alive", breaks)
    assert exchange_unused(app.services, now) == 1
