"""Services for the integration tests, started once and only when a test asks for them."""

from collections.abc import Iterator

import pytest
import redis
from pydantic import SecretStr

from fortnox.client import Fortnox
from fortnox.oauth import OAuth
from fortnox.transport import Http, Transport
from tasks.flows import SCOPES
from tests.fortnox_things import COMPANY, ServiceTokens
from tests.openapi import faults, load_document
from tests.recording import Recorder, recording
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox, running_redis, running_sandbox
from tests.unattended import Unattended, unattended_services
from tests.unit.factories import customer_json


@pytest.fixture(scope="session", autouse=True)
def recorder() -> Iterator[Recorder]:
    """Check every body that a test of this process sends to Fortnox against Fortnox's own OpenAPI document."""
    with recording() as noted:
        yield noted
    if document := load_document():
        assert [fault for sent in noted.bodies() for fault in faults(document, sent)] == []


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis"), appendfsync="no") as url:
        yield url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator["redis.Redis"]:
    """A client of the session's Redis, emptied."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The stand-ins, emptied."""
    sandbox_process.post("reset")
    return sandbox_process


@pytest.fixture
def unattended(redis_url: str, redis_client: "redis.Redis", sandbox: Sandbox) -> Iterator[Unattended]:
    with unattended_services(redis_url, sandbox) as services:
        yield services


@pytest.fixture
def acme(unattended: Unattended) -> Unattended:
    """The company `acme`, connected, with its customer in Fortnox."""
    unattended.connect()
    unattended.publish(customer_json())
    assert unattended.run("e1") == "done"
    return unattended


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http()
    yield client
    client.close()


@pytest.fixture
def oauth(sandbox: Sandbox, http: Http) -> OAuth:
    return OAuth(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET), http=http)


@pytest.fixture
def tokens(sandbox: Sandbox, oauth: OAuth) -> ServiceTokens:
    sandbox.tenant(COMPANY)
    return ServiceTokens(oauth, oauth.exchange_code(sandbox.code(COMPANY, scopes=" ".join(SCOPES))))


@pytest.fixture
def fortnox(sandbox: Sandbox, http: Http, tokens: ServiceTokens) -> Fortnox:
    """A client without a limiter. The sandbox's rate limit is off."""
    sandbox.post("options", {"rate_limit_enabled": False})
    return Fortnox(Transport(sandbox.fortnox, tokens, http=http), COMPANY)
