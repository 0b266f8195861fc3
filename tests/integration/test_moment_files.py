"""An invoice's files: fetched from Moment with its key, from listed hosts without, and never from anywhere else."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pydantic import SecretStr

from moment.events import Attachment
from moment.files import MAX_BYTES, FileMissing, FileSource, FileUnavailable
from tests.services import Sandbox
from worker.local.sandbox import MOMENT_KEY


class Shelf:
    """Files at Moment, and what is fetched of them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.origin = sandbox.moment
        self.files = FileSource(f"{sandbox.moment}/api/1.0", SecretStr(MOMENT_KEY), ())
        self._control("reset", {})

    def put(self, **file: Any) -> str:
        """The file's address."""
        return self.origin + str(self._control("files", {"company": "acme", "name": "faktura.pdf", **file})["path"])

    def fetch(self, url: str, files: FileSource | None = None) -> bytes:
        attachment = Attachment(file_name="faktura.pdf", content_type="application/pdf", url=url)
        with (files or self.files).open(attachment) as file:
            return file.stream.read()

    def _control(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        response = requests.post(f"{self.origin}/_sandbox/{name}", json=body, timeout=5)
        response.raise_for_status()
        return dict(response.json())


@pytest.fixture
def shelf(sandbox: Sandbox) -> Shelf:
    return Shelf(sandbox)


def test_a_file_of_moments_is_fetched_with_its_key(shelf: Shelf) -> None:
    url = shelf.put(content_base64=base64.b64encode(b"%PDF-1.4 hello").decode())
    assert shelf.fetch(url) == b"%PDF-1.4 hello"


def test_a_wrong_key_is_a_missing_file_that_names_it(shelf: Shelf) -> None:
    url = shelf.put(size=10)
    stranger = FileSource(f"{shelf.origin}/api/1.0", SecretStr("wrong"), ())
    with pytest.raises(FileMissing, match=r"faktura\.pdf: its host answered 401"):
        shelf.fetch(url, stranger)


@pytest.mark.parametrize("url", ["https://evil.example/x.pdf", "http://169.254.169.254/latest", "file:///etc/passwd"])
def test_a_host_that_is_not_listed_is_never_asked(shelf: Shelf, url: str) -> None:
    with pytest.raises(FileMissing, match="not Moment and not listed in ATTACHMENT_HOSTS"):
        shelf.fetch(url)


def test_the_key_does_not_go_to_another_port_of_moments_host(shelf: Shelf) -> None:
    parts = urlsplit(shelf.put(size=10))
    port = parts.port or 0
    with pytest.raises(FileMissing, match="not Moment"):
        shelf.fetch(parts._replace(netloc=f"127.0.0.1:{port - 1}").geturl())


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
    with shelf.files.open(attachment) as file:
        assert file.stream.read() == b"inside"
        assert (file.size, file.sha256) == (6, hashlib.sha256(b"inside").hexdigest())


def test_a_page_in_place_of_a_file_is_a_missing_file(shelf: Shelf) -> None:
    page = base64.b64encode(b"<html>Log in</html>").decode()
    with pytest.raises(FileMissing, match=r"sent a page \(text/html\) in place of it"):
        shelf.fetch(shelf.put(content_base64=page, content_type="text/html; charset=utf-8"))


def test_a_pdf_that_is_none_is_a_missing_file(shelf: Shelf) -> None:
    with pytest.raises(FileMissing, match="is not a PDF"):
        shelf.fetch(shelf.put(content_base64=base64.b64encode(b"MZ").decode(), content_type="application/octet-stream"))


def test_a_host_that_sends_its_file_drop_by_drop_is_left_after_the_time_limit(shelf: Shelf) -> None:
    impatient = FileSource(f"{shelf.origin}/api/1.0", SecretStr(MOMENT_KEY), (), seconds=0.5)
    started = time.monotonic()
    with pytest.raises(FileUnavailable, match="took longer than"):
        shelf.fetch(shelf.put(size=60_000, trickle=20), impatient)
    assert time.monotonic() - started < 5


def test_a_large_file_comes_whole(shelf: Shelf) -> None:
    assert len(shelf.fetch(shelf.put(size=3_000_000))) == 3_000_000


def test_content_that_is_not_base64_is_a_missing_file(shelf: Shelf) -> None:
    with (
        pytest.raises(FileMissing, match="not base64"),
        shelf.files.open(Attachment(file_name="a.pdf", content="%%%")),
    ):
        pass
