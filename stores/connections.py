"""A company's connection: its choices in clear, its tokens sealed. One hash per company: `connection:<company>`.

A pair of tokens has a version: its grant, and how often that grant was renewed. The connection itself has a revision.
Every change names the version or revision it is based on, and a change based on an old one changes nothing (`lua/`, one
transition each). All times are by Redis's clock, because the workers' clocks differ.
"""

import json
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, SecretStr
from redis import Redis
from redis.commands.core import Script

from config.redis_replicas import Confirmed
from messages import Message
from moment.events import Integration
from ordering.queries import PREFIX, answers
from stores.vault import Vault

State = Literal["connected", "paused", "disabled"]
Kept = Literal["kept", "revived", "spare", "gone"]

AHEAD = timedelta(minutes=2)  # a token is renewed this long before it expires, so that no request meets its end
LUA = Path(__file__).parent / "lua"


class NeverConnected(RuntimeError):
    """The company has no connection to Fortnox."""

    def __init__(self, company: str) -> None:
        super().__init__(company)
        self.company = company

    def __str__(self) -> str:
        return (
            f"{self.company} is not connected to Fortnox. Enable the integration in Moment, or run "
            f"`moment-fortnox companies connect {self.company}`."
        )


class Overtaken(RuntimeError):
    """The connection was changed by somebody else since it was read. Nothing was stored."""

    def __init__(self, company: str) -> None:
        super().__init__(company)
        self.company = company

    def __str__(self) -> str:
        return f"The connection of {self.company} was changed by somebody else meanwhile."


class Tokens(BaseModel):
    """A grant's tokens. A service account has no refresh token: its tenant id gets a new access token."""

    model_config = ConfigDict(frozen=True)

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    lifetime: timedelta  # of the access token, from the moment it was stored


class Version(NamedTuple):
    """`grant` rises with each consent and each end of one; `generation` counts the renewals of one grant."""

    grant: int
    generation: int


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """A company's tokens as stored."""

    tokens: Tokens
    version: Version
    due: bool  # the access token is to be renewed now
    over: bool  # the access token has expired
    dead: bool  # Fortnox said that the grant ended
    spare: bool  # another pair is kept in reserve


class Glance(NamedTuple):
    """A connection for a list: its `state`, and the company's name in Fortnox."""

    state: str
    ledger: str


class TokenState(NamedTuple):
    """What is known of a connected company's tokens without opening them. `due`: the access token is to be renewed."""

    tenant_id: int | None
    version: Version
    due: bool


def _message(given: object) -> Message:
    return given if isinstance(given, Message) else Message.from_json(str(given))


StoredMessage = Annotated[Message, PlainValidator(_message), PlainSerializer(Message.to_json, return_type=str)]


class ConnectionProblem(BaseModel):
    """Something wrong that was found when the company connected, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    what: StoredMessage
    remedy: StoredMessage
    stops: tuple[str, ...] = ()  # the transfers that it stops, of `moment.events.Transfers` and `expenses`; () warns

    @property
    def message(self) -> Message:
        return Message.join(self.what, self.remedy)


class Connection(BaseModel):
    """What a company chose, and which ledger it connected to. Holds no secrets."""

    model_config = ConfigDict(frozen=True)

    company: str
    state: Literal["connected", "disabled"]
    tenant_id: int | None = None
    integration: Integration
    connected_at: datetime
    enabled_by: str = ""  # id of the event that connected it
    code_digest: str = ""  # of the authorization code that was used
    scopes: tuple[str, ...] = ()
    ledger: str = ""  # the company's name and organisation number in Fortnox
    problems: tuple[ConnectionProblem, ...] = ()
    revision: int = Field(default=0, exclude=True)  # which change this is, a rising number; 0: none yet


class ConnectionStore:
    """Connections of all companies."""

    def __init__(
        self,
        redis: Redis,
        vault: Vault,
        prefix: str = PREFIX,
        confirmed: Confirmed = nullcontext,
    ) -> None:
        """`confirmed`: a context that ends when what was written with its client cannot be lost any more."""
        self._redis = redis
        self._confirmed = confirmed
        self._vault = vault
        self._prefix = prefix
        self._refreshed = f"{prefix}refreshed"
        counting = (LUA / "counting.lua").read_text()
        self._scripts: dict[str, Script] = {
            path.stem: redis.register_script(counting + path.read_text()) for path in sorted(LUA.glob("*.lua"))
        }

    def get(self, company: str) -> Connection:
        """Raises `NeverConnected`."""
        found: Any = self._redis.hmget(self._key(company), ["connection", "revision"])
        if found[0] is None:
            raise NeverConnected(company)
        return Connection.model_validate_json(found[0]).model_copy(update={"revision": int(found[1] or 0)})

    def find(self, company: str) -> Connection | None:
        try:
            return self.get(company)
        except NeverConnected:
            return None

    def ledger(self, company: str) -> int | None:
        """The tenant id of the company's ledger. None: it has no connection, or the id is not known."""
        found: Any = self._redis.hget(self._key(company), "connection")
        return json.loads(found)["tenant_id"] if found else None

    def ledgers(self, companies: Iterable[str]) -> dict[str, int | None]:
        """Each company's `ledger`, in one round trip."""
        return {name: found["tenant_id"] if found else None for name, found in self._documents(companies).items()}

    def states(self, companies: Iterable[str]) -> dict[str, str]:
        """`connected` or `disabled` for each of these companies that has a connection, in one round trip."""
        return {name: found["state"] for name, found in self._documents(companies).items() if found}

    def glances(self, companies: Iterable[str]) -> "dict[str, Glance]":
        """The state and the ledger of each of these companies that has a connection, in one round trip."""
        documents = self._documents(companies)
        return {name: Glance(found["state"], found.get("ledger", "")) for name, found in documents.items() if found}

    def known(self, companies: Iterable[str]) -> set[str]:
        """Those of these companies that have a connection, readable or not, in one round trip."""
        names = list(companies)
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(self._key(name))
            found = pipeline.execute()
        return {name for name, has in zip(names, found, strict=True) if has}

    def save(self, connection: Connection) -> Connection:
        """Stores the connection and keeps its tokens. Returns it as stored. Raises `Overtaken`."""
        document = connection.model_dump_json(by_alias=True)
        revision = int(self._run("save", connection.company, connection.revision, document))
        if not revision:
            raise Overtaken(connection.company)
        return connection.model_copy(update={"revision": revision})

    def begin(self, connection: Connection, tokens: Tokens) -> None:
        """Stores a new consent, the connection and its tokens together. Raises `Overtaken`."""
        company, document = connection.company, connection.model_dump_json(by_alias=True)
        if not self._run("begin", company, company, connection.revision, document, *self._arguments(tokens)):
            raise Overtaken(company)

    def dead(self, company: str) -> bool:
        """Whether Fortnox said that the company's newest grant ended."""
        return bool(self._redis.hexists(self._key(company), "dead"))

    def version(self, company: str) -> Version | None:
        """The version of the company's tokens, even if no key opens them; None when it has none."""
        found: Any = self._redis.hmget(self._key(company), ["grant", "generation"])
        return None if None in found else Version(*map(int, found))

    def held(self, company: str) -> StoredTokens | None:
        """The company's tokens, in one round trip; None when it has none. Raises `Unsealable`."""
        pipeline = self._redis.pipeline(transaction=False)
        names = ["tokens", "grant", "generation", "renew_at", "expires_at", "dead", "spare"]
        pipeline.hmget(self._key(company), names)
        pipeline.time()
        (sealed, grant, generation, renew_at, expires_at, dead, spare), (seconds, microseconds) = pipeline.execute()
        if sealed is None:
            return None
        now = seconds * 1000 + microseconds // 1000
        return StoredTokens(
            tokens=_opened(self._vault.open(sealed)),
            version=Version(int(grant), int(generation)),
            due=now >= int(renew_at),
            over=now >= int(expires_at),
            dead=dead is not None,
            spare=spare is not None,
        )

    def token_states(self, companies: Iterable[str]) -> dict[str, TokenState]:
        """Those of these companies that are connected by a living grant, in one round trip."""
        names = list(companies)
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(self._key(name), ["connection", "tokens", "grant", "generation", "renew_at", "dead"])
            pipeline.time()
            *found, (seconds, _) = answers(pipeline, damaged=[None] * 6)
        states = {}
        for name, (document, tokens, grant, generation, renew_at, dead) in zip(names, found, strict=True):
            if document is None or tokens is None or dead is not None:
                continue
            connection = _document(document)
            if connection and connection["state"] == "connected":
                version = Version(int(grant), int(generation))
                states[name] = TokenState(connection["tenant_id"], version, int(renew_at) <= seconds * 1000)
        return states

    def renewed(self, company: str, version: Version, tokens: Tokens) -> Kept:
        """Stores the pair that this version was exchanged for. Call it before the pair is used."""
        return cast(Kept, self._run("renewed", company, company, *version, *self._arguments(tokens)))

    def promote_spare(self, company: str, version: Version) -> bool:
        """Replaces this version, which Fortnox refused, by the pair kept in reserve. False if there is none."""
        return bool(self._run("promote", company, *version))

    def mark_dead(self, company: str, version: Version) -> bool:
        """Marks the grant as dead. False if the version is another now, or a pair in reserve is to be tried first."""
        return bool(self._run("dead", company, company, *version))

    def forget_tokens(self, company: str, version: Version) -> bool:
        """Forgets the tokens, and what a renewal under way may bring. False if the version is another now."""
        return bool(self._run("forget", company, company, *version))

    # Refresh tokens lapse when they are not used.

    def unused_since(self, moment: datetime, most: int) -> list[str]:
        """Companies whose refresh token was last exchanged before this moment, the oldest exchange first."""
        found: Any = self._redis.zrange(
            self._refreshed, "-inf", int(moment.timestamp() * 1000), byscore=True, offset=0, num=most
        )
        return list(found)

    def look_again(self, company: str, moment: datetime) -> None:
        """Makes `unused_since` list the company at that moment. Does nothing if it has no refresh token."""
        self._redis.zadd(self._refreshed, {company: int(moment.timestamp() * 1000)}, xx=True)

    def last_refreshed(self, company: str) -> datetime | None:
        """When the refresh token was last exchanged; None if there is none."""
        score: Any = self._redis.zscore(self._refreshed, company)
        return None if score is None else datetime.fromtimestamp(float(score) / 1000).astimezone()

    def _documents(self, companies: Iterable[str]) -> dict[str, Any]:
        """Each company's connection as stored, None where it has none that can be read."""
        names = list(companies)
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hget(self._key(name), "connection")
            found = answers(pipeline)
        return {name: _document(document) for name, document in zip(names, found, strict=True)}

    def _arguments(self, tokens: Tokens) -> Iterable[object]:
        lifetime = tokens.lifetime
        ahead = min(AHEAD, lifetime / 5)
        sealed = self._vault.seal(_written(tokens))
        return (sealed, _ms(lifetime), _ms(ahead), int(tokens.refresh_token is not None))

    def _run(self, script: str, company: str, *arguments: object) -> Any:
        keys, given = [self._key(company), self._refreshed], cast(Any, arguments)
        with self._confirmed(self._redis) as client:
            return self._scripts[script](keys=keys, args=given, client=client)

    def _key(self, company: str) -> str:
        return f"{self._prefix}connection:{company}"


def _document(text: str | None) -> Any:
    """A connection as stored. None where there is none, or what is there was damaged."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and "state" in found else None


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def _written(tokens: Tokens) -> str:
    refresh = tokens.refresh_token.get_secret_value() if tokens.refresh_token else ""
    return f"{tokens.lifetime.total_seconds()}\n{tokens.access_token.get_secret_value()}\n{refresh}"


def _opened(written: str) -> Tokens:
    lifetime, access, refresh = written.split("\n")
    return Tokens(
        access_token=SecretStr(access),
        refresh_token=SecretStr(refresh) if refresh else None,
        lifetime=timedelta(seconds=float(lifetime)),
    )
