"""Fetches the files of an invoice: from Moment with its key, from listed hosts without, or from the event itself.

Raises `FileMissing` for a file that will not come, however often it is asked for, and `FileUnavailable` for one
that may come later.
"""

import base64
import binascii
import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from moment.events import Attachment

MAX_BYTES = 20_000_000  # one file; Fortnox's own limits are lower, and its answer then says so
IN_MEMORY = 256_000  # bytes; a larger file lies in a temporary file while it is passed on
CHUNK = 64 * 1024
CONNECT, READ, WHOLE = 5.0, 30.0, 90.0  # seconds
PDF, PDF_MARK, PDF_HEAD = "application/pdf", b"%PDF", 1024  # PDF 32000-1: the mark is within the first 1024 bytes
PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json"})  # how a host says no with a 200


class NoFile(Exception):
    """Base of the two: there is no file to transfer."""

    def __init__(self, file_name: str, why: str) -> None:
        super().__init__(file_name, why)
        self.file_name = file_name
        self.why = why

    def __str__(self) -> str:
        return f"{self.file_name}: {self.why}"


class FileMissing(NoFile):
    """The file cannot be transferred: gone, too large, not what it says it is, or from a host that is not allowed."""


class FileUnavailable(NoFile):
    """The file's host does not serve just now."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes, from the start, with what is known of them."""

    stream: BinaryIO
    size: int
    sha256: str
    is_pdf: bool


class FileSource:
    """Opens attachments. `moment_api_url` is where the key may go; `hosts` are allowed without it.

    `seconds`: how long one file may take in all.
    """

    def __init__(
        self, moment_api_url: str, api_key: SecretStr, hosts: tuple[str, ...], *, seconds: float = WHOLE
    ) -> None:
        self._origin = _origin(moment_api_url)
        self._key = api_key
        self._hosts = frozenset(host.lower() for host in hosts)
        self._seconds = seconds
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy or .netrc of the machine's comes between

    @contextmanager
    def open(self, attachment: Attachment) -> Iterator[File]:
        """The file, which is gone when the block ends."""
        name = attachment.file_name
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spooled:
            stream = cast(BinaryIO, spooled)
            if attachment.content is not None:
                file = _kept(name, [_decoded(attachment)], stream)
            elif attachment.url is not None:
                file = self._fetch(attachment, attachment.url, stream)
            else:
                raise FileMissing(name, "the event gives neither url nor content")
            if attachment.content_type == PDF and not file.is_pdf:
                raise FileMissing(name, "is not a PDF, though the event says so")
            yield file

    def _fetch(self, attachment: Attachment, url: str, into: BinaryIO) -> File:
        name = attachment.file_name
        auth = ("apikey", self._key.get_secret_value()) if self._is_moments(name, url) else None
        deadline = time.monotonic() + self._seconds
        try:
            with self._session.get(
                url, auth=auth, stream=True, timeout=(CONNECT, READ), allow_redirects=False
            ) as response:
                _check(attachment, response)
                return _kept(name, self._pieces(name, response, deadline), into)
        except (requests.RequestException, HTTPError) as error:
            raise FileUnavailable(name, f"its host did not answer ({type(error).__name__})") from None

    def _pieces(self, name: str, response: requests.Response, deadline: float) -> Iterator[bytes]:
        # Each piece as it comes: whoever waits for a full one lets a slow host take for ever.
        while piece := response.raw.read1(CHUNK, decode_content=True):
            if time.monotonic() > deadline:
                raise FileUnavailable(name, f"took longer than {self._seconds:.0f} seconds")
            yield piece

    def _is_moments(self, name: str, url: str) -> bool:
        """Whether the key goes along. Raises `FileMissing` for a host that is not allowed."""
        if _origin(url) == self._origin:
            return True
        parts = urlsplit(url)
        if parts.scheme != "https" or (parts.hostname or "").lower() not in self._hosts:
            host = parts.hostname or "no host"
            raise FileMissing(name, f"{host} is not Moment and not listed in ATTACHMENT_HOSTS")
        return False


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", None


def _check(attachment: Attachment, response: requests.Response) -> None:
    status, name = response.status_code, attachment.file_name
    if status == 429 or status >= 500:
        raise FileUnavailable(name, f"its host answered {status}")
    if status != 200:
        raise FileMissing(name, f"its host answered {status}")
    answered = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answered in PAGES and answered != attachment.content_type:
        raise FileMissing(name, f"its host sent a page ({answered}) in place of it")


def _kept(name: str, pieces: Iterable[bytes], into: BinaryIO) -> File:
    """Writes the pieces, and goes back to the start. Raises `FileMissing` when they come to too much."""
    size, digest, head = 0, hashlib.sha256(), b""
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise FileMissing(name, f"is larger than {MAX_BYTES // 1_000_000} MB")
        digest.update(piece)
        head += piece[: max(0, PDF_HEAD - len(head))]
        into.write(piece)
    into.seek(0)
    return File(into, size, digest.hexdigest(), PDF_MARK in head)


def _decoded(attachment: Attachment) -> bytes:
    try:
        return base64.b64decode(attachment.content or "", validate=True)
    except binascii.Error:
        raise FileMissing(attachment.file_name, "its content is not base64") from None
