"""`REDIS_URL` is one address to every library, or refused in one line without any part of a password."""

from typing import Any

import pytest
from flower.utils.broker import Broker
from kombu import Connection
from pydantic import SecretStr, ValidationError
from redis import ConnectionPool

from config import load_settings
from config.redis import redis_client
from config.redis_address import FORM, SENTINELS_FORM, RedisAddress, parse_address, parse_sentinels
from config.settings import settings_problems

ENCODED = "p%40%3A%2F%3F%23%25+w"
DECODED = "p@:/?#%+w"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", RedisAddress("h", 6379, 0, None, None, False)),
        ("redis://h/", RedisAddress("h", 6379, 0, None, None, False)),
        ("redis://h:7/15", RedisAddress("h", 7, 15, None, None, False)),
        ("redis://:p@h:7/3", RedisAddress("h", 7, 3, None, "p", False)),
        (f"redis://app:{ENCODED}@h:7/3", RedisAddress("h", 7, 3, "app", DECODED, False)),
        ("rediss://app:p@[::1]:7/3", RedisAddress("::1", 7, 3, "app", "p", True)),
        ("rediss://h-1.se?ssl_cert_reqs=none", RedisAddress("h-1.se", 6379, 0, None, None, True, False)),
        ("rediss://h/2?ssl_cert_reqs=required", RedisAddress("h", 6379, 2, None, None, True)),
    ],
)  # fmt: skip
def test_an_address_is_read(url: str, address: RedisAddress) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url", [f"redis://app:{ENCODED}@h-1.example.com:7/3", "redis://h", f"redis://:{ENCODED}@[::1]:7/3"]
)
def test_every_library_reads_what_is_accepted_alike(url: str) -> None:
    address = parse_address(url)
    expected = (address.host, address.port, address.database, address.username, address.password)

    given: dict[str, Any] = ConnectionPool.from_url(url).connection_kwargs
    redis_py = tuple(given.get(name) for name in ("host", "port", "db", "username", "password"))
    assert (redis_py[0], redis_py[1] or 6379, redis_py[2] or 0, *redis_py[3:]) == expected
    kombu = Connection(url)
    kombus = (kombu.hostname, kombu.port or 6379, int(kombu.virtual_host.strip("/") or 0), kombu.userid, kombu.password)
    assert (kombus[0], kombus[1], kombus[2], kombus[3] or None, kombus[4] or None) == expected
    flower: Any = Broker(kombu.as_uri(include_password=True))
    assert (flower.host, flower.port, flower.vhost, flower.username or None, flower.password or None) == expected
    settings = load_settings(fortnox_api_url="http://127.0.0.1:1", redis_url=url)
    ours: dict[str, Any] = redis_client(settings).connection_pool.connection_kwargs
    assert (ours["host"], ours["port"], ours["db"]) == expected[:3]


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("redis://h/abc", "the database is a number"),
        ("redis://h/1/2", "the database is a number"),
        ("redis://h/-1", "the database is a number"),
        ("redis://h?db=4", "the database stands behind the host"),
        ("redis://h/1?protocol=3", "the database stands behind the host"),
        ("redis://h/1?ssl_cert_reqs=none", "the database stands behind the host"),
        ("rediss://h/1?ssl_cert_reqs=maybe", "the database stands behind the host"),
        ("rediss://h/1?ssl_cert_reqs=none&ssl_cert_reqs=required", "the database stands behind the host"),
        ("redis://h/1?", "the database stands behind the host"),
        ("redis+socket:///run/redis.sock", "a socket's file is not supported"),
        ("unix:///run/redis.sock", "a socket's file is not supported"),
        ("sentinel://h:26379/0", "REDIS_SENTINELS"),
        ("valkey://h", "write redis://"),
        ("redis://app:s3cr/t@h:7/0", "write % as %25"),
        ("redis://app:s3cr?t@h:7/0", "write % as %25"),
        ("redis://app:s3cr#t@h:7/0", "write % as %25"),
        ("redis://app:s3cr@t@h:7/0", "write % as %25"),
        ("redis://app:s3cr:t@h:7/0", "write % as %25"),
        ("redis://app:s3cr%t@h:7/0", "write % as %25"),
        ("redis://app:s3cr t@h:7/0", "write % as %25"),
        ("redis://app:s3crét@h:7/0", "write % as %25"),
        ("redis://app:s3cr%fft@h:7/0", "not UTF-8"),
        ("redis://s3cr@h:7/0", "a user needs a password"),
        ("redis://h:0", ""),
        ("redis://h:65536", ""),
        ("redis://h:port/0", ""),
        ("redis://h:٣/0", ""),
        ("redis://h/٣", "the database is a number"),
        ("redis://[abc]/0", "an IPv6 address"),
        ("redis://[1.2.3.4]/0", "an IPv6 address"),
        ("redis://[]/0", ""),
        ("redis://[::1]s3cr/0", ""),
        ("redis://[fe80::1%25eth0]/0", ""),
        ("redis://app:s3cr@/0", ""),
        ("redis://app:s3cr@:6379/0", ""),
        ("redis://h/0;s3cr", "the database is a number"),
        ("redis://h\n/0", ""),
        (" redis://h/0", ""),
        ("redis://h/0 ", "the database is a number"),
        ("redis://h/0?client_name=s3cr", "the database stands behind the host"),
        ("rediss://h/0?ssl_ca_certs=s3cr", "the database stands behind the host"),
        ("rediss://h/0?ssl_cert_reqs=CERT_NONE", "the database stands behind the host"),
        ("redis://", ""),
        ("redis:h", ""),
        ("REDIS://h", ""),
        ("redis://h h/0", ""),
        ("redis://h#s3cr", ""),
        ("redis://h1:1,h2:2/0", ""),
        ("http://h", ""),
        ("h:6379", ""),
        ("", ""),
    ],
)
def test_what_libraries_read_differently_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as refused:
        load_settings(fortnox_api_url="http://127.0.0.1:1", redis_url=SecretStr(url))
    (line,) = settings_problems(refused.value)
    assert line.startswith(f"REDIS_URL: {FORM}")
    assert remedy in line
    assert "s3cr" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("given", "places", "master"),
    [
        ("a:1,b:2,c:3/main", (("a", 1), ("b", 2), ("c", 3)), "main"),
        ("a, [::1]:2/my-master_1", (("a", 26379), ("::1", 2)), "my-master_1"),
    ],
)
def test_sentinels_are_read(given: str, places: tuple[tuple[str, int], ...], master: str) -> None:
    assert parse_sentinels(given) == (places, master)


@pytest.mark.parametrize(
    "given", ["a:1", "a:1/", "/main", "a:1,,b:2/main", "a:x/main", "[ab]:1/main", "redis://a:1/main", "a:1/m m"]
)
def test_sentinels_in_another_form_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=SENTINELS_FORM):
        parse_sentinels(given)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"redis_sentinels": "a:1"}, f"REDIS_SENTINELS: {SENTINELS_FORM}"),
        ({"redis_replicas_fsync": True}, "REDIS_REPLICAS_FSYNC: no replica is waited for; set REDIS_REPLICAS_ACK too"),
        ({"redis_replicas_ack": -1}, "REDIS_REPLICAS_ACK: Input should be greater than or equal to 0"),
    ],
)
def test_other_settings_of_redis_are_refused_by_name(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        load_settings(fortnox_api_url="http://127.0.0.1:1", **given)
    assert settings_problems(refused.value) == [line]


def test_the_address_that_is_shown_has_no_password() -> None:
    address = parse_address("rediss://app:s3cr@[::1]/3")
    assert (str(address), address.url) == ("[::1]:6379/3", "rediss://[::1]:6379/3")
    assert parse_address("redis://:s3cr@h").url == "redis://h:6379/0"
