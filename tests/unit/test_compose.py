"""docker-compose.yml is valid, and each service is durable, confined, watched and stopped in good time.

No container engine is needed. That the commands run is tested by starting each as a process (tests/acceptance).
"""

import re
import signal
import subprocess
import sys

import pytest

from config.celery import SOFT_SHUTDOWN_SECONDS
from config.queues import QUEUES
from tests.compose import APPLICATION, COMPOSE_FILE, NotSet, Service, compose_file, services

ROOT = COMPOSE_FILE.parent
SERVICES = services()


def options_of(service: Service) -> dict[str, str]:
    """`--name=value` words of a command."""
    return dict(word.removeprefix("--").split("=", 1) for word in service.command if re.match(r"--[\w-]+=", word))


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration)
    return int(duration[:-1])


def test_the_file_follows_the_compose_specification() -> None:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    checked = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_redis_loses_nothing_that_was_acknowledged() -> None:
    words = SERVICES["redis"].command
    options = dict(zip(words[1::2], words[2::2], strict=True))

    assert words[0] == "redis-server"
    assert options == {
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--maxmemory-policy": "noeviction",
        "--save": "",
    }
    assert SERVICES["redis"].definition["volumes"] == ["redis-data:/data"]
    assert "redis-data" in compose_file()["volumes"]


def test_redis_is_not_reachable_from_outside() -> None:
    assert "ports" not in SERVICES["redis"].definition


def test_every_published_port_is_on_the_loopback_address() -> None:
    ports = [port for service in SERVICES.values() for port in service.definition.get("ports", [])]

    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_every_queue_has_a_worker_and_mail_has_one_apart_from_transfers() -> None:
    read = {name: options_of(SERVICES[name])["queues"].split(",") for name in ("worker", "background")}

    assert sorted(read["worker"] + read["background"]) == sorted(QUEUES)
    assert "transfers" in read["worker"]
    assert "mail" in read["background"]


@pytest.mark.parametrize("name", ["worker", "background"])
def test_a_worker_gets_a_soft_shutdown_and_the_time_for_it(name: str) -> None:
    assert SERVICES[name].stop_signal is signal.SIGQUIT  # SIGTERM would wait for running tasks without a limit
    assert seconds(SERVICES[name].definition["stop_grace_period"]) > SOFT_SHUTDOWN_SECONDS


def test_flower_does_not_start_without_a_login() -> None:
    flower = SERVICES["flower"]

    with pytest.raises(NotSet, match="FLOWER_BASIC_AUTH"):
        flower.environment({})
    with pytest.raises(NotSet, match="FLOWER_BASIC_AUTH"):
        flower.environment({"FLOWER_BASIC_AUTH": ""})
    assert flower.environment({"FLOWER_BASIC_AUTH": "a:b"})["FLOWER_BASIC_AUTH"] == "a:b"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_restarts_by_itself_and_bounds_its_logs(name: str) -> None:
    definition = SERVICES[name].definition

    assert definition["restart"] == "unless-stopped"
    assert set(definition["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_watched_by_more_than_a_ping(name: str) -> None:
    check = " ".join(SERVICES[name].definition["healthcheck"]["test"])

    assert "ping" not in check.lower()


@pytest.mark.parametrize(("name", "part"), [("worker", "delivery"), ("background", "background"), ("beat", "beat")])
def test_what_delivers_is_watched_for_progress(name: str, part: str) -> None:
    assert SERVICES[name].definition["healthcheck"]["test"] == ["CMD", "moment-fortnox", "health", part]


@pytest.mark.parametrize("name", sorted({*SERVICES} - {"redis"}))
def test_our_containers_can_do_as_little_as_possible(name: str) -> None:
    definition = SERVICES[name].definition

    assert definition["read_only"] is True
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", APPLICATION)
def test_the_application_waits_for_redis_and_takes_its_secrets_from_env(name: str) -> None:
    definition = SERVICES[name].definition

    assert definition["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert definition["env_file"] == ".env"
    assert definition["environment"]["REDIS_URL"] == "redis://redis:6379/0"


def test_only_the_sandbox_needs_a_profile() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service.definition] == ["sandbox"]
    assert SERVICES["sandbox"].definition["build"]["target"] == "sandbox"


def test_every_image_target_exists_and_none_runs_as_root() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    parents = {stage.split()[2]: stage.split()[0] for stage in stages}
    users = {stage.split()[2]: "USER 10001" in stage for stage in stages}

    targets = {s.definition["build"]["target"] for s in SERVICES.values() if "build" in s.definition}
    assert targets == {"runtime", "sandbox"}
    assert all(users[parents[target]] for target in targets)


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = re.findall(r"^.*\bpip\b.* install .*$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)

    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in installs)


def test_the_image_holds_no_settings_and_no_history() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines  # everything is left out, but what is named
    assert not any(name.startswith((".env", ".git", "tests")) for name in allowed)
