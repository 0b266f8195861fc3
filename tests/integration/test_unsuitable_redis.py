"""A Redis that cannot work is refused in one line that says what is needed, by whatever connects to it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from config.environment import child_environment
from config.redis_connections import IsCluster, IsSentinel, TooOld, check_server
from config.settings import ProducerSettings
from delivery.services import build_services
from local import ManagedProcess
from local.redis import LOOPBACK, find_redis_server, free_port
from tests import commands
from tests.services import running_redis
from tests.tcp_proxy import TcpProxy
from tests.unit.factories import customer_json
from tests.waiting import DEADLINE, wait_until
from worker.publish import publish

SANDBOX = {"FORTNOX_API_URL": "http://127.0.0.1:1"}
WORDS = {
    "5.0": "6.2 or later is needed",
    "6.0": "6.2 or later is needed",
    "cluster": "docs/scale.md",
    "sentinel": "REDIS_SENTINELS",
}


@contextmanager
def of_version(version: str, directory: Path) -> Iterator[str]:
    """A real Redis that says that it is of another version."""
    with running_redis(directory) as url, Redis.from_url(url) as redis:
        true = str(redis.info("server")["redis_version"]).encode()
        said = version.encode() + true[len(version) :]  # as long as before, as the answer begins with its length
        port = int(url.rpartition(":")[2].removesuffix("/0"))
        with TcpProxy(port, change=lambda data: data.replace(b"redis_version:" + true, b"redis_version:" + said)) as it:
            yield f"redis://{LOOPBACK}:{it.port}/0"


@contextmanager
def sentinel(directory: Path) -> Iterator[str]:
    port = free_port()
    (directory / "sentinel.conf").write_text(f"port {port}\nbind {LOOPBACK}\n")
    command = [find_redis_server(), directory / "sentinel.conf", "--sentinel"]
    with ManagedProcess("sentinel", command, log=directory / "sentinel.log") as process:
        wait_until(lambda: "Sentinel ID" in process.log_tail(200), what="the Sentinel")
        yield f"redis://{LOOPBACK}:{port}/0"


@pytest.fixture(params=WORDS)
def unsuitable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Its address, and what the refusal has to say."""
    match request.param:
        case "cluster":
            low = next(port for port in iter(free_port, 0) if port < 55536)  # the cluster's own is 10,000 higher
            server = running_redis(tmp_path, port=low, options={"cluster-enabled": "yes"})
        case "sentinel":
            server = sentinel(tmp_path)
        case version:
            server = of_version(version, tmp_path)
    with server as url:
        yield url, WORDS[request.param]


def test_commands_and_health_refuse_it(unsuitable: tuple[str, str]) -> None:
    url, words = unsuitable
    for command in (["status"], ["health"], ["events", "list"]):
        done = commands.run(*command, environment=SANDBOX | {"REDIS_URL": url})
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert words in done.stderr


def test_publish_refuses_it(unsuitable: tuple[str, str]) -> None:
    url, words = unsuitable
    services = build_services(ProducerSettings(_env_file=None, redis_url=url))  # type: ignore[call-arg]
    with pytest.raises((TooOld, IsCluster, IsSentinel), match=re.escape(words)):
        publish(customer_json(), services=services)


@pytest.mark.parametrize("program", ["worker", "beat", "flower"])
def test_workers_beat_and_flower_end_with_one_line(unsuitable: tuple[str, str], program: str) -> None:
    url, words = unsuitable
    status, said = started(program, url)
    assert status == 1
    assert (words in said, said.count("\n")) == (True, 1), said


@pytest.mark.parametrize("program", ["worker", "beat", "flower"])
def test_workers_beat_and_flower_end_with_one_line_at_a_wrong_address(program: str) -> None:
    status, said = started(program, "redis://app:s3cr/t@127.0.0.1:6379/0")
    assert status == 2
    assert said.startswith("error: REDIS_URL: give redis://")
    assert said.count("\n") == 1
    assert "s3cr" not in said


@pytest.mark.parametrize("program", ["worker", "beat", "flower"])
@pytest.mark.parametrize("fault", ["password", "database"])
def test_workers_beat_and_flower_end_with_one_line_where_redis_refuses_them(
    program: str, fault: str, tmp_path: Path
) -> None:
    with running_redis(tmp_path) as url, Redis.from_url(url) as admin:
        if fault == "password":
            admin.config_set("requirepass", "another")
            status, said = started(program, url.replace("redis://", "redis://:s3cr3t@"))
        else:
            status, said = started(program, url.replace("/0", "/99"))
    assert (status, said.count("\n")) == (1, 1), said
    assert "s3cr3t" not in said
    assert ("DB index is out of range" in said) == (fault == "database")


def started(program: str, url: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", program],
        env=child_environment(SANDBOX | {"REDIS_URL": url}),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "7.2.4", "8.0.1", "10.1.0", ""])
def test_later_versions_and_servers_that_do_not_say_are_accepted(version: str) -> None:
    check_server(f"# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n" if version else "")


@pytest.mark.parametrize("version", ["2.8.4", "5.0.14", "6.0.16", "6.1.242"])
def test_earlier_versions_are_not(version: str) -> None:
    with pytest.raises(TooOld, match=version):
        check_server(f"redis_version:{version}\r\n")
