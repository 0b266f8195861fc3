"""Typed, frozen settings, read from the environment or `.env`, built once at an entry point.

Raises `pydantic.ValidationError` naming each bad setting. `.env.example` lists exactly these names
(`tests/unit/test_conventions.py` compares them).
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from cryptography.fernet import Fernet
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from config.keys import weakness
from config.redis_address import RedisAddress, Sentinels, parse_address, parse_sentinels

# Where the stand-ins run: this machine, or the compose service `sandbox` (no host of the internet has this name).
SANDBOX_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "sandbox"})
PLACEHOLDERS = frozenset({"", "changeme", "change-me", "secret", "sandbox-client", "sandbox-secret", "sandbox-key"})


class RateLimit(NamedTuple):
    """At most `requests` in any `seconds` seconds."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.requests}/{self.seconds}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give an origin such as https://api.fortnox.se")
    if parts.scheme == "http" and parts.hostname not in SANDBOX_HOSTS:
        raise ValueError("plain http is only accepted for the sandbox on this machine; use https")
    return url.rstrip("/")


def _feed(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError("give an address such as wss://ws.fortnox.se/topics-v1")
    if parts.scheme == "ws" and parts.hostname not in SANDBOX_HOSTS:
        raise ValueError("plain ws is only accepted for the sandbox on this machine; use wss")
    return url


def _bare_origin(url: str) -> str:
    url = _origin(url)
    if urlsplit(url).path or urlsplit(url).query:
        raise ValueError("give the bare origin, without a path")
    return url


def _seconds(value: object) -> object:
    """Durations are given as a number of seconds; text from the environment becomes a number first."""
    return float(value) if isinstance(value, str) else value


def _days(value: object) -> object:
    return timedelta(days=float(value)) if isinstance(value, str) else value


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _is_address(given: str) -> bool:
    from email.errors import HeaderParseError  # slow to import, and used only where an address is set
    from email.headerregistry import Address
    from email.utils import getaddresses, parseaddr

    name, address = parseaddr(given)
    if len(getaddresses([given])) != 1 or not re.fullmatch(r"[!-~]+@[!-~]+", address):
        return False
    try:
        return bool(Address(name, addr_spec=address).domain)
    except (HeaderParseError, ValueError):
        return False


def _rate_limit(value: object) -> object:
    if not isinstance(value, str):
        return value
    requests, slash, seconds = value.partition("/")
    if not (slash and requests.strip().isdigit() and seconds.strip().isdigit()):
        raise ValueError("give requests/seconds, for example 24/5")
    return RateLimit(int(requests), int(seconds))


def _sentinels(value: object) -> object:
    return parse_sentinels(value) if isinstance(value, str) else value


class Account(NamedTuple):
    """Somebody who may sign in to the console. `hash`: of the password, by argon2."""

    name: str
    role: str
    hash: str


CONSOLE_ROLES = ("operator", "viewer")


def _accounts(given: str) -> tuple[Account, ...]:
    accounts = tuple(Account(*entry.split(":", 2)) for entry in given.split() if entry.count(":") >= 2)
    if len(accounts) != len(given.split()):
        raise ValueError("give name:role:hash, as `moment-fortnox console account` prints it")
    for account in accounts:
        if not account.name or account.role not in CONSOLE_ROLES or not account.hash.startswith("$argon2"):
            raise ValueError(
                f"each role is one of {', '.join(CONSOLE_ROLES)}, and each hash one of argon2; in .env, put the whole "
                "value into single quotes"
            )
    if len({account.name for account in accounts}) != len(accounts):
        raise ValueError("a name is there twice")
    return accounts


Origin = Annotated[str, AfterValidator(_origin)]
BareOrigin = Annotated[str, AfterValidator(_bare_origin)]
FeedUrl = Annotated[str, AfterValidator(_feed)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
Days = Annotated[timedelta, BeforeValidator(_days)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
Scope = Annotated[str, StringConstraints(pattern=r"^[a-z]{3,40}$")]
Scopes = Annotated[tuple[Scope, ...], NoDecode, BeforeValidator(_comma_separated)]


class Settings(BaseSettings):
    """Everything an operator can set. Field names are the environment's names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a password
    )

    # Where things are
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_ca: Path | None = None
    redis_sentinels: Annotated[Sentinels | None, NoDecode, BeforeValidator(_sentinels)] = None
    redis_sentinel_password: SecretStr | None = None
    redis_replicas_ack: int = Field(0, ge=0, le=10)
    redis_replicas_fsync: bool = False
    fortnox_api_url: BareOrigin = "https://api.fortnox.se"
    fortnox_auth_url: BareOrigin = "https://apps.fortnox.se"
    fortnox_feed_url: FeedUrl = ""
    moment_api_url: Origin = "https://app.moment.team/api/1.0"
    attachment_hosts: Names = ()

    # Who we are to them
    fortnox_client_id: str = ""
    fortnox_client_secret: SecretStr = SecretStr("")
    fortnox_redirect_uri: str | None = None
    fortnox_extra_scopes: Scopes = ()
    moment_api_key: SecretStr = SecretStr("")
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_comma_separated)] = ()

    # How fast, how patient
    fortnox_rate_limit: Annotated[RateLimit, NoDecode, BeforeValidator(_rate_limit)] = RateLimit(24, 5)
    lease_seconds: Seconds = timedelta(seconds=30)
    expense_poll_interval: Seconds = timedelta(seconds=600)
    expense_reconciliation_days: int = Field(35, ge=1, le=400)
    beat_lock_seconds: int = Field(30, ge=3, le=45)
    retention_days: Days = timedelta(days=90)
    body_retention_days: Days = timedelta(days=14)
    company_release_limit: int = Field(8, ge=1, le=1000)
    api_rate_limit: Annotated[RateLimit, NoDecode, BeforeValidator(_rate_limit)] = RateLimit(300, 10)
    max_event_bytes: int = Field(20_000_000, ge=10_000, le=100_000_000)

    # E-mail
    smtp_url: SecretStr = SecretStr("smtp://127.0.0.1:25")
    alerts_from: str = "moment-fortnox@localhost"
    alerts_to: str | None = None
    operator_contact: Annotated[str | None, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] = None

    # The console
    console_url: BareOrigin | None = None
    console_accounts: SecretStr = SecretStr("")
    console_proxies: Names = ()
    fortnox_document_url: str = ""
    oidc_issuer: Origin | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_claim: str = "groups"
    oidc_operators: Names = ()
    oidc_viewers: Names = ()

    # Seeing into it
    sentry_dsn: SecretStr | None = None
    sentry_environment: str | None = None
    log_format: Literal["console", "json"] = "console"
    flower_basic_auth: SecretStr | None = None
    worker_remote_control: bool = False

    @field_validator("alerts_from", "alerts_to")
    @classmethod
    def _address_is_one(cls, given: str | None) -> str | None:
        """Refuse a bad address here, rather than when the first failure is mailed."""
        if given is not None and not _is_address(given):
            raise ValueError("give one e-mail address, such as drift@company.example or Drift <drift@company.example>")
        return given

    @field_validator("lease_seconds")
    @classmethod
    def _lease_is_sensible(cls, lease: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= lease <= timedelta(seconds=30):
            raise ValueError("must be 1 to 30 seconds: a killed worker's event waits this long")
        return lease

    @field_validator("expense_poll_interval")
    @classmethod
    def _interval_is_sensible(cls, interval: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= interval <= timedelta(days=1):
            raise ValueError("must be 1 to 86400 seconds")
        return interval

    @field_validator("body_retention_days")
    @classmethod
    def _bodies_are_kept_for_days(cls, kept: timedelta) -> timedelta:
        if not timedelta(0) <= kept <= timedelta(days=3650):
            raise ValueError("must be 0 (what was received is not kept) to 3650 days")
        return kept

    @field_validator("retention_days")
    @classmethod
    def _event_ids_are_remembered(cls, retention: timedelta) -> timedelta:
        if not timedelta(days=1) <= retention <= timedelta(days=3650):
            raise ValueError("must be 1 to 3650 days: an event sent again after that is a new one")
        return retention

    @field_validator("fortnox_rate_limit", "api_rate_limit")
    @classmethod
    def _limit_is_sensible(cls, limit: RateLimit) -> RateLimit:
        if not (limit.requests >= 1 and 1 <= limit.seconds <= 60):
            raise ValueError("must be at least 1 request in 1 to 60 seconds")
        return limit

    @field_validator("attachment_hosts")
    @classmethod
    def _hosts_have_at_most_a_port(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            try:
                parts = urlsplit(f"https://{host}")
                plain = parts.netloc == host and parts.hostname and "@" not in host and parts.port != 0
            except ValueError:
                plain = False
            if not plain:
                raise ValueError("give hosts such as files.example.com or files.example.com:8443, without https://")
        return hosts

    @field_validator("redis_url")
    @classmethod
    def _redis_is_one_address_to_every_library(cls, url: SecretStr) -> SecretStr:
        parse_address(url.get_secret_value())
        return url

    @field_validator("redis_ca")
    @classmethod
    def _authority_can_be_read(cls, path: Path | None) -> Path | None:
        if path is not None:
            import ssl  # slow to import, and used only where a file is set

            try:
                ssl.create_default_context(cafile=path)
            except (OSError, ssl.SSLError):
                raise ValueError(f"{path} is no file with certificates in PEM form that can be read") from None
        return path

    @model_validator(mode="after")
    def _authority_needs_tls(self) -> Self:
        if self.redis_ca is not None and not self.redis_address.tls:
            raise ValueError("REDIS_CA: REDIS_URL is without TLS, so no certificate would be checked; use rediss://")
        return self

    @model_validator(mode="after")
    def _disks_of_replicas_need_replicas(self) -> Self:
        if self.redis_replicas_fsync and not self.redis_replicas_ack:
            raise ValueError("REDIS_REPLICAS_FSYNC: no replica is waited for; set REDIS_REPLICAS_ACK too")
        return self

    @field_validator("smtp_url")
    @classmethod
    def _mail_goes_safely(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("give smtp://user:password@host:587?starttls=1 or smtps://user:password@host:465")
        in_clear = parts.scheme == "smtp" and parse_qs(parts.query).get("starttls") != ["1"]
        if parts.password and in_clear and parts.hostname not in SANDBOX_HOSTS:
            raise ValueError("the password would go over the network in clear: add ?starttls=1, or use smtps://")
        return url

    @field_validator("encryption_keys")
    @classmethod
    def _keys_are_fernet_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for position, key in enumerate(keys, start=1):
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError(
                    f"key {position} is not a Fernet key (32 bytes, url-safe base64); make one with "
                    "`moment-fortnox keys new`"
                ) from None
            if why := weakness(key.get_secret_value()):
                raise ValueError(
                    f"key {position} can be guessed: {why}; make a random one with `moment-fortnox keys new`"
                )
        return keys

    @field_validator("fortnox_document_url")
    @classmethod
    def _address_has_known_places(cls, given: str) -> str:
        try:
            filled = given.format(company="", kind="", number="")
        except (KeyError, IndexError, ValueError):
            raise ValueError("has other places than {company}, {kind} and {number}") from None
        if given and urlsplit(filled).scheme not in {"http", "https"}:
            raise ValueError("give an address such as https://fortnox.example/{kind}/{number}")
        return given

    @field_validator("console_accounts")
    @classmethod
    def _accounts_can_be_read(cls, given: SecretStr) -> SecretStr:
        _accounts(given.get_secret_value())
        return given

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Self:
        if self.oidc_issuer and not (
            self.oidc_client_id and self.oidc_client_secret.get_secret_value() and self.console_url
        ):
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and CONSOLE_URL")
        return self

    @model_validator(mode="after")
    def _within_fortnox_limit(self) -> Self:
        """Fortnox's limit does not bind the sandbox, whose own can be lifted for measurements."""
        limit = self.fortnox_rate_limit
        if not self.is_sandbox and limit.requests * 5 > 25 * limit.seconds:  # 25 per 5 s is Fortnox's own limit
            raise ValueError(
                f"FORTNOX_RATE_LIMIT: {limit} is more than the 25 requests per 5 seconds that Fortnox allows"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_stand_in_has_its_own_sign_in(cls, given: dict[str, object]) -> dict[str, object]:
        api = given.get("fortnox_api_url")
        if isinstance(api, str) and urlsplit(api).hostname in SANDBOX_HOSTS:
            return {"fortnox_auth_url": api} | given
        return given

    @model_validator(mode="after")
    def _fortnox_is_one(self) -> Self:
        """A stand-in's API with Fortnox's own sign-in, or the other way round, would hand tokens to the wrong one."""
        if (urlsplit(self.fortnox_auth_url).hostname in SANDBOX_HOSTS) != self.is_sandbox:
            raise ValueError(
                f"FORTNOX_AUTH_URL: {self.fortnox_auth_url} does not belong to FORTNOX_API_URL "
                f"{self.fortnox_api_url}: set both to Fortnox or both to the sandbox"
            )
        feed = urlsplit(self.fortnox_feed_url).hostname
        if feed is not None and (feed in SANDBOX_HOSTS) != self.is_sandbox:
            raise ValueError(
                f"FORTNOX_FEED_URL: {self.fortnox_feed_url} does not belong to FORTNOX_API_URL "
                f"{self.fortnox_api_url}: set both to Fortnox or both to the sandbox"
            )
        return self

    @model_validator(mode="after")
    def _secrets_are_real_outside_the_sandbox(self) -> Self:
        if self.is_sandbox:
            return self
        missing = [
            name.upper()
            for name, value in (
                ("fortnox_client_id", self.fortnox_client_id),
                ("fortnox_client_secret", self.fortnox_client_secret.get_secret_value()),
                ("moment_api_key", self.moment_api_key.get_secret_value()),
                ("encryption_keys", "set" if self.encryption_keys else ""),
            )
            if value.strip().lower() in PLACEHOLDERS
        ]
        if missing:
            raise ValueError(
                f"{', '.join(missing)}: missing or a placeholder. Set them in the environment or .env; only "
                "a sandbox on this machine (FORTNOX_API_URL=http://127.0.0.1:…) runs without."
            )
        return self

    @property
    def redis_address(self) -> RedisAddress:
        """`REDIS_URL` in parts. With Sentinels its host is not used."""
        return parse_address(self.redis_url.get_secret_value())

    @property
    def redis_place(self) -> str:
        """Where Redis is looked for, as people are told it."""
        return str(self.redis_sentinels or self.redis_address)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Those who may sign in to the console with a password."""
        return _accounts(self.console_accounts.get_secret_value())

    @property
    def contact(self) -> str:
        """Whom a company's people write to or call: `OPERATOR_CONTACT`, or the operator's address; "" without both."""
        return self.operator_contact or self.alerts_to or ""

    @property
    def is_sandbox(self) -> bool:
        """Whether Fortnox is the local stand-in."""
        return urlsplit(self.fortnox_api_url).hostname in SANDBOX_HOSTS


# What `publish` reads. A producer's own program may have a LOG_FORMAT or an SMTP_URL that means something else.
PRODUCER_FIELDS = frozenset(
    {
        "redis_url",
        "redis_ca",
        "redis_sentinels",
        "redis_sentinel_password",
        "redis_replicas_ack",
        "redis_replicas_fsync",
        "encryption_keys",
        "max_event_bytes",
        "fortnox_api_url",
        "retention_days",
        "company_release_limit",
    }
)


class ProducerSource(PydanticBaseSettingsSource):
    """Another source, of which only `PRODUCER_FIELDS` are read."""

    def __init__(self, settings: type[BaseSettings], source: PydanticBaseSettingsSource) -> None:
        super().__init__(settings)
        self._source = source

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._source.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in self._source().items() if name in PRODUCER_FIELDS}


class ProducerSettings(Settings):
    """Settings of a program that only publishes: it needs Redis, and neither Fortnox's nor Moment's secrets."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *sources: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = (*sources, *named.values())
        return init_settings, *(ProducerSource(settings_cls, source) for source in given)

    @model_validator(mode="after")
    def _secrets_are_real_outside_the_sandbox(self) -> Self:
        return self


def load_settings(env_file: Path | None = None, **overrides: object) -> Settings:
    """Settings from the environment, then `.env` (or `env_file`), then defaults; `overrides` win over all."""
    if env_file is not None:
        return Settings(_env_file=env_file, **overrides)  # type: ignore[arg-type,call-arg]
    return Settings(**overrides)  # type: ignore[arg-type]


def load_producer_settings() -> Settings:
    """Settings of a program that only publishes, from the environment, then `.env`, then defaults."""
    return ProducerSettings(**{})


def settings_problems(error: ValidationError) -> list[str]:
    """Each bad setting by its name in the environment, and what is wrong with it, without its value."""
    return [
        (f"{str(fault['loc'][0]).upper()}: " if fault["loc"] else "") + str(fault["msg"]).removeprefix("Value error, ")
        for fault in error.errors(include_url=False, include_input=False)
    ]
