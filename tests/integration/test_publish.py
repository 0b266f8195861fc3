"""Publishing from Python: with `REDIS_URL` alone, never keeping a code in clear, raising nothing unforeseen."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from config import load_settings
from config.environment import child_environment
from delivery.services import build_services
from moment.events import InvalidEvent
from tests import commands
from tests.unit.factories import customer_json, integration_json, invoice_json
from worker import publish

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


DEEP: dict[str, object] = {}
for _ in range(900):
    DEEP = {"more": DEEP}


@pytest.mark.parametrize(
    "event",
    [
        b"\xff",
        "\ud800",
        "",
        "[" * 100_000,
        '{"id":"e1","amount":1e999999999999}',
        json.dumps(customer_json(name="x" * 20_000_000)),
        customer_json(name="x" * 20_000_000),
        customer_json(name="\ud800"),
        customer_json(event_id="\ud800"),
        customer_json() | {"sequence": 10**5000},
        customer_json() | {"sequence": Decimal("1e999999")},
        customer_json() | DEEP,
        invoice_json(total_including_vat=Decimal("1e40")),
        invoice_json(total_including_vat=float("inf")),
        invoice_json(total_including_vat="9" * 5000),
    ],
    ids=lambda event: str(event)[:40] if isinstance(event, str | bytes) else "an object",
)
def test_whatever_is_published_only_invalid_event_leaves_publish(
    redis_url: str, redis_client: Redis, event: Any
) -> None:
    services = build_services(load_settings(None, fortnox_api_url="http://127.0.0.1:1", redis_url=redis_url))
    with pytest.raises(InvalidEvent):
        publish(event, services=services)
    assert redis_client.dbsize() == 0


def test_a_line_of_a_file_ends_at_a_line_feed_alone(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    name = "Skånska\u2028Bygg\u0085AB"  # JSON text may hold these as they are; `str.splitlines` cuts there
    events = [json.dumps(customer_json(event_id=f"e{number}", name=name), ensure_ascii=False) for number in range(2)]
    file = tmp_path / "events.jsonl"
    file.write_bytes("\r\n".join(events).encode())

    environment = {"REDIS_URL": redis_url, "FORTNOX_API_URL": "http://127.0.0.1:1"}
    done = commands.run("publish", str(file), "--json", environment=environment)

    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert (told["accepted"], told["known"]) == (2, 0)
