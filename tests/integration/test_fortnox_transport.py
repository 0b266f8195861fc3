"""The transport over real sockets, against a server that misbehaves on purpose."""

import base64
import http.server
import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from fortnox import errors as e
from fortnox.client import Fortnox
from fortnox.multipart import MultipartFile
from fortnox.oauth import OAuth
from fortnox.responses import LARGEST_ANSWER
from fortnox.transport import Exchange, Http, Timeouts, Transport
from tests.waiting import DEADLINE

Act = Callable[["Handler"], None]


class Seen(NamedTuple):
    path: str
    headers: Message
    body: bytes
    port: int


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes the request and does what the script says next."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen(self.path, self.headers, body, self.client_address[1]))
        self.server.script.pop(0)(self)

    do_GET = do_POST = do_PUT = do

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Silence."""


class Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Act] = []
        self.seen: list[Seen] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Tokens:
    """Gives t1, and after each renewal the next."""

    def __init__(self) -> None:
        self.number = 1
        self.rejected: list[str] = []

    def access_token(self, company: str) -> str:
        return f"{company}-t{self.number}"

    def renew(self, company: str, rejected_token: str) -> str:
        self.rejected.append(rejected_token)
        self.number += 1
        return self.access_token(company)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def http_client(exchanges: list[Exchange]) -> Iterator[Http]:
    client = Http(Timeouts(connect=30, read=1.0, write=1.0, whole=1.5), exchanges.append)
    yield client
    client.close()


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def transport(server: Server, http_client: Http, tokens: Tokens) -> Transport:
    return Transport(server.url, tokens, http=http_client)


def call(transport: Transport, method: str = "GET", **options: Any) -> Any:
    return transport.call("acme", method, "/things/{number}", "1 å", decode=lambda document: document, **options)


def ok(body: bytes = b"{}", **headers: str) -> Act:
    return lambda handler: handler.answer(200, body, **headers)


def status(number: int, body: bytes = b"", **headers: str) -> Act:
    return lambda handler: handler.answer(number, body, **headers)


def silence(handler: Handler) -> None:
    handler.connection.recv(1)  # returns when the client leaves
    handler.drop()


def test_a_request_carries_token_and_headers_and_its_path_is_encoded(server: Server, transport: Transport) -> None:
    server.script = [ok(b'{"a": 1.10}')]

    found = call(transport, "PUT", body={"Thing": {"Name": "Åsa"}}, params={"q": "a b"})

    (seen,) = server.seen
    assert str(found["a"]) == "1.10"
    assert seen.path == "/things/1%20%C3%A5?q=a+b"
    assert seen.body == '{"Thing": {"Name": "Åsa"}}'.encode()
    assert seen.headers["Authorization"] == "Bearer acme-t1"
    assert seen.headers["Accept"] == seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Cache-Control"] == "no-store"


def test_an_action_has_no_body_but_the_json_content_type(server: Server, transport: Transport) -> None:
    server.script = [ok()]

    call(transport, "PUT")

    assert server.seen[0].body == b""
    assert server.seen[0].headers["Content-Length"] == "0"
    assert server.seen[0].headers["Content-Type"] == "application/json"


def test_a_netrc_entry_does_not_replace_the_token(
    server: Server, transport: Transport, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    server.script = [ok()]

    call(transport)

    assert server.seen[0].headers["Authorization"] == "Bearer acme-t1"


@pytest.mark.parametrize(
    ("misbehave", "what"),
    [
        (Handler.drop, "dropped"),
        (silence, "no answer in time"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n") and handler.drop(), "not HTTP"),
        (
            lambda handler: (
                handler.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{") and handler.drop()
            ),
            "cut off",
        ),
        (
            lambda handler: handler.answer(201, b"not gzip", Content_Encoding="gzip"),
            "damaged",
        ),
        (lambda handler: handler.answer(201, b"<html>"), "not JSON"),
        (lambda handler: handler.answer(500, b""), "a 500"),
        (lambda handler: handler.answer(504, b""), "a 504"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize(
    ("method", "repeatable", "expected"),
    [
        ("POST", None, e.OutcomeUnknown),
        ("PUT", False, e.OutcomeUnknown),
        ("PUT", None, e.Unavailable),
        ("GET", None, e.Unavailable),
    ],
)
def test_after_sending_a_write_without_an_answer_is_unknown_and_all_else_unavailable(
    server: Server,
    transport: Transport,
    misbehave: Act,
    what: str,
    method: str,
    repeatable: bool | None,
    expected: type[e.FortnoxError],
) -> None:
    server.script = [misbehave]

    with pytest.raises(e.FortnoxError) as caught:
        call(transport, method, repeatable=repeatable)

    assert type(caught.value) is expected
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_a_write_that_never_left_is_not_unknown(url: str, http_client: Http) -> None:
    transport = Transport(url, Tokens(), http=http_client)

    with pytest.raises(e.Unavailable) as caught:
        call(transport, "POST", body={})

    assert caught.value.status is None
    assert "things" not in f"{caught.value.message}"


def test_a_traceback_shows_no_address_with_numbers(server: Server, transport: Transport) -> None:
    server.script = [Handler.drop]

    with pytest.raises(e.OutcomeUnknown) as caught:
        call(transport, "POST")

    assert caught.value.__suppress_context__
    assert "1%20" not in caught.value.message


def test_an_answer_that_drips_for_ever_has_an_end(server: Server, transport: Transport) -> None:
    left = threading.Event()

    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(300):
                handler.wfile.write(b"1\r\n \r\n")
                time.sleep(0.1)
        except OSError:
            left.set()
        handler.close_connection = True

    server.script = [drip]

    with pytest.raises(e.Unavailable):
        call(transport)

    assert left.wait(DEADLINE)  # the client, before the end


def test_an_answer_without_end_is_not_kept(server: Server, transport: Transport) -> None:
    def flood(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        piece, sent = b" " * 1_000_000, 0
        try:
            while sent < 2 * LARGEST_ANSWER:
                handler.wfile.write(piece)
                sent += len(piece)
        except OSError:
            pass
        handler.close_connection = True

    server.script = [flood]

    with pytest.raises(e.Unavailable):
        call(transport)


def test_a_redirect_is_not_followed(server: Server, transport: Transport) -> None:
    server.script = [status(302, Location=server.url + "/elsewhere"), ok()]

    with pytest.raises(e.Unavailable):
        call(transport, "POST")

    assert len(server.seen) == 1


def test_a_cookie_of_one_company_never_goes_along_with_another(server: Server, transport: Transport) -> None:
    server.script = [ok(Set_Cookie="session=acme; Path=/"), ok()]

    call(transport)
    call(transport)

    assert "Cookie" not in server.seen[1].headers


def test_a_refused_token_is_renewed_and_the_same_request_sent_once_more(
    server: Server, transport: Transport, tokens: Tokens, exchanges: list[Exchange]
) -> None:
    server.script = [status(401, b'{"message":"unauthorized"}'), ok(b'{"done": true}')]

    assert call(transport, "POST", body={"a": 1}) == {"done": True}

    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer acme-t1", "Bearer acme-t2"]
    assert server.seen[0].body == server.seen[1].body
    assert tokens.rejected == ["acme-t1"]
    assert [exchange.status for exchange in exchanges] == [401, 200]


def test_a_token_refused_twice_is_not_taken_for_a_dead_grant(server: Server, transport: Transport) -> None:
    server.script = [status(401), status(401), ok()]

    with pytest.raises(e.TokenRefused):
        call(transport)

    assert len(server.seen) == 2


def test_a_file_is_sent_whole_again_after_a_renewal(server: Server, transport: Transport) -> None:
    server.script = [status(401), ok()]

    call(transport, "POST", body=MultipartFile("file", "å.pdf", io.BytesIO(b"x" * 100_000), "application/pdf"))

    first, second = server.seen
    assert first.body == second.body
    assert len(second.body) > 100_000
    assert "Transfer-Encoding" not in second.headers


def test_the_limiter_is_asked_before_each_request_and_can_stop_it(server: Server, http_client: Http) -> None:
    asked: list[tuple[str, int]] = []

    def before(company: str, leave: int) -> None:
        asked.append((company, leave))
        if len(asked) > 2:
            raise e.WindowFull(e.Details(), 1.5)

    server.script = [status(401), ok()]
    transport = Transport(server.url, Tokens(), http=http_client, before_request=before)
    call(transport, leave=3)

    with pytest.raises(e.WindowFull):
        call(transport)

    assert asked == [("acme", 3), ("acme", 3), ("acme", 0)]
    assert len(server.seen) == 2


def test_every_exchange_is_told_without_a_value_of_the_companys(
    server: Server, transport: Transport, exchanges: list[Exchange]
) -> None:
    refusal = b'{"ErrorInformation": {"Error": 1, "Message": "(Anna)", "Code": 2000359}}'
    server.script = [ok(b'{"Name": "Anna"}'), status(400, refusal), Handler.drop]

    call(transport)
    for _ in range(2):
        with pytest.raises(e.FortnoxError):
            call(transport, "POST")

    assert [(told.method, told.status, told.code) for told in exchanges] == [
        ("GET", 200, ""),
        ("POST", 400, "2000359"),
        ("POST", None, ""),
    ]
    assert {(told.company, told.path) for told in exchanges} == {("acme", "/things/{number}")}
    assert all(told.seconds >= 0 and told.request_id for told in exchanges)
    assert "Anna" not in repr(exchanges)


def test_an_answer_of_another_shape_shows_nothing_of_itself(server: Server, transport: Transport) -> None:
    server.script = [ok(b'{"Customer": {"Name": "Anna"}}')]

    with pytest.raises(e.Unavailable) as caught:
        Fortnox(transport, "acme").customers.get("1")

    assert "Anna" not in f"{caught.value} {caught.value.message}"
    assert caught.value.__suppress_context__


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # the child only sends and exits
def test_a_forked_process_makes_connections_of_its_own(server: Server, transport: Transport) -> None:
    server.script = [ok()] * 3
    call(transport)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            call(transport)
            os.write(writing, b"1")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert pipe.read() == b"1"

    call(transport)

    ports = [seen.port for seen in server.seen]
    assert ports[0] == ports[2] != ports[1]


@pytest.mark.parametrize("with_meta", [True, False])
def test_a_list_is_read_to_its_last_page(server: Server, transport: Transport, with_meta: bool) -> None:
    meta = '"MetaInformation": {"@TotalResources": 3, "@TotalPages": 2, "@CurrentPage": 1},' if with_meta else ""
    pages = ['{"GivenNumber": "1"}, {"GivenNumber": "2"}', '{"GivenNumber": "3"}']
    server.script = [ok(f'{{{meta} "SupplierInvoices": [{page}]}}'.encode()) for page in pages]

    found = list(Fortnox(transport, "acme").supplier_invoices.list(page_size=2))

    assert [item.given_number for item in found] == ["1", "2", "3"]
    assert [seen.path.rpartition("?")[2] for seen in server.seen] == ["limit=2&page=1", "limit=2&page=2"]


def test_a_list_that_changes_while_it_is_read_loses_nothing(server: Server, transport: Transport) -> None:
    def page(total: int, *numbers: int) -> Act:
        items = ", ".join(f'{{"GivenNumber": "{number}"}}' for number in numbers)
        meta = f'{{"@TotalResources": {total}, "@TotalPages": 2, "@CurrentPage": 1}}'
        return ok(f'{{"MetaInformation": {meta}, "SupplierInvoices": [{items}]}}'.encode())

    # 1 disappears after the first page, so 3 moves onto it
    server.script = [page(4, 1, 2), page(3, 4), page(3, 2, 3), page(3, 4)]

    found = list(Fortnox(transport, "acme").supplier_invoices.list(page_size=2))

    assert [item.given_number for item in found] == ["1", "2", "4", "3"]


def test_concurrent_companies_never_share_a_token(server: Server, transport: Transport) -> None:
    companies = [f"company{number}" for number in range(8)]
    server.script = [ok()] * 80

    def work(company: str) -> None:
        for _ in range(10):
            transport.call(company, "GET", "/things/{number}", company, decode=lambda document: document)

    threads = [threading.Thread(target=work, args=(company,)) for company in companies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(server.seen) == 80
    assert all(seen.headers["Authorization"] == f"Bearer {seen.path.rpartition('/')[2]}-t1" for seen in server.seen)


def test_a_service_accounts_token_for_another_tenant_is_never_used(server: Server, http_client: Http) -> None:
    token = "e30.{}.x".format(base64.urlsafe_b64encode(b'{"tenantId": 2}').decode())
    server.script = [ok(f'{{"access_token": "{token}", "expires_in": 3600}}'.encode())]
    oauth = OAuth(server.url, "client", SecretStr("s3cret"), http=http_client)

    with pytest.raises(e.GrantDead):
        oauth.client_credentials(1)

    (seen,) = server.seen
    assert seen.headers["TenantId"] == "1"
    assert seen.headers["Authorization"] == "Basic " + base64.b64encode(b"client:s3cret").decode()
    assert seen.body == b"grant_type=client_credentials"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b"", b'{"access_token": 7}', b'{"access_token": ""}'])
def test_a_token_answer_without_a_token_may_have_used_up_what_was_given(
    server: Server, http_client: Http, body: bytes
) -> None:
    server.script = [ok(body)]

    with pytest.raises(e.OutcomeUnknown):
        OAuth(server.url, "client", SecretStr("s3cret"), http=http_client).exchange_code("c0de")
