"""The console as a process of its own: what it tells operators of itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from config import load_settings
from delivery.services import build_services
from local import EmbeddedRedis, Processes
from local.redis import free_port
from stores import Session
from tests.sentry import FakeSentry, running_sentry
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
# Read by Python at every start: looking at the audit log meets an error that nobody foresaw, which quotes a customer.
BROKEN = """
import operations.audit

def page(*given, **named):
    raise LookupError("nossrednA annA"[::-1])  # a report has the lines of code around it

operations.audit.page = page
"""


@pytest.fixture
def sentry() -> Iterator[FakeSentry]:
    with running_sentry() as sentry:
        yield sentry


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis", appendfsync="no") as server:
        yield server


@pytest.fixture
def console(tmp_path: Path, server: EmbeddedRedis, sentry: FakeSentry) -> Iterator[str]:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    port = free_port()
    environment = {
        "REDIS_URL": server.url,
        "FORTNOX_API_URL": "http://127.0.0.1:1",
        "SENTRY_DSN": sentry.dsn,
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    with Processes(tmp_path / "logs") as processes:
        processes.start("console", [sys.executable, "-m", "cli", "console", "--port", str(port)], env=environment)
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(address), what="the console to answer")
        yield address


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=10).ok
    except requests.ConnectionError:
        return False


def test_an_unexpected_error_is_a_page_that_says_so_and_reaches_sentry_without_data(
    console: str, server: EmbeddedRedis, sentry: FakeSentry
) -> None:
    services = build_services(load_settings(None, redis_url=server.url, fortnox_api_url="http://127.0.0.1:1"))
    session = services.stores.sessions.begin(Session("operator", "Anna", ""))

    answer = requests.get(f"{console}/audit", cookies={"console": session}, timeout=30)

    assert answer.status_code == 500
    assert "<h1>" in answer.text
    wait_until(lambda: sentry.events, what="the report")
    (event,) = sentry.events
    assert event["exception"]["values"][-1]["type"] == "LookupError"
    assert "Andersson" not in str(sentry.raw)
    assert session not in str(sentry.raw)


def test_a_redis_that_was_emptied_is_noticed_by_the_console_alone(console: str, server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        wait_until(lambda: client.exists("mf:installation"), what="the console to look")
        client.flushall()
        wait_until(lambda: client.hlen("mf:installation:losses"), what="the console to notice")
