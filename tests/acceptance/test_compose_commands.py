"""Each service of docker-compose.yml, started as a process with its exact command, does its work and stops in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local import ManagedProcess, Processes
from local.redis import free_port
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.compose import services
from tests.monitors import wait_for_flower
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Redis and the stand-ins; the application's services are the compose file's."""
    with Stack(Path(tmp_path_factory.mktemp("composed"))) as stack:
        stack.start_services()
        stack.environment["FLOWER_BASIC_AUTH"] = "operator:secret"
        yield System(stack, create_app(stack.settings))


@pytest.fixture(scope="module")
def running(composed: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(Path(tmp_path_factory.mktemp("logs"))) as processes:
        for name in ("worker", "background", "beat"):
            service = services()[name]
            environment = service.environment(composed.stack.environment) | composed.stack.environment
            processes.start(name, service.local_command(), env=environment)
        for name in ("worker", "background"):
            process = processes[name]
            process.wait_ready(lambda process=process: " ready." in process.log_tail())
        yield processes


def test_the_services_carry_an_event_and_mail_a_failure(composed: System, running: Processes) -> None:
    composed.connect("acme")
    composed.publish(customer_json(), customer_json(event_id="bad", company="stranger"))
    assert composed.settled("acme", "e1").status == "done"
    assert composed.settled("stranger", "bad").status == "failed"
    wait_until(lambda: composed.mails_to("drift@integration.example"), what="the mail")
    running.check()


def test_the_health_check_of_the_services_passes_while_they_run(composed: System, running: Processes) -> None:
    wait_until(lambda: composed.run("health").returncode == 0, what="beat's first tick")
    for name in ("worker", "background", "beat"):
        check = services()[name].definition["healthcheck"]["test"]
        assert check[:2] == ["CMD", "moment-fortnox"]
        done = composed.run(*check[2:])
        assert done.returncode == 0, done.stderr


def test_the_health_check_fails_with_the_reason_when_redis_is_gone(composed: System) -> None:
    environment = composed.stack.environment | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    done = composed.run("health", environment=environment)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_flower_answers_only_to_its_login_and_remembers_what_it_saw(
    composed: System, running: Processes, tmp_path: Path
) -> None:
    service = services()["flower"]
    port = free_port()
    ours = {"5555": str(port), "0.0.0.0": "127.0.0.1", "/data/": f"{tmp_path}/"}
    command = service.local_command()
    for theirs, here in ours.items():
        command = [word.replace(theirs, here) for word in command]
    environment = composed.stack.environment | service.environment(composed.stack.environment)
    environment["REDIS_URL"] = composed.stack.environment["REDIS_URL"]
    page = f"http://127.0.0.1:{port}/"

    def tasks() -> set[str]:
        return set(requests.get(f"{page}api/tasks", auth=("operator", "secret"), timeout=30).json())

    def start(processes: Processes, name: str) -> ManagedProcess:
        flower = processes.start(name, command, env=environment)
        return flower.wait_ready(lambda: "Visit me at" in flower.log_tail(200))

    with Processes(tmp_path / "logs") as processes:
        flower = start(processes, "flower")
        assert requests.get(page, timeout=30).status_code == 401
        assert requests.get(page, auth=("operator", "secret"), timeout=30).status_code == 200
        wait_for_flower(page.rstrip("/"), "operator:secret")
        composed.publish(customer_json(event_id="seen", company="stranger"))
        seen = wait_until(tasks, what="Flower to see a task")
        flower.stop(timeout=30)
        start(processes, "flower again")
        assert seen <= tasks()


def test_each_service_stops_within_its_grace_when_told_as_compose_tells_it(
    composed: System, running: Processes
) -> None:
    for name in ("worker", "background", "beat"):
        running[name].send_signal(services()[name].stop_signal)
    for name in ("worker", "background", "beat"):
        grace = float(services()[name].definition["stop_grace_period"].removesuffix("s"))
        running[name].wait(timeout=grace)
