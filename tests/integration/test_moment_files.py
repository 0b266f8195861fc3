"""An invoice's files: fetched from Moment with its key, from listed hosts without, and never from anywhere else."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pydantic import SecretStr

from local.sandbox import MOMENT_KEY
from moment.events import Attachment
from moment.files import MAX_BYTES, FileKeyRefused, FileMissing, FileSource, FileUnavailable
from tests.services import Sandbox


class Shelf:
    """Files at Moment, and what is fetched of them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.origin = sandbox.moment
        self.files = FileSource(f"{sandbox.moment}/api/1.0", SecretStr(MOMENT_KEY), ())
        self._control("reset", {})

    def put(self, **file: Any) -> str:
        """The file's address."""
        return self.origin + str(self._control("files", {"company": "acme", "name": "faktura.pdf", **file})["path"])

    def fetch(self, url: str, files: FileSource | None = None, seconds: float = 20) -> bytes:
        attachment = Attachment(file_name="faktura.pdf", content_type="application/pdf", url=url)
        with (files or self.files).open(attachment, "acme", seconds) as file:
            return file.stream.read()

    def read(self, content: str) -> bytes:
        """Of a file inside an event."""
        with self.files.open(Attachment(file_name="a.txt", content=content), "acme") as file:
            return file.stream.read()

    def asked(self) -> list[dict[str, Any]]:
        """What Moment was asked for."""
        return list(requests.get(f"{self.origin}/_sandbox/requests", timeout=5).json()["requests"])

    def _control(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        response = requests.post(f"{self.origin}/_sandbox/{name}", json=body, timeout=30)
        response.raise_for_status()
        return dict(response.json())


@pytest.fixture
def shelf(sandbox: Sandbox) -> Shelf:
    return Shelf(sandbox)


def test_a_file_of_moments_is_fetched_with_its_key(shelf: Shelf) -> None:
    url = shelf.put(content_base64=base64.b64encode(b"%PDF-1.4 hello").decode())
    assert shelf.fetch(url) == b"%PDF-1.4 hello"


def test_a_key_that_moment_refuses_is_the_operators_to_mend_and_the_file_is_asked_for_again(shelf: Shelf) -> None:
    url = shelf.put(size=10)
    stranger = FileSource(f"{shelf.origin}/api/1.0", SecretStr("wrong"), ())
    with pytest.raises(FileKeyRefused, match=r"faktura\.pdf”: Moment refuses the integration's key \(401\)"):
        shelf.fetch(url, stranger)


@pytest.mark.parametrize("url", ["https://evil.example/x.pdf", "http://169.254.169.254/latest", "file:///etc/passwd"])
def test_a_host_that_is_not_listed_is_never_asked(shelf: Shelf, url: str) -> None:
    with pytest.raises(FileMissing, match=r"“.+” is not Moment and not listed in ATTACHMENT_HOSTS"):
        shelf.fetch(url)


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """A port that must not be asked for anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{stranger}\\@{moment}/x.pdf",
        "http://127.0.0.1:{stranger}\\.@{moment}/x.pdf",
        "http://127.0.0.1:{stranger}\n@{moment}/x.pdf",
        "http://127.0.0.1:{stranger}\x85@{moment}/x.pdf",
        "http://127.0.0.1:{stranger}#@{moment}/x.pdf",
        "http://127.0.0.1:{stranger}?@{moment}/x.pdf",
        "http://{moment}@127.0.0.1:{stranger}/x.pdf",
        "http://{moment}:80@127.0.0.1:{stranger}/x.pdf",
        "http://anna:secret@{moment}/x.pdf",
        "http://{moment}\t/x.pdf",
        "http://{moment}\uff0f@127.0.0.1:{stranger}/x.pdf",
    ],
)
def test_an_address_that_two_readers_could_read_as_two_hosts_is_asked_for_nothing(
    shelf: Shelf, stranger: socket.socket, url: str
) -> None:
    here = urlsplit(shelf.origin).netloc
    with pytest.raises(FileMissing):
        shelf.fetch(url.format(stranger=stranger.getsockname()[1], moment=here))
    with pytest.raises(BlockingIOError):
        stranger.accept()


@pytest.mark.parametrize("url", ["https://[bad", "https://", "http://a:99999/x", "https://xn--/x", "x.pdf", ""])
def test_an_address_that_is_none_is_a_missing_file(shelf: Shelf, url: str) -> None:
    with pytest.raises(FileMissing):
        shelf.fetch(url)


@pytest.mark.parametrize("url", ["https://127.0.0.1:443/x.pdf", "HTTPS://127.0.0.1/x.pdf"])
def test_moments_default_port_may_be_written_out_or_not(url: str) -> None:
    """Nothing listens there: that it was asked at all is what counts."""
    for origin in ("https://127.0.0.1", "https://127.0.0.1:443"):
        moment = FileSource(f"{origin}/api/1.0", SecretStr(MOMENT_KEY), ())
        attachment = Attachment(file_name="faktura.pdf", url=url)
        with pytest.raises(FileUnavailable, match="did not answer"), moment.open(attachment, "acme"):
            pass


class Tracker(BaseHTTPRequestHandler):
    """Gives everyone a cookie, and shows which one it is sent."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Set-Cookie", "session=acme; Path=/")
        self.end_headers()
        self.wfile.write(f"%PDF {self.headers.get('Cookie')}".encode())

    def log_message(self, *args: object) -> None:
        pass


def test_a_cookie_of_one_companys_file_does_not_go_along_to_the_next() -> None:
    with HTTPServer(("127.0.0.1", 0), Tracker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_port}"
        files = FileSource(origin, SecretStr(MOMENT_KEY), ())
        for _ in range(2):
            with files.open(Attachment(file_name="a.pdf", url=f"{origin}/a.pdf"), "acme") as file:
                assert file.stream.read() == b"%PDF None"
        server.shutdown()


def test_the_key_does_not_go_to_another_port_of_moments_host(shelf: Shelf) -> None:
    parts = urlsplit(shelf.put(size=10))
    port = parts.port or 0
    with pytest.raises(FileMissing, match="not Moment"):
        shelf.fetch(parts._replace(netloc=f"127.0.0.1:{port - 1}").geturl())


@pytest.mark.parametrize(
    "path",
    [
        "/api/1.0/companies/other/files/faktura.pdf",
        "/api/1.0/Companies/other/files/faktura.pdf",
        "/api/1.0/COMPANIES/other/files/faktura.pdf",
        "/api/1.0/%63ompanies/other/files/faktura.pdf",
        "/api/1.0/%2563ompanies/other/files/faktura.pdf",
        "/api/1.0/companies/%6fther/files/faktura.pdf",
        "/api/1.0//companies//other//files/faktura.pdf",
        "/api/1.0/./companies/./other/files/faktura.pdf",
        "/api/1.0/companies/acme/../other/files/faktura.pdf",
        "/api/1.0/companies/acme/%2e%2e/other/files/faktura.pdf",
        "/api/1.0/companies/acme/%252e%252e/other/files/faktura.pdf",
        "/api/1.0/companies/acme%2f..%2fother/files/faktura.pdf",
        "/api/1.0/companies%2fother/files/faktura.pdf",
        "/api/1.0/companies%5Cother/files/faktura.pdf",
        "/api/1.0/companies/acme/../../companies/other/files/faktura.pdf",
        "/api/1.0/companies/acme/files/../../../companies/other/files/faktura.pdf",
        "/api/1.0/companies;v=1/other/files/faktura.pdf",
        "/api/1.0/companies./other/files/faktura.pdf",
        "/api/1.0/companies%20/other/files/faktura.pdf",
        "/api/1.0/companies%00/other/files/faktura.pdf",
        "/api/1.0/\uff43ompanies/other/files/faktura.pdf",
        "/api/1.0/companies/ACME/files/faktura.pdf",
        "/api/1.0/companies/acme2/files/faktura.pdf",
        "/api/1.0/companies",
        "/api/1.0/companies/",
        "/x/companies/other",
        "/public/faktura.pdf?company=other",
        "/public/faktura.pdf?company=acme&company=other",
        "/public/faktura.pdf?company=ACME",
        "/public/faktura.pdf?company=",
        "/public/faktura.pdf?a=1;Company=other",
        "/public/faktura.pdf?%2563ompany=other",
        "/public/faktura.pdf?company[]=other",
        "/public/faktura.pdf?path=%2Fcompanies%2Fother%2Ffiles",
        "/public/faktura.pdf?path=/companies/acme/../other/files",
        "/api/1.0/companies/acme/files/faktura.pdf?company=other",
        "/" + "%25" * 20 + "63ompanies/other",
    ],
)
def test_another_companys_file_at_moment_is_never_asked_for_however_it_is_spelt(shelf: Shelf, path: str) -> None:
    shelf.put(company="other", size=10)
    with pytest.raises(FileMissing, match="names another company at Moment"):
        shelf.fetch(shelf.origin + path)
    assert shelf.asked() == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/1.0/companies/acme/files/faktura.pdf",
        "/api/1.0/companies/%61cme/files/faktura.pdf",
        "/api/1.0//companies//acme/files/faktura.pdf",
        "/api/1.0/companies/acme/./files/faktura.pdf",
        "/api/1.0/companies/acme/files/x/../faktura.pdf",
        "/public/faktura.pdf",
        "/public/companies.pdf",
        "/public/faktura.pdf?company=acme",
        "/public/faktura.pdf?companyName=other&signature=a%2Fb%2Bc%3D",
    ],
)
def test_the_companys_own_file_and_one_that_names_no_company_are_fetched(shelf: Shelf, path: str) -> None:
    shelf.put(size=10)
    shelf.put(size=10, public=True)
    shelf.put(size=10, public=True, name="companies.pdf")
    assert shelf.fetch(shelf.origin + path).startswith(b"%PDF")


@pytest.mark.parametrize("path", ["", "/", "//", "/.", "/x/..", "/?", "/?company=acme", "/;", "/?a=", "/?a=/"])
def test_an_address_at_moment_without_a_path_has_no_file(shelf: Shelf, path: str) -> None:
    with pytest.raises(FileMissing, match="404"):
        shelf.fetch(shelf.origin + path)


def test_a_listed_host_is_asked_on_its_own_port_alone(shelf: Shelf) -> None:
    """Nothing listens there, and it speaks no TLS: that it was asked at all is what counts."""
    port = urlsplit(shelf.origin).port
    for listed, allowed, refused in (
        ("127.0.0.1", "https://127.0.0.1/x", f"https://127.0.0.1:{port}/x"),
        ("127.0.0.1:443", "https://127.0.0.1/x", f"https://127.0.0.1:{port}/x"),
        (f"LOCALHOST:{port}", f"https://localhost:{port}/x", "https://localhost/x"),
    ):
        files = FileSource("https://moment.example", SecretStr(MOMENT_KEY), (listed,))
        with pytest.raises(FileUnavailable, match="did not answer"):
            shelf.fetch(allowed, files)
        with pytest.raises(FileMissing, match="is not Moment and not listed in ATTACHMENT_HOSTS"):
            shelf.fetch(refused, files)
        with pytest.raises(FileMissing, match="is not Moment and not listed in ATTACHMENT_HOSTS"):
            shelf.fetch(allowed.replace("https", "http"), files)


def test_a_redirect_is_not_followed(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match="answered 30"):
        shelf.fetch(shelf.put(redirect="http://127.0.0.1:1/elsewhere"))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_host_that_does_not_serve_just_now_is_asked_again_later(shelf: Shelf, status: int) -> None:
    with pytest.raises(FileUnavailable, match=str(status)):
        shelf.fetch(shelf.put(status=status))


def test_a_file_that_is_gone_is_missing(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match="answered 404"):
        shelf.fetch(f"{shelf.origin}/api/1.0/companies/acme/files/never.pdf")


def test_a_connection_that_breaks_in_the_middle_is_tried_again(shelf: Shelf) -> None:
    with pytest.raises(FileUnavailable):
        shelf.fetch(shelf.put(size=100_000, cut_after=5_000))


def test_a_file_over_the_size_limit_is_refused_while_it_is_read(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match="larger than 20 MB"):
        shelf.fetch(shelf.put(size=MAX_BYTES + 1))


def test_a_file_inside_the_event_is_decoded(shelf: Shelf) -> None:
    attachment = Attachment(file_name="a.txt", content=base64.b64encode(b"inside").decode())
    with shelf.files.open(attachment, "acme") as file:
        assert file.stream.read() == b"inside"
        assert (file.size, file.sha256) == (6, hashlib.sha256(b"inside").hexdigest())


def test_a_page_in_place_of_a_file_is_a_missing_file(shelf: Shelf) -> None:
    page = base64.b64encode(b"<html>Log in</html>").decode()
    with pytest.raises(FileMissing, match=r"sent a page \(“text/html”\) in place of it"):
        shelf.fetch(shelf.put(content_base64=page, content_type="text/html; charset=utf-8"))


def test_a_pdf_that_is_none_is_a_missing_file(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match="is not a PDF"):
        shelf.fetch(shelf.put(content_base64=base64.b64encode(b"MZ").decode(), content_type="application/octet-stream"))


def test_a_host_that_sends_its_file_drop_by_drop_is_left_after_the_time_limit(shelf: Shelf) -> None:
    with pytest.raises(FileUnavailable, match="took longer than"):
        shelf.fetch(shelf.put(size=60_000, trickle=5), seconds=1.0)


def test_a_host_that_sends_nothing_is_left_after_the_time_that_the_file_was_given(shelf: Shelf) -> None:
    with pytest.raises(FileUnavailable, match="took longer than"):
        shelf.fetch(shelf.put(size=10, delay=120), seconds=0.5)


def test_a_large_file_comes_whole(shelf: Shelf) -> None:
    assert len(shelf.fetch(shelf.put(size=3_000_000))) == 3_000_000


@pytest.mark.parametrize("content", ["%%%", "åäö", "data:text/plain;base64,aW5zaWRl", "aW5zaWR"])
def test_content_that_is_not_base64_is_a_missing_file(shelf: Shelf, content: str) -> None:
    with pytest.raises(FileMissing, match="not base64"):
        shelf.read(content)


def test_content_in_lines_as_in_a_mail_is_decoded(shelf: Shelf) -> None:
    content = base64.encodebytes(b"inside" * 100).decode()
    assert shelf.read(content) == shelf.read(content.replace("\n", "\r\n ")) == b"inside" * 100


def test_a_file_of_no_bytes_is_a_missing_file(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match=r"a\.txt”: is empty"):
        shelf.read("")
    with pytest.raises(FileMissing, match=r"faktura\.pdf”: is empty"):
        shelf.fetch(shelf.put(content_base64=""))
