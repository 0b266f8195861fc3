"""Redis with the users of redis-users.acl.example loses nothing when it restarts.

Redis from 7.0 on (until a correction of November 2025) and Valkey before 9.1 check the transactions in the append-only
file against the user `default`, and drop those that it may not do, which are all that scripts wrote:
https://github.com/redis/redis/issues/14541. So `default` may do everything, and is off.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from config import load_settings
from delivery.services import build_services
from local import ManagedProcess
from local.redis import LOOPBACK, find_redis_server, free_port
from tests.acl_file import PASSWORDS, redis_of_debian, users
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.publish import publish


@pytest.fixture(params=["usual", "Debian's"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ManagedProcess, int]]:
    """A Redis with the options of docker-compose.yml and the file of users, not started."""
    program = find_redis_server() if request.param == "usual" else redis_of_debian()
    if program is None:
        pytest.skip("Debian's Redis is not on this machine")
    (tmp_path / "redis-server").symlink_to(program.absolute())
    (tmp_path / "users.acl").write_text(users(tmp_path / "redis-server"))
    port = free_port()
    options = {
        "port": str(port),
        "bind": LOOPBACK,
        "dir": str(tmp_path),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "aclfile": str(tmp_path / "users.acl"),
    }
    command = [tmp_path / "redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
    process = ManagedProcess("redis", command, log=tmp_path / "redis.log")
    yield process, port
    process.kill()


def test_everything_is_there_after_a_crash(server: tuple[ManagedProcess, int]) -> None:
    process, port = server
    url = f"redis://app:{PASSWORDS['APPLICATION']}@{LOOPBACK}:{port}/0"
    services = build_services(load_settings(None, redis_url=url, fortnox_api_url=f"http://{LOOPBACK}:1"))

    def answers() -> bool:
        try:
            return bool(services.redis.ping())
        except RedisError:
            return False

    process.start()
    wait_until(answers, what="Redis")
    publish(customer_json(), services=services)
    process.kill()
    process.start()
    wait_until(answers, what="Redis again")
    assert services.ordering.event("acme", "e1") is not None
    assert services.ordering.counts("acme")["ready"] == 1


def test_nobody_comes_in_as_default(server: tuple[ManagedProcess, int]) -> None:
    process, port = server
    process.start()

    def refused() -> bool:
        with Redis(port=port, retry=None) as nobody, pytest.raises(RedisError) as error:
            nobody.ping()
        return isinstance(error.value, AuthenticationError)

    wait_until(refused, what="Redis to refuse")
    for password in ("", "any"):
        with Redis(port=port, username="default", password=password, retry=None) as nobody, pytest.raises(RedisError):
            nobody.ping()
