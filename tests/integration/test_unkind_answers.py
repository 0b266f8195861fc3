"""Whatever Fortnox, Moment or a file's host answers ends in time and little memory, as an error of its tree."""

import contextlib
import functools
import gzip
import io
import itertools
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from fortnox.client import Fortnox
from fortnox.errors import FortnoxError, OutcomeUnknown, Unavailable
from fortnox.oauth import OAuth
from fortnox.transport import Http, Timeouts, Transport
from moment.api import MomentApi
from moment.errors import MomentError
from moment.events import Attachment
from moment.files import FileSource, NoFile
from tests.unkind import OK, Script, UnkindServer, answer, drops, for_ever, unkind_server

PATIENCE = 0.3  # seconds that each client has for an exchange
ENDED = 15  # seconds; the server would go on for a minute
MEGA = 1_000_000
CLIENTS = ("fortnox", "list", "write", "upload", "oauth", "revoke", "project", "expense", "file")


class Tokens:
    def access_token(self, company: str) -> str:
        return "token"

    def renew(self, company: str, rejected_token: str) -> str:
        return "token"


class Client(NamedTuple):
    ask: Callable[[], object]
    error: type[Exception]


@pytest.fixture
def server() -> Iterator[UnkindServer]:
    with unkind_server() as running:
        yield running


def a_client(name: str, server: UnkindServer, patience: float = PATIENCE) -> Client:
    http = Http(Timeouts(whole=patience))
    fortnox = Fortnox(Transport(server.url, Tokens(), http=http), "acme")
    oauth = OAuth(server.url, "client", SecretStr("secret"), http=http)
    moment = MomentApi(f"{server.url}/api/1.0", SecretStr("key"), whole=patience)
    source = FileSource(server.url, SecretStr("key"), ())

    def fetch() -> None:
        attachment = Attachment(file_name="a.pdf", content_type="application/pdf", url=f"{server.url}/a.pdf")
        with source.open(attachment, "acme", patience):
            pass

    clients = {
        "fortnox": Client(lambda: fortnox.invoices.get(1001), FortnoxError),
        "list": Client(lambda: list(fortnox.supplier_invoices.list()), FortnoxError),
        "write": Client(lambda: fortnox.customers.create({"Name": "A"}), FortnoxError),
        "upload": Client(lambda: fortnox.inbox.upload("a.pdf", io.BytesIO(bytes(20 * MEGA))), FortnoxError),
        "oauth": Client(lambda: oauth.refresh(SecretStr("token")), FortnoxError),
        "revoke": Client(lambda: oauth.revoke(SecretStr("token")), FortnoxError),
        "project": Client(lambda: moment.has_project("acme", "1"), MomentError),
        "expense": Client(lambda: moment.withdraw("acme", "fortnox:1:1"), MomentError),
        "file": Client(fetch, NoFile),
    }
    return clients[name]


HEAD = OK + b"Content-Type: application/pdf\r\n"


def chunked(*chunks: bytes) -> Script:
    return itertools.chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], chunks)


def coded(coding: str, body: bytes) -> Script:
    return answer(body, b"Content-Type: application/json", b"Content-Encoding: " + coding.encode())


def refusal(information: bytes) -> Script:
    return (b"HTTP/1.1 400 No\r\n\r\n", b'{"ErrorInformation": ' + information + b"}")


SLOW: dict[str, Callable[[], Script]] = {
    "status line": lambda: drops(b"HTTP/1.1 200 " + b"O" * 60_000),
    "one header": lambda: drops(OK + b"X-Long: " + b"a" * 60_000),
    "headers": lambda: itertools.chain([OK], for_ever(b"X-A: b\r\n")),
    "continues": lambda: for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "continues with a header": lambda: for_ever(b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"),
    "body": lambda: itertools.chain([HEAD + b"Content-Length: 60000\r\n\r\n"], for_ever(b" ")),
    "body without a length": lambda: itertools.chain([HEAD + b"\r\n"], for_ever(b" ")),
    "chunks": lambda: itertools.chain(chunked(), for_ever(b"1\r\n \r\n")),
    "size of a chunk": lambda: itertools.chain(chunked(), for_ever(b"0")),
    "trailers": lambda: itertools.chain(chunked(b"1\r\n \r\n0\r\n"), for_ever(b"X-A: b\r\n")),
    "body of a refusal": lambda: itertools.chain([b"HTTP/1.1 500 No\r\nContent-Length: 60000\r\n\r\n"], for_ever(b" ")),
    "body of a redirect": lambda: itertools.chain(
        [b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 60000\r\n\r\n"], for_ever(b" ")
    ),
    "gzip": lambda: itertools.chain([HEAD + b"Content-Encoding: gzip\r\n\r\n"], drops(gzip.compress(bytes(MEGA)))),
}


@pytest.mark.parametrize("name", ["fortnox", "oauth", "project", "file"])
@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_an_answer_that_drips_ends_with_the_exchanges_clock(
    server: UnkindServer, name: str, script: Callable[[], Script]
) -> None:
    server.script, server.pause = script(), 0.05
    client = a_client(name, server)
    started = time.monotonic()
    with pytest.raises(client.error):
        client.ask()
    assert time.monotonic() - started < ENDED


def test_a_server_that_does_not_read_ends_with_the_exchanges_clock(server: UnkindServer) -> None:
    server.script, server.pause = for_ever(b""), 0.05
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        a_client("upload", server).ask()
    assert time.monotonic() - started < ENDED


TLS_RECORD = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"  # the beginning of a server's hello


@pytest.mark.parametrize("through", ["handshake", "proxy"])
def test_a_handshake_or_a_proxy_that_drips_ends_with_the_exchanges_clock(
    server: UnkindServer, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    url = f"https://127.0.0.1:{server.url.rpartition(':')[2]}"
    server.script, server.pause = drops(TLS_RECORD + bytes(60_000)), 0.05
    if through == "proxy":
        url, server.script = "https://fortnox.example", drops(b"HTTP/1.1 200 " + b"O" * 60_000)
        monkeypatch.setenv("HTTPS_PROXY", server.url)
    started = time.monotonic()
    with pytest.raises(FortnoxError):
        Fortnox(Transport(url, Tokens(), http=Http(Timeouts(whole=PATIENCE))), "acme").invoices.get(1001)
    assert PATIENCE * 0.9 < time.monotonic() - started < ENDED
    assert server.connections == 1


def test_a_host_whose_addresses_do_not_answer_has_one_clock_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener with a full queue answers no connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as kept:
        port = full.getsockname()[1]
        for _ in range(3):
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        found = {"fortnox.example": [address] * 100}
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: found.get(host, [address]))
        http = Http(Timeouts(connect=PATIENCE, whole=PATIENCE * 2))
        started = time.monotonic()
        with pytest.raises(Unavailable):
            Fortnox(Transport(f"http://fortnox.example:{port}", Tokens(), http=http), "acme").customers.create(
                {"Name": "A"}
            )
        assert PATIENCE < time.monotonic() - started < ENDED


@pytest.mark.parametrize("name", CLIENTS)
def test_a_resolver_that_does_not_answer_ends_with_the_exchanges_clock(
    server: UnkindServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    resolver_gave_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolver_gave_up.wait(60) and [])
    client = a_client(name, server)
    started = time.monotonic()
    try:
        with pytest.raises(client.error):
            client.ask()
        assert PATIENCE * 0.9 < time.monotonic() - started < ENDED
        assert server.connections == 0
    finally:
        resolver_gave_up.set()


def test_a_connection_is_used_again_with_a_new_clock(server: UnkindServer) -> None:
    transport = Transport(server.url, Tokens(), http=Http(Timeouts(whole=1.0)))
    server.script, server.pause, server.keeps = [b"".join(answer(b"{}")), b""], 0.3, True
    for _ in range(5):
        transport.call("acme", "GET", "/", decode=lambda document: document)
    assert server.connections == 1


@functools.cache
def squeezed(times: int = 1) -> bytes:
    """200 MB of nothing, compressed once or more."""
    return gzip.compress(bytes(200 * MEGA) if times == 1 else squeezed(times - 1), 1)


FLOOD: dict[str, Callable[[], Script]] = {
    "headers": lambda: itertools.chain([OK], itertools.repeat(b"X-A: " + b"b" * 60_000 + b"\r\n", 5_000)),
    "continues": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, 100_000),
    "body": lambda: itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" " * MEGA, 100)),
    "body of a redirect": lambda: itertools.chain(
        [b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"], itertools.repeat(b" " * MEGA, 100)
    ),
    "one chunk's size": lambda: chunked(*itertools.repeat(b"0" * MEGA, 100)),
    "trailers": lambda: chunked(b"0\r\n", *itertools.repeat(b"X-A: " + b"b" * 60_000 + b"\r\n", 2_000)),
    "gzip": lambda: coded("gzip", squeezed()),
    "deflate": lambda: coded("deflate", zlib.compress(bytes(200 * MEGA), 1)),
    "gzip of gzip": lambda: coded("gzip, gzip", squeezed(2)),
    "gzip in a redirect": lambda: (
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: gzip\r\n\r\n",
        squeezed(),
    ),
    "lists": lambda: answer(b"[" + b"[]," * 10_000_000 + b"[]]"),
    "numbers": lambda: answer(b"[" + b"1.5," * 7_000_000 + b"1]"),
}


@pytest.mark.parametrize("name", ["fortnox", "project", "file"])
@pytest.mark.parametrize("flood", FLOOD.values(), ids=FLOOD)
def test_an_answer_that_floods_takes_little_memory(
    server: UnkindServer, name: str, flood: Callable[[], Script]
) -> None:
    server.script = flood()
    client = a_client(name, server, patience=20.0)
    tracemalloc.start()
    try:
        with pytest.raises(client.error):
            client.ask()
        assert tracemalloc.get_traced_memory()[1] < 250 * MEGA
    finally:
        tracemalloc.stop()


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


ODD: dict[str, Script] = {
    "no HTTP": (b"nonsense\r\n\r\n",),
    "nothing": (b"",),
    "HTTP/9": (b"HTTP/9.9 200 OK\r\n\r\n",),
    "no status": (b"HTTP/1.1 abc OK\r\n\r\n",),
    "status 999": (b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",),
    "status 199": (b"HTTP/1.1 199 No\r\n\r\n",),
    "status 101": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",),
    "redirect to no UTF-8": (b"HTTP/1.1 302 F\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n",),
    "redirect to no address": (b"HTTP/1.1 302 F\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",),
    "odd cookie": answer(b"x", b"Set-Cookie: a=\xff; expires=" + b"0" * 5_000 + b"; Path=/\x00"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",),
    "huge length": (OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n{}",),
    "negative length": (OK + b"Content-Length: -1\r\n\r\nnot JSON",),
    "cut off": (OK + b"Content-Length: 100\r\n\r\n{",),
    "cut chunk": chunked(b"ff\r\n{"),
    "odd chunk": chunked(b"zz\r\n{}\r\n"),
    "negative chunk": chunked(b"-5\r\n{}\r\n"),
    "damaged gzip": coded("gzip", b"not gzip"),
    "gzip cut off": coded("gzip", gzip.compress(b'{"Invoice":{}}' * 99)[:-9]),
    "gzip and more": coded("gzip", gzip.compress(b"{}") + b"more"),
    "unknown coding": coded("br", b"{}"),
    "headers that are none": (OK + b"nonsense\r\n: x\r\n\x00\r\nContent-Length: 1\r\n\r\nx",),
    "101 headers": (OK + b"X-A: b\r\n" * 101 + b"\r\n",),
    "deep": answer(deep(100_000)),
    "not UTF-8": answer('{"Invoice": "Ökrogen"}'.encode("latin-1")),
    "UTF-16": answer('{"Invoice": 1e999999}'.encode("utf-16")),
    "NaN": answer(b'{"Invoice": NaN}'),
    "huge exponent": answer(b'{"a": 1e999999999, "Invoice": {"DocumentNumber": 1, "Total": 1e999999999}}'),
    "huge number": answer(b'{"a": ' + b"9" * 10_000 + b"}"),
    "huge code": refusal(b'{"code": ' + b"9" * 10_000 + b', "message": "no"}'),
    "long code": refusal(b'{"code": "' + b"9" * 200_000 + b'"}'),
    "many numbers": refusal(b'{"message": "' + b"nummer a" * 30_000 + b'"}'),
    "many tokens": refusal(b'{"message": "' + b"eyJ-" * 50_000 + b'"}'),
    "half a token": refusal(b'{"message": "' + rb"\"token\": \"" * 20_000 + b'"}'),
    "half an address": refusal(b'{"message": "' + b"a" * 200_000 + b'"}'),
    "blanks": refusal(b'{"message": "bearer' + b" " * 200_000 + b'"}'),
    "message of another type": refusal(b'{"message": [1], "code": {"a": 1}}'),
    "odd Retry-After": (
        b"HTTP/1.1 429 No\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 +9999\r\nContent-Length: 0\r\n\r\n",
    ),
    "far Retry-After": (
        b"HTTP/1.1 429 No\r\nRetry-After: Mon, 01 Jan 9999 00:00:00 -99999999999999\r\nContent-Length: 0\r\n\r\n",
    ),
    "endless Retry-After": (b"HTTP/1.1 429 No\r\nRetry-After: 1e999\r\nContent-Length: 0\r\n\r\n",),
    "odd Date": answer(b"x", b"Date: Mon, 01 Jan 0001 00:00:00 +1400"),
    "far Date": answer(b"x", b"Date: Mon, 01 Jan 9999 23:59:59 -99999999999999"),
    "list": answer(b"[]"),
    "list in a list": answer(b'{"content": [[1]], "page": [1], "SupplierInvoices": {}, "MetaInformation": []}'),
    "meta of another type": answer(b'{"SupplierInvoices": [{"GivenNumber": 1, "x": 1}, 7], "MetaInformation": [1]}'),
    "odd meta": answer(
        b'{"SupplierInvoices": [], "MetaInformation": {"@TotalPages": "\xc2\xb2", "@TotalResources": 1e30}}'
    ),
    "odd page": answer(b'{"content": [], "page": {"number": 1e30, "totalPages": -1, "totalElements": 1e30}}'),
    "odd dates": answer(
        b'{"SupplierInvoices": [{"GivenNumber": 1, "InvoiceDate": "0001-01-01"}],'
        b'"Invoice": {"DocumentNumber": 1, "CustomerNumber": "1", "Total": 1, "InvoiceDate": "9999-12-31"}}'
    ),
    "odd amounts": answer(
        b'{"SupplierInvoices": [{"GivenNumber": 1, "Total": "1e999999"}],'
        b'"Invoice": {"DocumentNumber": 1, "CustomerNumber": "1", "Total": "1e999999"}}'
    ),
    "no amounts": answer(
        b'{"SupplierInvoices": [{"GivenNumber": 1, "Total": "NaN"}],'
        b'"Invoice": {"DocumentNumber": 1, "CustomerNumber": "1", "Total": "Infinity"}}'
    ),
    "number of another type": answer(
        b'{"SupplierInvoices": [{"GivenNumber": 1.5}], "Invoice": {"DocumentNumber": []}}'
    ),
    "long number": answer(
        b'{"SupplierInvoices": [{"GivenNumber": "%(n)s"}],'
        b'"Invoice": {"DocumentNumber": "%(n)s", "CustomerNumber": "1", "Total": 1}}' % {b"n": b"1" * 100_000}
    ),
    "long token": answer(b'{"access_token": "' + b"a" * 1_000_000 + b'", "expires_in": 3600}'),
    "odd token": answer(rb'{"access_token": "a\nHost: b", "expires_in": 3600}'),
    "odd lifetime": answer(b'{"access_token": "a", "expires_in": "1e400"}'),
    "token of another type": answer(b'{"access_token": ["a"], "expires_in": 3600}'),
}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("script", [tuple(script) for script in ODD.values()], ids=ODD)
def test_an_odd_answer_is_an_error_of_its_tree_or_means_nothing(
    server: UnkindServer, name: str, script: tuple[bytes, ...]
) -> None:
    server.script = script
    client = a_client(name, server, patience=10.0)
    started, error = time.monotonic(), None
    try:
        client.ask()
    except client.error as raised:
        error = raised
    assert time.monotonic() - started < ENDED
    assert len(str(error)) < 1_000
    assert len(repr(error)) < 2_000


@pytest.mark.parametrize(
    "odd", ["odd dates", "odd amounts", "no amounts", "huge exponent", "long number", "NaN", "deep"]
)
def test_an_invoice_that_makes_no_sense_is_no_invoice(server: UnkindServer, odd: str) -> None:
    server.script = tuple(ODD[odd])
    with pytest.raises(Unavailable):
        a_client("fortnox", server, patience=10.0).ask()


@pytest.mark.parametrize("odd", ["long token", "odd token", "token of another type"])
def test_a_token_that_no_header_can_hold_is_no_token(server: UnkindServer, odd: str) -> None:
    server.script = tuple(ODD[odd])
    with pytest.raises(OutcomeUnknown):
        a_client("oauth", server, patience=10.0).ask()
