"""A producer's program that has `REDIS_URL` and no other setting publishes events, and keeps no code in clear."""

import subprocess
import sys
from pathlib import Path

from redis import Redis

from config.environment import child_environment
from tests.unit.factories import customer_json, integration_json

ROOT = Path(__file__).parents[2]
OTHERS = ("FORTNOX_API_URL", "FORTNOX_CLIENT_ID", "FORTNOX_CLIENT_SECRET", "MOMENT_API_KEY", "ENCRYPTION_KEYS")


def publish_alone(redis_url: str, event: object, directory: Path) -> subprocess.CompletedProcess[str]:
    unset = dict.fromkeys(OTHERS, "")
    environment = child_environment({"REDIS_URL": redis_url, "PYTHONPATH": str(ROOT), **unset})
    code = f"from worker import publish\nprint(publish({event!r}).known)"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_event_is_published_with_redis_url_alone(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    published = publish_alone(redis_url, customer_json(), tmp_path)

    assert (published.stdout.strip(), published.stderr) == ("False", "")
    assert redis_client.exists("mf:event:acme:e1")
    assert publish_alone(redis_url, customer_json(), tmp_path).stdout.strip() == "True"


def test_a_code_without_a_key_to_seal_it_is_refused_and_nothing_is_kept(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    published = publish_alone(redis_url, integration_json(authorization_code="c0de"), tmp_path)

    assert published.returncode == 1
    assert "ENCRYPTION_KEYS is not set" in published.stderr
    assert redis_client.dbsize() == 0
