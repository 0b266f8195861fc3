"""What the commands that run often load: none of the slow libraries that they do not use."""

import json
import subprocess
import sys

import pytest

from config.environment import child_environment
from tests.unit.factories import customer_json

SLOW = (
    *("aiosmtpd", "argon2", "authlib", "babel", "billiard", "celery", "fastapi", "flower", "jinja2", "kombu"),
    *("limits", "prometheus_client", "redbeat", "requests", "sentry_sdk", "structlog", "uvicorn"),
)
PROGRAM = f"""
import json, sys
from cli.main import cli
try:
    cli(prog_name="moment-fortnox")
finally:
    print(json.dumps([name for name in {SLOW!r} if name in sys.modules]), file=sys.stderr)
"""


def slow_libraries_of(redis_url: str, *arguments: str, stdin: str = "") -> set[str]:
    """Run a command as a process of its own; the slow libraries that it has loaded by its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        input=stdin,
        env=child_environment({"REDIS_URL": redis_url, "FORTNOX_API_URL": "http://127.0.0.1:1"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.usefixtures("redis_client")  # emptied: an event that is shown needs the catalogues
@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "events --help",
        "console --help",
        "status",
        "status --json",
        "wait",
        "events list",
        "events export",
        "companies list",
    ],
)
def test_a_command_that_only_reads_loads_none_of_the_slow_libraries(redis_url: str, command: str) -> None:
    assert slow_libraries_of(redis_url, *command.split()) == set()


def test_publishing_loads_none_of_them(redis_url: str) -> None:
    assert slow_libraries_of(redis_url, "publish", "-", stdin=json.dumps(customer_json())) == set()


def test_health_loads_but_the_catalogues_to_say_what_is_wrong(redis_url: str) -> None:
    assert slow_libraries_of(redis_url, "health", "redis") <= {"babel"}
    assert slow_libraries_of(redis_url, "health", "delivery") == {"babel"}


def test_a_command_that_loads_one_of_them_is_noticed(redis_url: str) -> None:
    assert "prometheus_client" in slow_libraries_of(redis_url, "metrics", "--host", "nowhere.invalid", "--port", "0")
