"""Producers' keys: printed once, kept as a digest, for the companies that were named, and gone when revoked."""

import json

import pytest

from stores.producer_keys import EVERY, ProducerKeys
from tests import commands
from tests.unattended import Unattended


@pytest.fixture
def environment(unattended: Unattended) -> dict[str, str]:
    settings = unattended.app.settings
    return {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
        "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
    }


@pytest.fixture
def keys(unattended: Unattended) -> ProducerKeys:
    return unattended.services.stores.producer_keys


def test_a_key_is_printed_once_and_only_its_digest_is_kept(
    unattended: Unattended, environment: dict[str, str], keys: ProducerKeys
) -> None:
    made = commands.run(
        "keys", "producer", "new", "erp", "--company", "acme", "--company", "beta", environment=environment
    )
    key = made.stdout.strip()
    assert (made.returncode, len(key) > 40) == (0, True)
    redis = unattended.services.redis
    everything = "".join(str(redis.dump(name)) + str(name) for name in redis.keys("*"))
    assert key not in everything
    assert key.removeprefix("mfk_") not in everything
    found = keys.find(key)
    assert found is not None
    assert [found.allows(company) for company in ("acme", "beta", "other", "")] == [True, True, False, False]
    listed = commands.run("keys", "producer", "list", "--json", environment=environment).stdout
    assert key not in listed
    (one,) = map(json.loads, listed.splitlines())
    assert (one["name"], one["companies"], one["usedAt"]) == ("erp", ["acme", "beta"], None)
    assert keys.use("erp", 10)[0] == 1
    assert keys.use("erp", 10)[0] == 2
    assert 0 < keys.use("erp", 10)[1] <= 10
    (one,) = map(
        json.loads, commands.run("keys", "producer", "list", "--json", environment=environment).stdout.splitlines()
    )
    assert one["usedAt"] is not None


def test_a_revoked_key_opens_nothing_and_its_name_is_free_again(
    environment: dict[str, str], keys: ProducerKeys
) -> None:
    new = ("keys", "producer", "new", "erp", "--all-companies")
    key = commands.run(*new, environment=environment).stdout.strip()
    found = keys.find(key)
    assert found is not None
    assert found.allows("any")
    assert commands.run("keys", "producer", "revoke", "erp", environment=environment).returncode == 0
    assert keys.find(key) is None
    assert commands.run("keys", "producer", "revoke", "erp", environment=environment).returncode == 2
    other = commands.run(*new, environment=environment).stdout.strip()
    assert keys.find(key) is None
    assert keys.find(other) is not None
    actions = commands.run("audit", environment=environment).stdout
    assert actions.count("key of producer erp made") == 2
    assert actions.count("key of producer erp revoked") == 1
    assert key not in actions


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("erp",), 2),
        (("erp", "--company", "a/b"), 2),
        (("erp", "--company", "*"), 2),
        (("erp", "--company", ""), 2),
        (("e r p", "--company", "acme"), 2),
        (("taken", "--company", "acme"), 1),
    ],
)
def test_a_key_without_a_company_or_with_a_bad_or_taken_name_is_not_made(
    environment: dict[str, str], keys: ProducerKeys, arguments: tuple[str, ...], status: int
) -> None:
    keys.make("taken", [EVERY])
    assert commands.run("keys", "producer", "new", *arguments, environment=environment).returncode == status
    assert [one.name for one in keys.all()] == ["taken"]


@pytest.mark.parametrize("text", ["", "mfk_", "mfk_" + "x" * 43, "x", "mfk_å", "mfk_" + "x" * 10_000])
def test_what_is_no_key_is_none(keys: ProducerKeys, text: str) -> None:
    assert keys.find(text) is None


@pytest.mark.parametrize("record", ["", "not JSON", "{}", '{"name": "a", "companies": 1, "made": "x"}', "[]"])
def test_a_damaged_record_opens_nothing_and_stops_no_list(
    unattended: Unattended, keys: ProducerKeys, record: str
) -> None:
    key = keys.make("erp", ["acme"])
    other = keys.make("other", ["acme"])
    assert key is not None
    assert other is not None
    names = unattended.services.redis.hgetall("mf:producer-key-names")
    unattended.services.redis.hset("mf:producer-keys", names["erp"], record)  # type: ignore[index]
    assert keys.find(key) is None
    assert [one.name for one in keys.all()] == ["other"]
    assert keys.revoke("erp")
    assert "erp" not in unattended.services.redis.hgetall("mf:producer-key-names")
