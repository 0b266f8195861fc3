"""docker-compose.yml is valid, and each service is durable, confined, watched and stopped in good time.

No container engine is needed. That the commands run is tested by starting each as a process (tests/acceptance).
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.celery import SOFT_SHUTDOWN_SECONDS
from config.queues import QUEUES
from tests.compose import APPLICATION, COMPOSE_FILE, HA_FILE, NotSet, Service, compose_file, services

ROOT = COMPOSE_FILE.parent
SERVICES = services()


def options_of(service: Service) -> dict[str, str]:
    """`--name=value` words of a command."""
    return dict(word.removeprefix("--").split("=", 1) for word in service.command if re.match(r"--[\w-]+=", word))


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration)
    return int(duration[:-1])


@pytest.mark.parametrize("path", [COMPOSE_FILE, HA_FILE], ids=lambda path: path.name)
def test_the_file_follows_the_compose_specification(path: Path) -> None:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
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
        "--maxmemory": "2gb",
        "--aclfile": "/etc/redis/users.acl",
    }
    assert SERVICES["redis"].definition["volumes"] == ["redis-data:/data", "./redis-users.acl:/etc/redis/users.acl:ro"]
    assert "redis-data" in compose_file()["volumes"]


def test_redis_is_not_reachable_from_outside() -> None:
    assert "ports" not in SERVICES["redis"].definition


def test_every_published_port_is_on_the_loopback_address_but_that_with_tls() -> None:
    assert SERVICES["redis-tls"].definition["ports"] == ["6380:6380"]
    others = [service for name, service in SERVICES.items() if name != "redis-tls"]
    ports = [port for service in others for port in service.definition.get("ports", [])]

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

    given = {"REDIS_URL": "redis://redis:6379/0"}
    with pytest.raises(NotSet, match="FLOWER_BASIC_AUTH"):
        flower.environment(given)
    with pytest.raises(NotSet, match="FLOWER_BASIC_AUTH"):
        flower.environment(given | {"FLOWER_BASIC_AUTH": ""})
    assert flower.environment(given | {"FLOWER_BASIC_AUTH": "a:b"})["FLOWER_BASIC_AUTH"] == "a:b"


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
def test_the_application_waits_for_redis_and_does_not_start_without_its_address(name: str) -> None:
    service = SERVICES[name]

    assert service.definition["depends_on"] == {"redis": {"condition": "service_healthy"}}
    with pytest.raises(NotSet, match="REDIS_URL"):
        service.environment({"FLOWER_BASIC_AUTH": "a:b"})


def test_only_what_transfers_gets_the_secrets_of_fortnox_moment_and_smtp() -> None:
    given = {name: SERVICES[name].definition["env_file"] for name in APPLICATION}

    transfers = {"worker", "background", "beat", "console"}  # the console asks Fortnox for what it explains
    assert given == {**dict.fromkeys(transfers, ".env"), "flower": [], "metrics": []}


def test_producers_and_pages_share_no_network_with_what_transfers_but_the_console() -> None:
    members = {
        network: {name for name, one in SERVICES.items() if network in one.definition["networks"]}
        for network in compose_file()["networks"]
    }

    assert members == {
        "redis": {"redis", "worker", "background", "beat", "console", "flower", "metrics"},
        "producers": {"redis", "redis-tls"},
        "internet": {"worker", "background", "beat", "console", "sandbox"},
        "pages": {"console", "flower", "metrics", "redis-tls"},
    }
    assert all((compose_file()["networks"][name] or {}).get("internal") for name in ("redis", "producers"))


def test_redis_lets_nobody_in_without_a_password_but_its_own_health_check() -> None:
    users = [
        line.split() for line in (ROOT / "redis-users.acl.example").read_text().splitlines() if line[:5] == "user "
    ]

    assert ["user", "default", "off", "~*", "&*", "+@all"] in users  # off, and see tests/integration/test_acl_file.py
    assert [user[1] for user in users if "nopass" in user] == ["health"]


def test_only_the_sandbox_and_the_port_for_producers_need_a_profile() -> None:
    profiles = {name: service.definition.get("profiles") for name, service in SERVICES.items()}
    assert {name: of for name, of in profiles.items() if of} == {"sandbox": ["sandbox"], "redis-tls": ["producers"]}
    assert SERVICES["sandbox"].definition["build"]["target"] == "sandbox"


def test_a_command_of_the_readme_that_reads_a_file_is_run_without_a_terminal() -> None:
    lines = re.findall(r"docker compose exec (-T )?(\S+) moment-fortnox (.*)", (ROOT / "README.md").read_text())

    assert lines
    assert {service for _, service, _ in lines} <= {*APPLICATION}
    assert all(bool(piped) == (" < " in command) for piped, _, command in lines)


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
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    assert packages <= allowed, "the image lacks a package"


# --- docker-compose.ha.yml ---

HA = services(HA_FILE)
OF_REDIS = sorted({*HA} - {*APPLICATION, "redis-tls"})


def test_each_redis_and_sentinel_is_on_its_own_disk_watched_bounded_and_not_published() -> None:
    assert OF_REDIS == ["redis", "redis-2", "redis-3", "sentinel-1", "sentinel-2", "sentinel-3"]
    disks = [volume for name in OF_REDIS for volume in HA[name].definition["volumes"] if volume.endswith(":/data")]
    assert len({*disks}) == len(OF_REDIS)
    for name in OF_REDIS:
        definition = HA[name].definition
        assert definition["restart"] == "unless-stopped"
        assert set(definition["logging"]["options"]) == {"max-size", "max-file"}
        assert "ports" not in definition
        assert "ping" not in " ".join(definition["healthcheck"]["test"])
        assert definition["environment"]["SELF"].partition(":")[0] == name


def test_every_service_of_the_application_finds_the_master_through_sentinel_and_waits_for_a_replica() -> None:
    secrets = {"REDIS_SENTINEL_PASSWORD": "s"}
    for name in APPLICATION:
        given = HA[name].environment(secrets)
        assert given["REDIS_SENTINELS"] == "sentinel-1:26379,sentinel-2:26379,sentinel-3:26379/main"
        assert given["REDIS_REPLICAS_ACK"] == "1"
        assert {f"./tls/ca.pem:{given['REDIS_CA']}:ro"} == {*HA[name].definition["volumes"]}


@pytest.mark.parametrize("name", ["REDIS_SENTINEL_PASSWORD", "REDIS_REPLICATION_PASSWORD", "REDIS_WATCH_PASSWORD"])
def test_redis_does_not_start_without_its_passwords(name: str) -> None:
    given = dict.fromkeys(("REDIS_SENTINEL_PASSWORD", "REDIS_REPLICATION_PASSWORD", "REDIS_WATCH_PASSWORD"), "s")
    with pytest.raises(NotSet, match=name):
        HA["redis"].environment(given | {name: ""})


def test_a_master_that_nobody_copies_takes_no_writes_and_every_write_is_on_disk() -> None:
    script = (ROOT / "redis-ha.sh").read_text()
    for wanted in ("min-replicas-to-write 1", "appendonly yes", "appendfsync always", "maxmemory-policy noeviction"):
        assert f'"{wanted}"' in script
