"""Whether Redis keeps what it accepts is known without CONFIG too, and what cannot be known is said."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from config import load_settings
from local.redis import LOOPBACK
from stores.durability import WANTED, Durability, Fault, judge
from tests import commands
from tests.services import running_redis
from worker.bootstrap import _check_redis, create_app

REFUSED = {"config": "-config", "config and info": "-config -info"}


@pytest.fixture(params=[*REFUSED, "nothing"])
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, Redis]]:
    """What is refused, the address for a user who is refused that, and a client that is not."""
    with running_redis(tmp_path, appendonly=False) as url, Redis.from_url(url) as admin:
        rules = REFUSED.get(request.param, "").split()
        admin.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", *rules)  # type: ignore[no-untyped-call]
        yield request.param, url.replace("redis://", "redis://app:pw@"), admin


def redis_health(url: str) -> dict[str, Any]:
    environment = {"REDIS_URL": url, "FORTNOX_API_URL": f"http://{LOOPBACK}:1"}
    done = commands.run("health", "redis", "--json", environment=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == found["healthy"] == (not found["reasons"])
    return found


def test_a_redis_without_an_append_only_file_is_not_healthy(hosted: tuple[str, str, Redis]) -> None:
    refused, url, _ = hosted
    found = redis_health(url)
    named = [name for name in WANTED if any(name in note for note in found["unverified"])]
    match refused:
        case "nothing":
            assert "appendonly is no" in " ".join(found["reasons"])
            assert named == []
        case "config":
            assert "appendonly is no" in " ".join(found["reasons"])
            assert named == ["appendfsync"]
        case _:
            assert found["reasons"] == []
            assert named == list(WANTED)


def test_a_redis_that_evicts_is_not_healthy(hosted: tuple[str, str, Redis]) -> None:
    refused, url, admin = hosted
    admin.config_set("appendonly", "yes")
    assert redis_health(url)["reasons"] == []
    admin.config_set("maxmemory-policy", "allkeys-lru")
    assert ("maxmemory-policy is allkeys-lru" in " ".join(redis_health(url)["reasons"])) == (
        refused != "config and info"
    )


def test_a_person_is_told_what_cannot_be_verified(hosted: tuple[str, str, Redis]) -> None:
    refused, url, admin = hosted
    admin.config_set("appendonly", "yes")
    environment = {"REDIS_URL": url, "FORTNOX_API_URL": f"http://{LOOPBACK}:1"}
    done = commands.run("health", "redis", environment=environment)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "healthy")
    assert ("Redis does not show appendfsync" in done.stdout) == (refused != "nothing")


def test_a_worker_that_starts_says_so_too(hosted: tuple[str, str, Redis]) -> None:
    refused, url, _ = hosted
    app = create_app(load_settings(None, redis_url=url, fortnox_api_url=f"http://{LOOPBACK}:1"))
    with capture_logs() as logged:
        _check_redis(instance=type("Worker", (), {"app": app}))
    events = {entry["event"]: entry for entry in logged}
    assert ("redis.not_durable" in events) == (refused != "config and info")
    assert ("redis.durability_unverified" in events) == (refused != "nothing")


@pytest.mark.parametrize(
    ("config", "info", "faults", "unverified"),
    [
        (WANTED, {}, [], []),
        (WANTED | {"appendfsync": "everysec"}, {}, ["appendfsync"], []),
        ({}, {"aof_enabled": 1, "maxmemory_policy": "noeviction"}, [], ["appendfsync"]),
        ({}, {"aof_enabled": 0, "maxmemory_policy": "noeviction"}, ["appendonly"], ["appendfsync"]),
        ({"appendfsync": "always"}, {"aof_enabled": "1", "maxmemory_policy": "volatile-lru"}, ["maxmemory-policy"], []),
        ({}, {"aof_enabled": 1}, [], ["appendfsync", "maxmemory-policy"]),
        ({}, {}, [], [*WANTED]),
    ],
)
def test_what_is_told_by_config_and_what_by_info(
    config: Mapping[str, object], info: Mapping[str, object], faults: list[str], unverified: list[str]
) -> None:
    found = judge(config, info)
    assert ([fault.setting for fault in found.faults], list(found.unverified)) == (faults, unverified)


def test_a_fault_says_what_was_found() -> None:
    info = {"aof_enabled": 0, "maxmemory_policy": "noeviction"}
    assert judge({}, info) == Durability((Fault("appendonly", "no", "yes"),), ("appendfsync",))
