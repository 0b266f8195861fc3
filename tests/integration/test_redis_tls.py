"""The profile `producers` of docker-compose.yml: a producer's user sends events through TLS, and nobody without it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from local import ManagedProcess
from local.redis import LOOPBACK, free_port
from tests.integration.test_producers_page import let_in
from tests.unit.factories import customer_json
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tls_port(redis_client: Redis, redis_url: str, tmp_path: Path) -> Iterator[int]:
    """HAProxy with the file that the compose service mounts, in front of this test's Redis."""
    if shutil.which("haproxy") is None or shutil.which("openssl") is None:
        pytest.skip("haproxy or openssl is not on this machine")
    for user in ("producer", "health"):
        let_in(redis_client, user)
    redis_client.execute_command("ACL", "SETUSER", "health", "nopass")  # type: ignore[no-untyped-call]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *names], check=True, capture_output=True)
    (tmp_path / "redis-tls.pem").write_text(certificate.read_text() + key.read_text())
    port, health = free_port(), free_port()
    here = redis_url.removeprefix("redis://").removesuffix("/0")
    text = (ROOT / "redis-tls.cfg").read_text(encoding="utf-8")
    for old, new in (
        ("bind :6380", f"bind {LOOPBACK}:{port}"),
        ("bind 127.0.0.1:6381", f"bind {LOOPBACK}:{health}"),
        ("/etc/haproxy/redis-tls.pem", str(tmp_path / "redis-tls.pem")),
        ("server redis redis:6379", f"server redis {here}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "haproxy.cfg").write_text(text)
    command = ["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")]
    with ManagedProcess("haproxy", command, log=tmp_path / "haproxy.log"):
        wait_until(lambda: answers(health), what="HAProxy's health, which writes to Redis")
        assert redis_client.get("health:tls") == b"ok"
        yield port


def answers(port: int) -> bool:
    import requests

    try:
        return requests.get(f"http://{LOOPBACK}:{port}/healthz", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def test_a_producer_comes_in_through_tls_alone(tls_port: int, redis_client: Redis, tmp_path: Path) -> None:
    authority = f"ssl_ca_certs={tmp_path / 'certificate.pem'}"
    address = f"localhost:{tls_port}/0?{authority}"
    with Redis.from_url(f"rediss://producer:a+b%2Fc@{address}") as producer:
        producer.xadd("moment:events", {"event": json.dumps(customer_json())})
    assert redis_client.xlen("moment:events") == 1
    for refused in (f"rediss://{address}".replace("rediss://", "rediss://producer:wrong@"),
                    f"redis://producer:a+b%2Fc@localhost:{tls_port}/0"):  # fmt: skip
        with Redis.from_url(refused, retry=None, socket_timeout=10) as nobody, pytest.raises(RedisError):
            nobody.xadd("moment:events", {"event": "{}"})
    assert redis_client.xlen("moment:events") == 1
