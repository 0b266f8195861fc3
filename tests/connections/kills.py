"""SIGKILL at a random instant of a refresh, again and again: does the connection live on?

Fortnox's refresh tokens work once. A process killed after Fortnox has exchanged one and before the new pair is stored
takes the pair with it: nothing on our side can bring it back, but for the moment in which Fortnox takes a repeated
refresh for a simultaneous one. Everything else must survive.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import redis
from cryptography.fernet import Fernet
from pydantic import SecretStr

from delivery.tokens import TokenKeeper, to_tokens
from fortnox.errors import FortnoxError, GrantDead
from fortnox.oauth import OAuth
from moment.events import Integration
from stores import Connection, ConnectionStore, Vault
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox, running_redis, running_sandbox

COMPANY = "acme"
LEASE = timedelta(seconds=0.3)
REFRESH = 0.03  # seconds until Fortnox exchanges the token, and as long again until its answer is here


@dataclass
class Kills:
    """What came of it."""

    repeats_taken: bool  # whether Fortnox takes a refresh that is repeated soon
    kills: int = 0
    survived: int = 0
    unavoidable: int = 0  # the token was exchanged, and the pair died with the process
    wrongly_lost: int = 0

    @property
    def good(self) -> bool:
        return self.wrongly_lost == 0 and (self.unavoidable == 0 or not self.repeats_taken)

    def __str__(self) -> str:
        how = "takes a repeat for a simultaneous refresh" if self.repeats_taken else "takes no repeat"
        return (
            f"{self.kills} kills, a Fortnox that {how}: {self.survived} survived, {self.unavoidable} lost between "
            f"Fortnox's exchange and the store, {self.wrongly_lost} lost otherwise"
        )


class Environment:
    """A Redis, a Fortnox, and processes that refresh without pause."""

    def __init__(self, redis_url: str, sandbox: Sandbox) -> None:
        self.redis_url = redis_url
        self.sandbox = sandbox
        self.key = SecretStr(Fernet.generate_key().decode())
        self.store, self.keeper = self.build()

    def build(self) -> tuple[ConnectionStore, TokenKeeper]:
        """What each process builds for itself."""
        client = redis.Redis.from_url(self.redis_url, decode_responses=True)
        store = ConnectionStore(client, Vault([self.key]))
        oauth = OAuth(self.sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET))
        return store, TokenKeeper(client, store, oauth, lease=LEASE)

    def connect(self) -> None:
        oauth = OAuth(self.sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET))
        grant = oauth.exchange_code(self.sandbox.code(COMPANY, service=False))
        before = self.store.find(COMPANY)
        connection = Connection(
            revision=before.revision if before else 0,
            company=COMPANY,
            state="connected",
            tenant_id=grant.tenant_id,
            integration=Integration(),
            connected_at=datetime.now(UTC),
        )
        self.store.begin(connection, to_tokens(grant))

    def refresh_until_killed(self) -> int:
        """Starts a process that renews again and again; returns its id once it is at it."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _, keeper = self.build()
            os.write(writing, b".")
            while True:
                keeper.keep_alive(COMPANY)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        return child

    def stored_token_was_exchanged(self) -> bool:
        """Whether Fortnox has exchanged the refresh token that the store still holds."""
        held = self.store.held(COMPANY)
        assert held is not None
        assert held.tokens.refresh_token is not None
        fingerprint = sha256(held.tokens.refresh_token.get_secret_value().encode()).hexdigest()[:12]
        tokens = self.sandbox.get("tokens/refresh", tenant=COMPANY)["tokens"]
        return any(token["token"] == fingerprint and token["shown"] > 0 for token in tokens)


def killed_in_refresh(directory: Path, *, kills: int, repeats_taken: bool, seed: int = 1) -> Kills:
    """Kills a refreshing process so often, each time at a random instant, and looks whether the company lives on."""
    result, dice = Kills(repeats_taken), random.Random(seed)
    with _environment(directory) as environment:
        environment.sandbox.tenant(COMPANY)
        environment.sandbox.post(
            "options",
            {
                "refresh_seconds": REFRESH,
                "refresh_answer_seconds": REFRESH,
                "refresh_race_window": 30.0 if repeats_taken else 0.0,
            },
        )
        environment.connect()
        for _ in range(kills):
            child = environment.refresh_until_killed()
            time.sleep(dice.uniform(0, 4 * REFRESH))  # not a wait for anything: the random instant
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            result.kills += 1
            _judge(environment, result)
    return result


def _judge(environment: Environment, result: Kills) -> None:
    exchanged = _settled_exchange(environment)
    try:
        environment.keeper.keep_alive(COMPANY)
        environment.keeper.keep_alive(COMPANY)  # and the pair that was kept is one that works
    except GrantDead:
        if exchanged:
            result.unavoidable += 1
        else:
            result.wrongly_lost += 1
        environment.connect()
    except FortnoxError:
        result.wrongly_lost += 1
        environment.connect()
    else:
        result.survived += 1


def _settled_exchange(environment: Environment) -> bool:
    """What the killed one had sent may still be on its way to Fortnox."""
    deadline = time.monotonic() + 2 * REFRESH
    while not (exchanged := environment.stored_token_was_exchanged()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return exchanged


@contextmanager
def _environment(directory: Path) -> Iterator[Environment]:
    with running_redis(directory / "redis", appendfsync="no") as url, running_sandbox(directory / "sandbox") as sandbox:
        yield Environment(url, sandbox)
