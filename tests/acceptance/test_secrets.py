"""No secret is readable anywhere but where it belongs: all places it could have got to are searched."""

import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from fortnox import errors as e
from local.sandbox import CLIENT_SECRET, MOMENT_KEY
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.monitors import monitored
from tests.unit.factories import customer_json, integration_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

COMPANY = "secretive"


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[System]:
    """A system of its own whose Redis writes its files uncompressed, so that they can be searched."""
    with Stack(tmp_path) as stack:
        stack.start_services()
        stack.environment["LOG_FORMAT"] = "json"
        system = System(stack, create_app(stack.settings))
        system.app.services.redis.config_set("rdbcompression", "no")
        stack.sandbox.tenant(COMPANY)
        yield system


@pytest.fixture
def heard(quiet: System) -> Iterator[list[dict[str, Any]]]:
    """What Flower is told of a worker."""
    quiet.stack.start_worker(concurrency=2)
    with monitored(create_app(quiet.stack.settings)) as heard:
        yield heard


def tokens_of(system: System) -> set[str]:
    held = system.app.services.stores.connections.held(COMPANY)
    assert held is not None
    assert held.tokens.refresh_token is not None
    return {held.tokens.access_token.get_secret_value(), held.tokens.refresh_token.get_secret_value()}


def consent(system: System, event_id: str, code: str) -> dict[str, Any]:
    return integration_json(
        event_id=event_id,
        company=COMPANY,
        authorization_code=code,
        service_account=False,
        expenses={"enabled": False},
    )


def test_no_secret_is_readable_in_logs_monitors_mails_commands_or_redis(
    quiet: System, heard: list[dict[str, Any]], tmp_path: Path
) -> None:
    system, stack = quiet, quiet.stack
    seen: list[str] = []
    vault = system.app.services.vault
    codes = [stack.sandbox.code(COMPANY, service=False) for _ in range(4)]
    secrets = set(codes)
    # Through each entrance. Where it would lie in Redis before a worker takes it, the producer has sealed it.
    system.publish(consent(system, "by-python", codes[0]))
    assert system.settled(COMPANY, "by-python").status == "done"
    secrets |= tokens_of(system)
    with Celery(broker=stack.environment["REDIS_URL"]) as producer:
        sealed = consent(system, "by-celery", f"sealed:{vault.seal(codes[1])}")
        producer.send_task("events.receive", args=[sealed], queue="events")
    wait_until(lambda: system.app.services.ordering.event(COMPANY, "by-celery"), what="the admission")
    assert system.settled(COMPANY, "by-celery").status == "done"
    secrets |= tokens_of(system)
    sealed = consent(system, "by-stream", f"sealed:{vault.seal(codes[2])}")
    system.app.services.redis.xadd("moment:events", {"event": json.dumps(sealed)})
    wait_until(lambda: system.app.services.ordering.event(COMPANY, "by-stream"), what="the admission")
    assert system.settled(COMPANY, "by-stream").status == "done"
    secrets |= tokens_of(system)
    # By hand; and whatever can go wrong on the way.
    said = system.run("companies", "connect", COMPANY, "--code", codes[3], "--error-email", "e@secretive.example")
    seen += [said.stdout, said.stderr]
    assert said.returncode == 0
    secrets |= tokens_of(system)
    bad = consent(system, "bad", stack.sandbox.code(COMPANY)) | {"occurredAt": "never"}
    secrets.add(bad["integration"]["authorizationCode"])
    with Celery(broker=stack.environment["REDIS_URL"]) as producer:  # the args' text is what a producer sends along
        no_clear = bad | {"integration": {"authorizationCode": f"sealed:{vault.seal('x')}"}}
        producer.send_task("events.receive", args=[no_clear], queue="events")
    stack.sandbox.post("tokens/expire", {"tenant": COMPANY})
    system.publish(customer_json(company=COMPANY))
    assert system.settled(COMPANY, "e1").status == "done"
    secrets |= tokens_of(system)
    for arguments in (
        ("companies", "show", COMPANY),
        ("events", "list", "--json"),
        ("keys", "rotate"),
    ):
        said = system.run(*arguments)
        assert said.returncode == 0
        seen += [said.stdout, said.stderr]
    stack.sandbox.post("grants/revoke", {"tenant": COMPANY})
    system.publish(customer_json(company=COMPANY, event_id="e2", name="Ny"))
    wait_until(lambda: system.app.services.ordering.paused(COMPANY), what="the pause")
    seen.append(json.dumps(list(heard), default=str))
    assert "events.receive" in seen[-1]
    assert "(an event)" in seen[-1]
    assert COMPANY not in re.sub(r"\(secretive [^)]*\)", "", seen[-1])  # but for an ordering key: no argument is shown
    services = system.app.services
    seen += [
        repr(services),
        repr(system.app.settings),
        repr(services.stores.connections.held(COMPANY)),
        json.dumps(stack.sandbox.mails()),
    ]
    services.redis.save()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    seen += [path.read_bytes().decode("latin-1") for path in files]
    assert any(path.suffix == ".rdb" and path.name.startswith("dump") for path in files)
    assert any("aof" in path.name for path in files)
    keys = stack.environment["ENCRYPTION_KEYS"].split(",")
    for secret in secrets | {CLIENT_SECRET, MOMENT_KEY, *keys}:
        places = [text[:80] for text in seen if secret in text]
        assert places == [], secret[:4]
    assert len(secrets) >= 13
    assert any("by-python" in text for text in seen)  # the search does search


def test_an_error_shows_no_secret_however_it_is_shown(quiet: System) -> None:
    """What a bug's report or a pickled exception would hold."""
    system = quiet
    services = system.app.services
    code = system.stack.sandbox.code(COMPANY, service=False)
    grant = services.fortnox.oauth.exchange_code(code)
    assert grant.refresh_token is not None
    secret = grant.refresh_token.get_secret_value()
    for fault in ({"status": 503, "body": "html"}, {"status": 200, "body": "text"}, {"status": 400, "body": "oauth"}):
        system.stack.sandbox.fault("fail_next", path="/oauth-v1/token", **fault)
        with pytest.raises(e.FortnoxError) as caught:
            services.fortnox.oauth.refresh(grant.refresh_token)
        shown = [str(caught.value), repr(caught.value), pickle.dumps(caught.value).decode("latin-1")]
        assert not any(secret in text or code in text for text in shown)
    assert secret not in repr(grant) + str(grant)


def test_the_worker_refuses_to_start_with_placeholders_for_a_real_fortnox(quiet: System) -> None:
    real = quiet.stack.environment | {
        "FORTNOX_API_URL": "https://api.fortnox.example",
        "FORTNOX_AUTH_URL": "https://apps.fortnox.example",
    }
    refused = quiet.run("status", environment=real)
    assert refused.returncode == 2
    for name in ("FORTNOX_CLIENT_ID", "FORTNOX_CLIENT_SECRET", "MOMENT_API_KEY"):
        assert name in refused.stderr
    mended = real | {
        "FORTNOX_CLIENT_ID": "a",
        "FORTNOX_CLIENT_SECRET": "b",
        "MOMENT_API_KEY": "c",
        "ENCRYPTION_KEYS": "",
    }
    refused = quiet.run("status", environment=mended)
    assert refused.returncode == 2
    assert "ENCRYPTION_KEYS: missing" in refused.stderr
