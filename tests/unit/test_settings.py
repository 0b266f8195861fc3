"""Settings: typed, bounded, and refusing to run on placeholders outside the sandbox."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from config import Settings
from config.settings import RateLimit, settings_problems
from stores.vault import SANDBOX_KEY

KEY = Fernet.generate_key().decode()
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
        "FORTNOX_API_URL": "http://127.0.0.1:8701",
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


@pytest.mark.parametrize(
    "placeholder", [SANDBOX_KEY, "A" * 43 + "=", f"{KEY},{SANDBOX_KEY}"], ids=["the sandbox's", "zeros", "one of two"]
)
def test_an_encryption_key_that_is_not_random_is_refused_outside_the_sandbox(placeholder: str) -> None:
    assert "placeholder" in problems(**{**REAL, "encryption_keys": placeholder})
    assert settings(fortnox_api_url="http://127.0.0.1:8701", encryption_keys=placeholder)


@pytest.mark.parametrize("address", ["drift@a.example", "Drift på Acme <drift@a.example>", "moment-fortnox@localhost"])
def test_an_address_may_have_a_name(address: str) -> None:
    assert settings(**REAL, alerts_from=address, alerts_to=address).alerts_from == address


def test_the_sandbox_runs_without_secrets() -> None:
    assert settings(fortnox_api_url="http://127.0.0.1:8701").is_sandbox
    assert settings(fortnox_api_url="http://sandbox:8701").is_sandbox
    assert not settings(**REAL).is_sandbox


def test_no_secret_shows_in_repr_or_in_a_problem() -> None:
    shown = repr(settings(**REAL, smtp_url="smtps://user:hidden@host")) + problems(**{**REAL, "lease_seconds": "99"})
    for secret in ("s3cr3t-of-ours", "key-of-ours", KEY, "hidden"):
        assert secret not in shown


def test_settings_cannot_be_changed_once_built() -> None:
    with pytest.raises(ValidationError):
        settings(**REAL).log_format = "json"  # type: ignore[misc]
