"""docker-compose.ha.yml: its commands as processes, with TLS and Redis's users, while a master dies with its disk."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from config import load_settings
from local import ManagedProcess
from local.redis import LOOPBACK, free_port
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.acl_file import PASSWORDS, redis_of_debian, users
from tests.certificates import Authority
from tests.compose import HA_FILE, services
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

ROOT = HA_FILE.parent
NODES = ("redis", "redis-2", "redis-3")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
SECRETS = {
    "REDIS_SENTINEL_PASSWORD": "sentinels-own",
    "REDIS_REPLICATION_PASSWORD": "of-replicas",
    "REDIS_WATCH_PASSWORD": "of-sentinels",
}


def redis_with_tls(directory: Path) -> Path:
    """A directory with a redis-server that speaks TLS."""
    found = redis_of_debian()
    if found is None or shutil.which("redis-cli") is None:
        pytest.skip("Debian's Redis is not on this machine")
    (directory / "redis-server").symlink_to(found)
    return directory


@dataclass
class Cluster:
    """The services of the file as processes; each has its own port of this machine in place of a name."""

    directory: Path
    programs: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in (*NODES, *SENTINELS)})
    processes: dict[str, ManagedProcess] = field(default_factory=dict)

    def start(self, name: str) -> ManagedProcess:
        service = services(HA_FILE)[name]
        (self.directory / name).mkdir(exist_ok=True)
        environment = {key: self._here(value, name) for key, value in service.environment(SECRETS).items()}
        command = [word.replace("/etc/redis/redis-ha.sh", str(ROOT / "redis-ha.sh")) for word in service.command]
        environment["PATH"] = f"{self.programs}:/usr/local/bin:/usr/bin:/bin"
        log = self.directory / f"{name}.log"
        self.processes[name] = ManagedProcess(name, command, log=log, env=environment).start()
        return self.processes[name]

    def come_back(self, name: str) -> None:
        """Start it again until it stays, as `restart: unless-stopped` does."""

        def stays() -> bool:
            process = self.processes[name]
            if not process.is_running:
                process = self.start(name)
            return "Success" in process.log_tail(400) and process.is_running

        wait_until(stays, what=f"{name} to come back", interval=0.5)

    def ask(self, port: int, password: str, *command: str, user: str = "") -> str:
        options = ["--tls", "--cacert", str(self.directory / "tls" / "ca.pem"), "-p", str(port), "-h", "localhost"]
        login = ["--user", user] if user else []
        done = subprocess.run(
            ["redis-cli", "--no-auth-warning", "--raw", *options, *login, "--pass", password, *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout

    def ask_sentinel(self, name: str, *command: str) -> str:
        return self.ask(self.ports[name], SECRETS["REDIS_SENTINEL_PASSWORD"], "sentinel", *command)

    def master(self) -> str:
        """The name of the node that the first Sentinel that answers names."""
        for sentinel in SENTINELS:
            said = self.ask_sentinel(sentinel, "get-master-addr-by-name", "main")
            for name in NODES:
                if said.split()[1:] == [str(self.ports[name])]:
                    return name
        return ""

    def _here(self, value: str, name: str) -> str:
        for service in sorted(self.ports, key=len, reverse=True):
            for port in (6379, 26379):
                value = value.replace(f"{service}:{port}", f"localhost:{self.ports[service]}")
        places = {
            "/data": self.directory / name,
            "/etc/redis/tls": self.directory / "tls",
            "/etc/redis/users.acl": self.directory / "users.acl",
            "/etc/redis-ca.pem": self.directory / "tls" / "ca.pem",
        }
        return str(places.get(value, value))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = Path(tmp_path_factory.mktemp("ha"))
    (directory / "bin").mkdir()
    programs = redis_with_tls(directory / "bin")
    authority = Authority(directory / "tls")
    certificate, key = authority.sign("localhost", LOOPBACK)
    authority.certificate.rename(directory / "tls" / "ca.pem")
    certificate.rename(directory / "tls" / "redis.pem")
    key.rename(directory / "tls" / "redis.key")
    (directory / "users.acl").write_text(users(programs / "redis-server"))
    running = Cluster(directory, programs)
    try:
        for name in (*NODES, *SENTINELS):
            running.start(name)
        for sentinel in SENTINELS:
            wait_until(lambda sentinel=sentinel: knows_all(running, sentinel), what=f"{sentinel} to know all")  # type: ignore[misc]
        yield running
    finally:
        for process in running.processes.values():
            process.kill()


def knows_all(cluster: Cluster, sentinel: str) -> bool:
    said = cluster.ask_sentinel(sentinel, "master", "main").split("\n")
    fields = dict(zip(said[::2], said[1::2], strict=False))
    return (fields.get("num-slaves"), fields.get("num-other-sentinels")) == ("2", "2")


@pytest.fixture(scope="module")
def system(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with Stack(Path(tmp_path_factory.mktemp("stack"))) as stack:
        stack.start_services()
        own = services(HA_FILE)["worker"].environment(SECRETS)
        stack.environment |= {name: cluster._here(value, "worker") for name, value in own.items()}
        stack.environment["REDIS_SENTINELS"] = (
            ",".join(f"localhost:{cluster.ports[one]}" for one in SENTINELS) + "/main"
        )
        stack.environment["REDIS_URL"] = "rediss://app:of-the-app@redis:6379/0"
        stack.settings = load_settings(None, **{name.lower(): value for name, value in stack.environment.items()})
        stack.start_beat()
        stack.start_worker()
        system = System(stack, create_app(stack.settings))
        system.connect("acme")
        yield system


def publish_at_last(system: System, event: dict[str, Any]) -> None:
    """As a producer does whose event was not taken."""

    def accepted() -> bool:
        try:
            system.publish(event)
        except RedisError:
            return False
        return True

    wait_until(accepted, what="the event to be accepted", interval=0.2)


def wait_until_done(system: System, event_id: str) -> None:
    """As somebody whose connection breaks meanwhile."""

    def is_done() -> bool:
        try:
            record = system.app.services.ordering.event("acme", event_id)
        except RedisError:
            return False
        return record is not None and record.status == "done"

    wait_until(is_done, what=f"{event_id} to be done", interval=0.2)


def test_events_go_through_over_tls_under_the_users_of_the_example(cluster: Cluster, system: System) -> None:
    system.publish(customer_json())
    wait_until_done(system, "e1")
    wait_until(lambda: system.run("health").returncode == 0, what="beat's first round", interval=0.5)


def test_the_health_checks_of_nodes_and_sentinels_pass(cluster: Cluster) -> None:
    for name in (*NODES, *SENTINELS):
        service = services(HA_FILE)[name]
        _, shell = service.definition["healthcheck"]["test"]
        for theirs, ours in (
            ("/etc/redis/tls", str(cluster.directory / "tls")),
            (" -p 26379", f" -h localhost -p {cluster.ports[name]}"),
            (" --user health", f" -h localhost -p {cluster.ports[name]} --user health"),
            ("$$", "$"),
        ):
            shell = shell.replace(theirs, ours)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **SECRETS}
        done = subprocess.run(["sh", "-c", shell], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done)


def test_a_master_that_dies_with_its_disk_comes_back_as_a_replica_with_everything(
    cluster: Cluster, system: System
) -> None:
    former = cluster.master()
    cluster.processes[former].kill()
    shutil.rmtree(cluster.directory / former)
    cluster.start(former)  # at once: an empty master would empty the others
    cluster.come_back(former)
    assert cluster.master() not in ("", former)
    publish_at_last(system, customer_json(event_id="after", customer_number="2"))
    wait_until_done(system, "after")
    assert system.app.services.ordering.event("acme", "e1") is not None

    def copied() -> bool:
        return "role:slave" in cluster.ask(cluster.ports[former], "of-the-app", "info", "replication", user="app")

    wait_until(copied, what="the former master to be a replica")


def test_a_master_that_restarts_at_once_goes_on(cluster: Cluster, system: System) -> None:
    name = cluster.master()
    cluster.processes[name].kill()
    cluster.start(name)
    wait_until(lambda: cluster.master() and cluster.processes[name].is_running, what="a master")
    publish_at_last(system, customer_json(event_id="restarted", customer_number="3"))
    wait_until_done(system, "restarted")


def test_the_master_is_moved_by_hand_as_the_page_says(cluster: Cluster, system: System) -> None:
    """docs/operations.md, Redis: fail-over."""
    wait_until(lambda: all(knows_all(cluster, one) for one in SENTINELS), what="all to be well again")
    former = cluster.master()

    def as_sentinel(*command: str) -> str:
        return cluster.ask(cluster.ports[former], PASSWORDS["SENTINELS"], *command, user="sentinel")

    system.publish(customer_json(event_id="before", customer_number="4"))
    assert as_sentinel("client", "pause", "15000", "write").strip() == "OK"

    def everything_is_copied() -> bool:
        said = as_sentinel("info", "replication")
        written = re.search(r"^master_repl_offset:(\d+)", said, flags=re.MULTILINE)
        return written is not None and re.findall(r"state=online,offset=(\d+)", said) == [written[1]] * 2

    wait_until(everything_is_copied, what="the replicas to have everything")
    assert cluster.ask_sentinel("sentinel-1", "failover", "main").strip() == "OK"
    wait_until(lambda: cluster.master() not in ("", former), what="another master")
    wait_until_done(system, "before")
    publish_at_last(system, customer_json(event_id="moved", customer_number="5"))
    wait_until_done(system, "moved")


def test_a_producer_outside_reaches_the_master_through_haproxy(cluster: Cluster, system: System) -> None:
    """The profile `producers`, with the file that docker-compose.ha.yml mounts."""
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not on this machine")
    tls, ports = cluster.directory / "tls", {name: cluster.ports[name] for name in NODES}
    (tls / "redis-tls.pem").write_text((tls / "redis.pem").read_text() + (tls / "redis.key").read_text())
    port = free_port()
    text = (ROOT / "redis-tls-ha.cfg").read_text(encoding="utf-8")
    for theirs, ours in (
        ("bind :6380", f"bind {LOOPBACK}:{port}"),
        ("bind 127.0.0.1:6381", f"bind {LOOPBACK}:{free_port()}"),
        ("/etc/haproxy/", f"{tls}/"),
        *(
            (f"{name}:6379 verifyhost {name}\n", f"localhost:{ours} verifyhost localhost\n")
            for name, ours in ports.items()
        ),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    (cluster.directory / "haproxy.cfg").write_text(text)
    command = ["haproxy", "-db", "-f", cluster.directory / "haproxy.cfg"]
    url = f"rediss://producer:of-producers@localhost:{port}/0?ssl_ca_certs={tls / 'ca.pem'}"
    with ManagedProcess("haproxy", command, log=cluster.directory / "haproxy.log"):
        for number in range(2):
            event = {"event": json.dumps(customer_json(event_id=f"outside-{number}", customer_number=f"1{number}"))}

            def added(event: dict[str, str] = event) -> bool:
                with Redis.from_url(url, retry=None, socket_timeout=5) as producer:
                    try:
                        return bool(producer.xadd("moment:events", event))
                    except RedisError:
                        return False

            wait_until(added, what="the entry to be added", interval=0.2)
            wait_until_done(system, f"outside-{number}")
            if not number:
                former = cluster.master()
                cluster.processes[former].kill()
                wait_until(lambda former=former: cluster.master() not in ("", former), what="another master")  # type: ignore[misc]
                cluster.come_back(former)


def test_nobody_comes_in_without_tls_or_a_password(cluster: Cluster) -> None:
    port = cluster.ports["redis"]
    plain = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, text=True, check=False)
    assert "PONG" not in plain.stdout
    assert "NOAUTH" in cluster.ask(port, "wrong", "ping") or "WRONGPASS" in cluster.ask(port, "wrong", "ping")
    assert "PONG" not in cluster.ask(cluster.ports["sentinel-1"], "wrong", "ping")


def test_a_backup_of_a_replica_is_restored_as_the_page_says(cluster: Cluster, system: System, tmp_path: Path) -> None:
    """docs/operations.md, Restore; but the workers run on."""
    wait_until(lambda: all(knows_all(cluster, one) for one in SENTINELS), what="all to be well again")
    publish_at_last(system, customer_json(event_id="in-the-backup", customer_number="20"))
    wait_until_done(system, "in-the-backup")
    replica = next(name for name in ("redis-2", "redis") if name != cluster.master())
    wait_until(lambda: follows(cluster, replica), what="the replica to follow")
    cluster.processes[replica].stop()
    subprocess.run(["tar", "czf", tmp_path / "redis.tgz", "-C", cluster.directory / replica, "."], check=True)
    cluster.start(replica)
    wait_until(lambda: follows(cluster, replica), what="the replica to be back")
    publish_at_last(system, customer_json(event_id="after-the-backup", customer_number="21"))
    wait_until_done(system, "after-the-backup")

    for name in (*NODES, *SENTINELS):
        cluster.processes[name].stop()
        shutil.rmtree(cluster.directory / name)
    (cluster.directory / "redis").mkdir()
    subprocess.run(["tar", "xzf", tmp_path / "redis.tgz", "-C", cluster.directory / "redis"], check=True)
    (cluster.directory / "redis" / "node.conf").unlink()
    for name in (*NODES, *SENTINELS):
        cluster.start(name)

    publish_at_last(system, customer_json(event_id="restored", customer_number="22"))
    wait_until_done(system, "restored")
    assert cluster.master() == "redis"
    found = system.app.services.ordering.event
    assert found("acme", "in-the-backup") is not None
    assert found("acme", "after-the-backup") is None
    wait_until(lambda: all(knows_all(cluster, one) for one in SENTINELS), what="the others to copy it")


def follows(cluster: Cluster, name: str) -> bool:
    """Whether this node is a replica with a link to its master."""
    return "master_link_status:up" in cluster.ask(
        cluster.ports[name], PASSWORDS["SENTINELS"], "info", "replication", user="sentinel"
    )
