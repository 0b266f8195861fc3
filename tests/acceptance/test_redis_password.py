"""Redis with a password: everything works with it, and nothing that Celery or Flower shows holds it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from redis import Redis

from config import load_settings
from config.environment import child_environment
from local.stack import Stack
from stores.beat import beat_age
from tasks.flows import REPORT_SCHEDULE
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import DEADLINE, wait_until
from worker.bootstrap import create_app

PASSWORD = "Hemligt-l0senord"
LOGIN = ("operator", "operators-only")
PAGES = (
    "/",
    "/workers",
    "/tasks",
    "/broker",
    "/api/workers",
    "/api/workers?refresh=1",
    "/api/tasks",
    "/api/queues/length",
)


def behind_a_password(stack: Stack) -> None:
    url = stack.environment["REDIS_URL"]
    with Redis.from_url(url) as redis:
        redis.config_set("requirepass", PASSWORD)
    stack.environment["REDIS_URL"] = url.replace("redis://", f"redis://:{PASSWORD}@")
    stack.settings = load_settings(None, **{name.lower(): value for name, value in stack.environment.items()})


def celery(stack: Stack, *commands: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    """What each of these commands of Celery's shows. All run in one process, whose environment `worker.app` reads."""
    program = (
        "import json, sys\n"
        "from celery.bin.celery import celery\n"
        "from click.testing import CliRunner\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    done = CliRunner().invoke(celery, ['-A', 'worker.app', *arguments])\n"
        "    print(json.dumps(done.output + repr(done.exception)))\n"
    )
    command = [sys.executable, "-c", program, json.dumps(commands)]
    environment = child_environment(stack.environment)
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=True)
    return dict(zip(commands, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    options = {"WORKER_REMOTE_CONTROL": "true", "LOG_FORMAT": "json"}
    with Stack(Path(tmp_path_factory.mktemp("password")), options=options) as stack:
        stack.start_services()
        behind_a_password(stack)
        stack.start_worker()
        stack.start_beat()
        yield System(stack, create_app(stack.settings))


@pytest.fixture(scope="module")
def flower(guarded: System) -> str:
    address, _ = guarded.stack.start_flower(login=":".join(LOGIN))
    return address


def test_events_beat_and_commands_go_through_with_it(guarded: System) -> None:
    guarded.connect("guarded")
    guarded.app.send_task("events.receive", args=[customer_json(company="guarded")], queue="events")
    assert guarded.settled("guarded", "e1").status == "done"
    wait_until(lambda: beat_age(guarded.app.services.redis, REPORT_SCHEDULE.name), what="beat")
    assert guarded.run("status").returncode == 0


def test_no_command_of_celerys_shows_it(guarded: System) -> None:
    inspected = ("conf", "report", "stats", "active_queues", "registered")
    inspects = [("inspect", what) for what in inspected]
    shown = celery(guarded.stack, ("report",), *inspects, ("inspect", "conf", "--json"), ("status",))
    for command, text in shown.items():
        assert "Traceback" not in text, command
        assert len(text) > 100 or command == ("status",), command
        assert PASSWORD not in text, command


def test_no_page_of_flowers_shows_it_and_the_lengths_of_the_queues_are_there(guarded: System, flower: str) -> None:
    def shown() -> str:
        return "\n".join(requests.get(flower + page, auth=LOGIN, timeout=30).text for page in PAGES)

    worker = wait_until(
        lambda: next(iter(requests.get(f"{flower}/api/workers", auth=LOGIN, timeout=30).json()), None),
        what="Flower to know the worker",
    )
    page = requests.get(f"{flower}/worker/{worker}", auth=LOGIN, timeout=30)

    assert page.status_code == 200
    assert "redbeat_redis_url" in page.text
    assert PASSWORD not in page.text + shown()
    lengths = requests.get(f"{flower}/api/queues/length", auth=LOGIN, timeout=30).json()
    assert {queue["name"] for queue in lengths["active_queues"]} >= {"events", "transfers"}


def test_no_log_holds_it(guarded: System, flower: str) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in guarded.stack.logs.glob("*.log")}
    assert {"worker.log", "beat.log", "flower.log"} <= set(logs)
    assert [name for name, text in logs.items() if PASSWORD in text] == []


# --- Remote control ---


def test_workers_take_no_commands_unless_a_setting_allows_it_and_flower_works_all_the_same(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path) as stack:
        stack.start_services()
        worker = stack.start_worker()
        flower, _ = stack.start_flower(login=":".join(LOGIN))
        system = System(stack, create_app(stack.settings))

        ping, shutdown = ("inspect", "ping", "--timeout", "3"), ("control", "shutdown", "--timeout", "1")
        assert "No nodes replied" in celery(stack, ping, shutdown)[ping]

        system.app.send_task("events.receive", args=[customer_json(company="nobody")], queue="events")
        wait_until(lambda: system.app.services.ordering.event("nobody", "e1"), what="the event")
        assert worker.status is None

        def seen() -> bool:
            tasks = requests.get(f"{flower}/api/tasks", auth=LOGIN, timeout=30).json()
            return any(task["name"] == "events.receive" for task in tasks.values())

        wait_until(seen, what="Flower to show the task")
        for page in ("/", "/workers", "/tasks", "/broker"):
            assert requests.get(flower + page, auth=LOGIN, timeout=30).status_code == 200
        assert json.dumps(requests.get(f"{flower}/api/workers", auth=LOGIN, timeout=30).json())
