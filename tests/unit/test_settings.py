"""Settings: typed, bounded, and refusing to run on placeholders outside the sandbox."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from config import Settings
from config.keys import weakness
from config.settings import RateLimit, settings_problems
from stores.vault import SANDBOX_KEY

KEY = Fernet.generate_key().decode()
STAND_IN = "http://127.0.0.1:8701"
REAL = {
    "fortnox_client_id": "id-of-ours",
    "fortnox_client_secret": "s3cr3t-of-ours",
    "moment_api_key": "key-of-ours",
    "encryption_keys": KEY,
}


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[call-arg]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def problems(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    return "; ".join(settings_problems(caught.value))


def test_values_come_from_the_environment_in_the_documented_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "FORTNOX_API_URL": STAND_IN,
        "FORTNOX_RATE_LIMIT": "20/5",
        "LEASE_SECONDS": "12.5",
        "ATTACHMENT_HOSTS": "files.example.com, cdn.example.com:8443",
        "ENCRYPTION_KEYS": f"{KEY},{Fernet.generate_key().decode()}",
        "SENTRY_DSN": "",
    }.items():
        monkeypatch.setenv(name, value)
    found = settings()
    assert found.is_sandbox
    assert found.fortnox_rate_limit == RateLimit(20, 5)
    assert found.lease_seconds == timedelta(seconds=12.5)
    assert found.attachment_hosts == ("files.example.com", "cdn.example.com:8443")
    assert len(found.encryption_keys) == 2
    assert found.sentry_dsn is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fortnox_api_url": "https://api.fortnox.se/3"}, "FORTNOX_API_URL: give the bare origin"),
        ({"fortnox_api_url": "http://api.fortnox.se"}, "FORTNOX_API_URL: plain http is only accepted"),
        ({"fortnox_rate_limit": "26/5"}, "FORTNOX_RATE_LIMIT: 26/5 is more than the 25 requests"),
        ({"fortnox_rate_limit": "fast"}, "FORTNOX_RATE_LIMIT: give requests/seconds"),
        ({"attachment_hosts": "https://files.example.com"}, "ATTACHMENT_HOSTS: give hosts such as files.example.com"),
        ({"attachment_hosts": "a.example,b.example:99999"}, "ATTACHMENT_HOSTS: give hosts such as files.example.com"),
        ({"lease_seconds": "31"}, "LEASE_SECONDS: must be 1 to 30 seconds"),
        ({"encryption_keys": "short"}, "ENCRYPTION_KEYS: key 1 is not a Fernet key"),
        ({"company_release_limit": "0"}, "COMPANY_RELEASE_LIMIT:"),
        ({"log_format": "xml"}, "LOG_FORMAT:"),
        ({"smtp_url": "mail.example:25"}, "SMTP_URL: give smtp://user:password@host:587?starttls=1"),
        ({"alerts_from": "Drift"}, "ALERTS_FROM: give one e-mail address"),
        ({"alerts_to": "drift@a.example, more@a.example"}, "ALERTS_TO: give one e-mail address"),
        ({"smtp_url": "smtp://us:secret@mail.example:25"}, "SMTP_URL: the password would go over the network in clear"),
    ],
)
def test_a_bad_setting_is_named_with_what_it_takes(given: dict[str, str], told: str) -> None:
    assert told in problems(**{**REAL, **given})


@pytest.mark.parametrize("name", REAL)
def test_a_missing_or_placeholder_secret_is_refused_outside_the_sandbox(name: str) -> None:
    settings(**REAL)
    assert name.upper() in problems(**{**REAL, name: ""})
    if name != "encryption_keys":
        assert name.upper() in problems(**{**REAL, name: "changeme"})


def as_key(secret: bytes) -> str:
    return urlsafe_b64encode(secret).decode()


GUESSABLE = {
    "the sandbox's": SANDBOX_KEY,
    "of Fernet's specification": "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
    "zeros": as_key(bytes(32)),
    "one of two": f"{KEY},{SANDBOX_KEY}",
    "counting": as_key(bytes(range(32))),
    "counting down in threes": as_key(bytes(255 - 3 * n for n in range(32))),
    "a half twice": as_key(bytes(Random(1).sample(range(256), 16)) * 2),
    "mirrored": as_key((half := bytes(Random(1).sample(range(256), 16))) + half[::-1]),
    "a pass phrase": as_key(b"Vi flyttar in i juni, 4 tr, ring"),
    "hexadecimal": as_key(b"d41d8cd98f00b204e9800998ecf8427e"),
    "a digest": as_key(sha256(b"fortnox").digest()),
}


@pytest.mark.parametrize("key", GUESSABLE.values(), ids=GUESSABLE)
def test_an_encryption_key_that_can_be_guessed_is_refused_everywhere(key: str) -> None:
    position = 2 if "," in key else 1
    assert f"ENCRYPTION_KEYS: key {position} can be guessed" in problems(**{**REAL, "encryption_keys": key})
    assert f"key {position} can be guessed" in problems(fortnox_api_url=STAND_IN, encryption_keys=key)


def test_random_keys_are_accepted() -> None:
    chance = Random(7)
    assert not any(weakness(as_key(chance.randbytes(32))) for _ in range(20_000))


@pytest.mark.parametrize(
    "addresses",
    [
        {"fortnox_api_url": STAND_IN, "fortnox_auth_url": "https://apps.fortnox.se"},
        {"fortnox_auth_url": STAND_IN},
        {"fortnox_auth_url": "http://localhost:8701"},
    ],
)
def test_an_api_here_with_a_sign_in_elsewhere_is_refused(addresses: dict[str, str]) -> None:
    assert "set both to Fortnox or both to the sandbox" in problems(**{**REAL, **addresses})


@pytest.mark.parametrize("address", ["drift@a.example", "Drift på Acme <drift@a.example>", "moment-fortnox@localhost"])
def test_an_address_may_have_a_name(address: str) -> None:
    assert settings(**REAL, alerts_from=address, alerts_to=address).alerts_from == address


def test_the_sandbox_runs_without_secrets() -> None:
    assert settings(fortnox_api_url=STAND_IN).is_sandbox
    assert settings(fortnox_api_url="http://sandbox:8701").is_sandbox
    assert not settings(**REAL).is_sandbox


def test_a_stand_in_has_its_own_sign_in_unless_another_is_set() -> None:
    assert settings(fortnox_api_url=STAND_IN).fortnox_auth_url == STAND_IN
    other = "http://127.0.0.1:8799"
    assert settings(fortnox_api_url=STAND_IN, fortnox_auth_url=other).fortnox_auth_url == other


def test_no_secret_shows_in_repr_or_in_a_problem() -> None:
    shown = repr(settings(**REAL, smtp_url="smtps://user:hidden@host")) + problems(**{**REAL, "lease_seconds": "99"})
    for secret in ("s3cr3t-of-ours", "key-of-ours", KEY, "hidden"):
        assert secret not in shown


def test_settings_cannot_be_changed_once_built() -> None:
    with pytest.raises(ValidationError):
        settings(**REAL).log_format = "json"  # type: ignore[misc]
