"""The address of Redis, read strictly: what this accepts, redis-py, kombu, redbeat and Flower read alike. Pure.

Errors are sentences without any part of the address, which may be a password.
"""

import re
from ipaddress import IPv6Address
from typing import Final, NamedTuple
from urllib.parse import unquote

FORM: Final = "give redis://user:password@host:6379/0, or rediss:// for TLS"
SENTINELS_FORM: Final = (
    "give host:26379,host:26379,host:26379/name, with the name that the Sentinels know the master by"
)

_HOST: Final = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_PLACE: Final = re.compile(rf"(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?")
_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_DATABASE: Final = re.compile(r"(?:/(?P<number>[0-9]{1,5})?)?")
_QUERY: Final = re.compile(r"ssl_cert_reqs=(?P<verified>none|required)")
_OTHER_SCHEMES: Final = {
    "redis+socket": "a socket's file is not supported, give the host and the port",
    "unix": "a socket's file is not supported, give the host and the port",
    "sentinel": "Sentinels are set in REDIS_SENTINELS",
    "redis+sentinel": "Sentinels are set in REDIS_SENTINELS",
    "redis-cluster": "Redis Cluster is not supported (docs/scale.md)",
    "valkey": "write redis:// for Valkey too",
    "valkeys": "write rediss:// for Valkey too",
}
_ONLY_QUERY: Final = "the database stands behind the host, such as host:6379/4, and behind ? nothing but rediss://host/0?ssl_cert_reqs=none"
_MUST_BE_ENCODED: Final = "in user and password write % as %25, / as %2F, ? as %3F, # as %23, @ as %40 and : as %3A"


class RedisAddress(NamedTuple):
    """`REDIS_URL` in parts. `verified`: the server's certificate has to be good, where TLS is used."""

    host: str
    port: int
    database: int
    username: str | None
    password: str | None
    tls: bool
    verified: bool = True

    def __str__(self) -> str:
        """`host:port/database`."""
        return f"{_bracketed(self.host)}:{self.port}/{self.database}"

    @property
    def url(self) -> str:
        """The address without user and password."""
        return f"redis{'s' if self.tls else ''}://{self}"


class Sentinels(NamedTuple):
    """`REDIS_SENTINELS` in parts."""

    places: tuple[tuple[str, int], ...]
    master: str

    def __str__(self) -> str:
        return ",".join(f"{_bracketed(host)}:{port}" for host, port in self.places) + f"/{self.master}"


def parse_address(url: str) -> RedisAddress:
    """Raises `ValueError` with what to write instead."""
    scheme, found, rest = url.partition("://")
    if scheme not in {"redis", "rediss"} or not found:
        raise ValueError(_with(_OTHER_SCHEMES.get(scheme, "")))
    credentials, at, rest = rest.rpartition("@")
    username, password = _credentials(credentials) if at else (None, None)
    rest, asked, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    host, port = _place(netloc, 6379, FORM)
    database = _DATABASE.fullmatch(slash + path)
    if database is None:
        raise ValueError(_with("the database is a number behind the host, such as host:6379/4"))
    wanted = _QUERY.fullmatch(query)
    if asked and (wanted is None or scheme != "rediss"):
        raise ValueError(_with(_ONLY_QUERY))
    verified = wanted is None or wanted["verified"] == "required"
    return RedisAddress(host, port, int(database["number"] or 0), username, password, scheme == "rediss", verified)


def parse_sentinels(given: str) -> Sentinels:
    """Raises `ValueError` with what to write instead."""
    places, slash, master = given.strip().partition("/")
    if not slash or not re.fullmatch(r"[A-Za-z0-9._-]+", master):
        raise ValueError(SENTINELS_FORM)
    return Sentinels(tuple(_place(one.strip(), 26379, SENTINELS_FORM) for one in places.split(",")), master)


def _credentials(text: str) -> tuple[str | None, str | None]:
    username, _, password = text.partition(":")
    if not (_ENCODED.fullmatch(username) and _ENCODED.fullmatch(password)):
        raise ValueError(_with(_MUST_BE_ENCODED))
    if username and not password:
        raise ValueError(_with("a user needs a password; without a user write :password@"))
    try:
        return unquote(username, errors="strict") or None, unquote(password, errors="strict") or None
    except UnicodeDecodeError:
        raise ValueError(_with("what % stands for in user and password is not UTF-8")) from None


def _place(netloc: str, usual_port: int, form: str) -> tuple[str, int]:
    place = _PLACE.fullmatch(netloc)
    if place is None or not 0 < int(place["port"] or usual_port) < 65536:
        raise ValueError(form)
    host = place["host"]
    if host.startswith("["):
        host = host.strip("[]")
        try:
            IPv6Address(host)
        except ValueError:
            raise ValueError(f"{form}: in brackets stands an IPv6 address") from None
    return host, int(place["port"] or usual_port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _with(remedy: str) -> str:
    return f"{FORM}: {remedy}" if remedy else FORM
