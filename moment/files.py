"""Fetches the files of an invoice: from Moment with its key, from listed hosts without, or from the event itself.

Raises `FileMissing` for a file that will not come, however often it is asked for, and `FileUnavailable` for one
that may come later.
"""

import base64
import hashlib
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import requests
import structlog
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from messages import Message
from moment.events import Attachment

log = structlog.get_logger(__name__)

MAX_BYTES = 20_000_000  # one file; Fortnox's own limits are lower, and its answer then says so
IN_MEMORY = 256_000  # bytes; a larger file lies in a temporary file while it is passed on
CHUNK = 64 * 1024
CONNECT, READ, WHOLE = 5.0, 30.0, 90.0  # seconds
PORTS = {"http": 80, "https": 443}
# What one reader of addresses takes for part of a name, and another for its end. No address that is meant has it.
AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
PDF, PDF_MARK, PDF_HEAD = "application/pdf", b"%PDF", 1024  # PDF 32000-1: the mark is within the first 1024 bytes
PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json"})  # how a host says no with a 200


class NoFile(Exception):
    """Base of the two: there is no file to transfer."""

    def __init__(self, file_name: str, why: Message) -> None:
        super().__init__(file_name, why)
        self.file_name = file_name
        self.why = why

    @property
    def message(self) -> Message:
        """The file's name and why it is not there."""
        return Message("file.named", file=self.file_name, why=self.why)

    def __str__(self) -> str:
        from messages.catalogue import say  # only when somebody reads it: the catalogues take a moment to load

        return say(self.message)


class FileMissing(NoFile):
    """The file cannot be transferred: gone, too large, not what it says it is, or from a host that is not allowed."""


class FileUnavailable(NoFile):
    """The file's host does not serve just now."""


class FileKeyRefused(FileUnavailable):
    """Moment refuses our key: no file of any company comes, until the operator has mended that."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes, from the start, with what is known of them."""

    stream: BinaryIO
    size: int
    sha256: str
    is_pdf: bool


class FileSource:
    """Opens attachments. `moment_api_url` is where the key may go; `hosts` are allowed without it."""

    def __init__(self, moment_api_url: str, api_key: SecretStr, hosts: tuple[str, ...]) -> None:
        self._origin = _origin(moment_api_url)
        self._key = api_key
        self._hosts = frozenset(host.lower() for host in hosts)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy or .netrc of the machine's comes between
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # it serves every company

    @contextmanager
    def open(self, attachment: Attachment, seconds: float = WHOLE) -> Iterator[File]:
        """The file, which is gone when the block ends. `seconds`: how long it may take to come."""
        name = attachment.file_name
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spooled:
            stream = cast(BinaryIO, spooled)
            if attachment.content is not None:
                file = _kept(name, [_decoded(attachment)], stream)
            elif attachment.url is not None:
                file = self._fetch(attachment, attachment.url, stream, seconds)
            else:
                raise FileMissing(name, Message("file.neither-url-nor-content"))
            if attachment.content_type == PDF and not file.is_pdf:
                raise FileMissing(name, Message("file.no-pdf"))
            yield file

    def _fetch(self, attachment: Attachment, url: str, into: BinaryIO, seconds: float) -> File:
        name = attachment.file_name
        request = self._request(name, url)
        timeouts = min(CONNECT, seconds), min(READ, seconds)
        deadline = time.monotonic() + seconds
        try:
            with self._session.send(request, stream=True, timeout=timeouts, allow_redirects=False) as response:
                _check(attachment, response, with_key="Authorization" in request.headers)
                return _kept(name, _pieces(name, response, deadline, seconds), into)
        except (requests.RequestException, HTTPError) as error:
            raise FileUnavailable(name, Message("file.no-answer", error=type(error).__name__)) from None

    def _request(self, name: str, url: str) -> requests.PreparedRequest:
        """The very request that is sent, with the key if it goes to Moment.

        Its address is judged as `requests` has prepared it: what is judged as given may be sent elsewhere by another
        reading. Raises `FileMissing` for a host that is not allowed and for what is no plain address.
        """
        try:
            request = self._session.prepare_request(requests.Request("GET", url))
            parts = urlsplit(request.url or "")
            origin = _origin(request.url or "")
        except ValueError:  # `requests` raises its own kinds of it
            raise FileMissing(name, Message("file.bad-address")) from None
        if AMBIGUOUS.search(url) or "@" in parts.netloc:
            raise FileMissing(name, Message("file.bad-address"))
        if origin == self._origin:
            request.prepare_auth(("apikey", self._key.get_secret_value()))
        elif parts.scheme != "https" or parts.hostname not in self._hosts:
            host = parts.hostname or "no host"
            raise FileMissing(name, Message("file.host-not-listed", host=host))
        return request


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, whether or not the default port is written out. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def _pieces(name: str, response: requests.Response, deadline: float, seconds: float) -> Iterator[bytes]:
    # Each piece as it comes: whoever waits for a full one lets a slow host take for ever.
    while piece := response.raw.read1(CHUNK, decode_content=True):
        if time.monotonic() > deadline:
            raise FileUnavailable(name, Message("file.too-slow", seconds=f"{seconds:.0f}"))
        yield piece


def _check(attachment: Attachment, response: requests.Response, *, with_key: bool) -> None:
    status, name = response.status_code, attachment.file_name
    if with_key and status in (401, 403):  # the same for every file, and nothing is wrong with any of them
        log.error("moment.key_refused", status=status)
        raise FileKeyRefused(name, Message("file.key-refused", status=str(status)))
    if status == 429 or status >= 500:
        raise FileUnavailable(name, Message("file.host-answered", status=str(status)))
    if status != 200:
        raise FileMissing(name, Message("file.host-answered", status=str(status)))
    answered = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answered in PAGES and answered != attachment.content_type:
        raise FileMissing(name, Message("file.page-instead", type=answered))


def _kept(name: str, pieces: Iterable[bytes], into: BinaryIO) -> File:
    """Writes the pieces, and goes back to the start. Raises `FileMissing` when they come to too much."""
    size, digest, head = 0, hashlib.sha256(), b""
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise FileMissing(name, Message("file.too-large", megabytes=str(MAX_BYTES // 1_000_000)))
        digest.update(piece)
        head += piece[: max(0, PDF_HEAD - len(head))]
        into.write(piece)
    if not size:
        raise FileMissing(name, Message("file.empty"))
    into.seek(0)
    return File(into, size, digest.hexdigest(), PDF_MARK in head)


def _decoded(attachment: Attachment) -> bytes:
    try:
        return base64.b64decode("".join((attachment.content or "").split()), validate=True)  # mails wrap it in lines
    except ValueError:
        raise FileMissing(attachment.file_name, Message("file.no-base64")) from None
