"""`rediss://`: every client checks the certificate of Redis before it says anything, the password above all."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from flower.utils.broker import Broker
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from cli.completion import VARIABLE, complete
from config import Settings, load_settings
from config.redis import redis_client
from local.redis import LOOPBACK
from local.stack import Stack
from stores.beat import beat_age
from tasks.flows import REPORT_SCHEDULE
from tests import commands
from tests.acceptance.conftest import System
from tests.certificates import Authority
from tests.monitors import wait_for_flower
from tests.tcp_proxy import TcpProxy
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

PASSWORD = "Hemligt-l0senord"
LOGIN = "operator:secret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis with a password, and the stand-ins."""
    with Stack(Path(tmp_path_factory.mktemp("stack"))) as stack:
        stack.start_services()
        with Redis.from_url(stack.environment["REDIS_URL"]) as redis:
            redis.config_set("requirepass", PASSWORD)
        yield stack


def port_of(stack: Stack) -> int:
    return int(stack._redis.url.rpartition(":")[2].removesuffix("/0"))


def environment(proxy: TcpProxy, authority: Authority | None, query: str = "") -> dict[str, str]:
    url = f"rediss://:{PASSWORD}@localhost:{proxy.port}/0{query}"
    return {"REDIS_URL": url, **({"REDIS_CA": str(authority.certificate)} if authority else {})}


@pytest.fixture
def impostor(
    request: pytest.FixtureRequest, stack: Stack, authority: Authority, tmp_path: Path
) -> Iterator[tuple[TcpProxy, dict[str, str]]]:
    """A server that is not Redis's, and the settings of clients that are led to it."""
    others = Authority(tmp_path / "theirs")
    context, trusted = {
        "signed by another authority": lambda: (others.server("localhost", LOOPBACK), authority),
        "for another name": lambda: (authority.server("another.example"), authority),
        "of no authority that the machine knows": lambda: (authority.server("localhost"), None),
    }[request.param]()
    with TcpProxy(port_of(stack), tls=context) as proxy:
        yield proxy, environment(proxy, trusted)


IMPOSTORS = pytest.mark.parametrize(
    "impostor",
    ["signed by another authority", "for another name", "of no authority that the machine knows"],
    indirect=True,
)


def settings_of(environment: Mapping[str, str]) -> Settings:
    given = {name.lower(): value for name, value in environment.items()}
    return load_settings(None, fortnox_api_url="http://127.0.0.1:1", **given)


def by_engine(settings: Settings) -> None:
    redis_client(settings).ping()


def by_kombu(settings: Settings) -> None:
    with create_app(settings).connection() as connection:
        connection.ensure_connection(max_retries=1)


def by_beat(settings: Settings) -> None:
    app = create_app(settings)
    app.conf.redbeat_redis_options = app.conf.redbeat_redis_options | {"retry": None}
    app.redbeat_redis.ping()


def by_flower(settings: Settings) -> None:
    app = create_app(settings)
    with app.connection() as connection:
        url = connection.as_uri(include_password=True)
    options = {"broker_options": app.conf.broker_transport_options, "broker_use_ssl": app.conf.broker_use_ssl}
    assert asyncio.run(Broker(url, **options).queues(["transfers"]))


CLIENTS: dict[str, Callable[[Settings], None]] = {
    "engine": by_engine,
    "kombu": by_kombu,
    "beat": by_beat,
    "flower": by_flower,
}


@IMPOSTORS
@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_sends_the_password_to_an_impostor(impostor: tuple[TcpProxy, dict[str, str]], client: str) -> None:
    proxy, given = impostor
    with pytest.raises((RedisError, OperationalError, ssl.SSLError, OSError)):
        CLIENTS[client](settings_of(given))
    wait_until(lambda: proxy.refused, what="a refused handshake")
    assert proxy.heard == b""


@IMPOSTORS
def test_a_command_says_that_the_certificate_is_not_good(impostor: tuple[TcpProxy, dict[str, str]]) -> None:
    proxy, given = impostor
    done = commands.run("status", environment={"FORTNOX_API_URL": "http://127.0.0.1:1", **given})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "certificate" in done.stderr
    assert proxy.heard == b""


@IMPOSTORS
def test_completion_says_nothing_to_an_impostor(impostor: tuple[TcpProxy, dict[str, str]]) -> None:
    proxy, given = impostor
    asked = {VARIABLE: "complete_bash", "COMP_WORDS": "moment-fortnox status --company ", "COMP_CWORD": "3"}
    assert complete({**asked, **given}) is not None
    wait_until(lambda: proxy.refused, what="a refused handshake")
    assert proxy.heard == b""


@pytest.mark.parametrize("impostor", ["signed by another authority"], indirect=True)
def test_no_process_sends_the_password_to_an_impostor(impostor: tuple[TcpProxy, dict[str, str]], stack: Stack) -> None:
    proxy, given = impostor
    ours, stack.environment = stack.environment, stack.environment | given | {"FLOWER_BASIC_AUTH": LOGIN}
    try:
        for program in ("worker", "beat", "flower"):
            before = proxy.refused
            process = stack._celery(f"led-astray-{program}", program)
            wait_until(lambda before=before: proxy.refused >= before + 3, what=f"{program} to try")  # type: ignore[misc]
            process.kill()
    finally:
        stack.environment = ours
    assert proxy.heard == b""


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_believes_the_authority_of_the_setting(stack: Stack, authority: Authority, client: str) -> None:
    with TcpProxy(port_of(stack), tls=authority.server("localhost")) as proxy:
        CLIENTS[client](settings_of(environment(proxy, authority)))
        assert PASSWORD.encode() in proxy.heard


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_is_not_checked_where_the_address_says_so(stack: Stack, tmp_path: Path, client: str) -> None:
    with TcpProxy(port_of(stack), tls=Authority(tmp_path).server("another.example")) as proxy:
        CLIENTS[client](settings_of(environment(proxy, None, "?ssl_cert_reqs=none")))
        assert PASSWORD.encode() in proxy.heard


def test_the_whole_system_runs_over_tls(stack: Stack, authority: Authority) -> None:
    with TcpProxy(port_of(stack), tls=authority.server("localhost")) as proxy:
        stack.environment |= environment(proxy, authority)
        stack.settings = load_settings(None, **{name.lower(): value for name, value in stack.environment.items()})
        stack.start_beat()
        stack.start_worker()
        address, _ = stack.start_flower(login=LOGIN)
        system = System(stack, create_app(stack.settings))
        system.connect("acme")
        system.app.send_task("events.receive", args=[customer_json()], queue="events")
        assert system.settled("acme", "e1").status == "done"
        wait_until(lambda: beat_age(system.app.services.redis, REPORT_SCHEDULE.name), what="beat")
        wait_for_flower(address, LOGIN)
        with suppress(RedisError):
            system.app.services.redis.close()


def test_a_setting_that_names_no_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        given = {"REDIS_URL": "rediss://127.0.0.1:1/0", "REDIS_CA": str(path)}
        done = commands.run("status", environment={"FORTNOX_API_URL": "http://127.0.0.1:1", **given})
        assert done.returncode == 2
        assert done.stderr.startswith("error: REDIS_CA: ")
    given = {"REDIS_URL": "redis://127.0.0.1:1/0", "REDIS_CA": ssl.get_default_verify_paths().cafile or ""}
    if given["REDIS_CA"]:
        done = commands.run("status", environment={"FORTNOX_API_URL": "http://127.0.0.1:1", **given})
        assert (done.returncode, "REDIS_URL is without TLS" in done.stderr) == (2, True)
