"""What the commands say of a Redis that takes no writes or does not answer, and that what is there can be read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner

from cli.main import cli
from config import load_settings
from local.redis import LOOPBACK, free_port
from tests.services import running_redis
from tests.unit.factories import customer_json
from worker.bootstrap import create_app
from worker.publish import publish


@pytest.fixture(params=["full", "a replica"])
def unwritable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CliRunner]:
    """Commands on a Redis that has an event and takes no more."""
    with running_redis(tmp_path) as url, Redis.from_url(url) as redis:
        app = create_app(load_settings(None, redis_url=url, fortnox_api_url="http://127.0.0.1:1"))
        app.services.ordering.check_layout()
        publish(customer_json(), services=app.services)
        if request.param == "full":
            redis.config_set("maxmemory", 1)
        else:
            redis.replicaof(LOOPBACK, free_port())
        yield shell(url)


def shell(url: str) -> CliRunner:
    return CliRunner(env={"REDIS_URL": url, "FORTNOX_API_URL": "http://127.0.0.1:1", "COLUMNS": "200"})


def health(runner: CliRunner, *part: str) -> dict[str, Any]:
    done = runner.invoke(cli, ["health", *part, "--json"])
    told: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 0) == told["healthy"] == (not told["reasons"])
    return told


def test_a_redis_that_takes_no_writes_is_called_that(unwritable: CliRunner) -> None:
    (reason,) = health(unwritable, "redis")["reasons"]
    assert " takes no writes (" in reason
    assert health(unwritable)["reasons"][0] == reason
    refused = unwritable.invoke(cli, ["events", "skip", "acme", "e1"])
    assert refused.exit_code == 1
    assert "takes no writes" in refused.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["status", "--json"],
        ["events", "list", "--json", "--status", "ready"],
        ["events", "show", "acme", "e1"],
        ["events", "export"],
    ],
    ids=" ".join,
)
def test_a_redis_that_takes_no_writes_can_be_read(unwritable: CliRunner, command: list[str]) -> None:
    done = unwritable.invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "acme" in done.stdout


def test_a_redis_that_does_not_answer_is_told_as_json_too() -> None:
    told = health(shell(f"redis://{LOOPBACK}:{free_port()}/0"))
    assert "does not answer" in told["reasons"][0]
    assert "Start it" in told["reasons"][0]
    assert told["overdueSeconds"] is None


def test_a_redis_that_takes_no_more_clients_is_not_called_silent(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, Redis.from_url(url) as redis:
        redis.config_set("maxclients", 1)
        (reason,) = health(shell(url), "redis")["reasons"]
    assert "max number of clients reached" in reason
    assert "does not answer" not in reason
