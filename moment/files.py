"""Fetches an invoice's files: from Moment with its key, from listed hosts without it, or from the event itself.

Raises `FileMissing` for a file that cannot be had, and `FileUnavailable` for one that may be had later.
"""

import base64
import hashlib
import re
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import structlog
from pydantic import SecretStr

from config.http import FAILURES, TooLarge, exchange, new_session, pieces
from messages import Message
from moment.events import Attachment

log = structlog.get_logger(__name__)

MAX_BYTES = 20_000_000  # one file; Fortnox's own limits are lower, and its answer then says so
TOO_LARGE = Message("file.too-large", megabytes=str(MAX_BYTES // 1_000_000))
IN_MEMORY = 256_000  # bytes; a larger file lies in a temporary file while it is passed on
CONNECT, READ, WHOLE = 5.0, 30.0, 90.0  # seconds; the last for an exchange from end to end
PORTS = {"http": 80, "https": 443}
# Parsers of addresses disagree about these: one takes them for part of a host's name, another for its end.
AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
MOST_ENCODINGS = 5  # of an address, one inside the other
PDF, PDF_MARK, PDF_HEAD = "application/pdf", b"%PDF", 1024  # ISO 32000-1: the mark is in the first 1024 bytes
PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json"})  # a refusal with status 200


class NoFile(Exception):
    """Base class: there is no file to transfer."""

    def __init__(self, file_name: str, why: Message) -> None:
        super().__init__(file_name, why)
        self.file_name = file_name
        self.why = why

    @property
    def message(self) -> Message:
        """The file's name, and why there is no file."""
        return Message("file.named", file=self.file_name, why=self.why)

    def __str__(self) -> str:
        from messages.catalogue import say  # imported when used: the catalogues take time to load

        return say(self.message)


class FileMissing(NoFile):
    """The file cannot be transferred: gone, too large, of another type, or from a host that is not allowed."""


class FileUnavailable(NoFile):
    """The file's host does not serve it now."""


class FileKeyRefused(FileUnavailable):
    """Moment refuses our key: no company's files can be had until the operator corrects it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file: a stream at its start, and what is known of the content."""

    stream: BinaryIO
    size: int
    sha256: str
    is_pdf: bool


class FileSource:
    """Opens attachments. The key goes to the origin of `moment_api_url` alone; `hosts` are allowed without it.

    A host is listed as `files.example.com` (port 443) or with its port, `files.example.com:8443`.
    """

    def __init__(self, moment_api_url: str, api_key: SecretStr, hosts: tuple[str, ...]) -> None:
        self._origin = _origin(moment_api_url)
        self._key = api_key
        self._hosts = frozenset(_origin(f"https://{host}") for host in hosts)
        self._session = new_session()

    @contextmanager
    def open(self, attachment: Attachment, company: str, seconds: float = WHOLE) -> Iterator[File]:
        """Open the company's file for the block. `seconds`: how long fetching it may take."""
        name = attachment.file_name
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spooled:
            stream = cast(BinaryIO, spooled)
            if attachment.content is not None:
                file = _kept(name, [_decoded(attachment)], stream)
            elif attachment.url is not None:
                file = self._fetch(attachment, attachment.url, company, stream, seconds)
            else:
                raise FileMissing(name, Message("file.neither-url-nor-content"))
            if attachment.content_type == PDF and not file.is_pdf:
                raise FileMissing(name, Message("file.no-pdf"))
            yield file

    def _fetch(self, attachment: Attachment, url: str, company: str, into: BinaryIO, seconds: float) -> File:
        name = attachment.file_name
        request = self._request(name, url, company)
        started = time.monotonic()
        try:
            with (
                exchange(seconds, MAX_BYTES),
                self._session.send(request, stream=True, timeout=(CONNECT, READ), allow_redirects=False) as response,
            ):
                _check(attachment, response, with_key="Authorization" in request.headers)
                return _kept(name, pieces(response, MAX_BYTES), into)
        except TooLarge:
            raise FileMissing(name, TOO_LARGE) from None
        except FAILURES as error:
            if time.monotonic() - started >= seconds:
                raise FileUnavailable(name, Message("file.too-slow", seconds=str(max(1, round(seconds))))) from None
            raise FileUnavailable(name, Message("file.no-answer", error=type(error).__name__)) from None

    def _request(self, name: str, url: str, company: str) -> requests.PreparedRequest:
        """Return the request that is sent, with the key if it goes to Moment.

        The address is checked as `requests` prepared it, since another parser may read the given one otherwise. Raises
        `FileMissing` for a host that is not allowed, for another company's file at Moment, and for an address that is
        not plain.
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
            if not companies_in(parts.path) | companies_in_query(parts.query) <= {company}:
                raise FileMissing(name, Message("file.another-company"))
            request.prepare_auth(("apikey", self._key.get_secret_value()))
        elif origin not in self._hosts:
            raise FileMissing(name, Message("file.host-not-listed", host=parts.netloc or "-"))
        return request


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port, with the default port filled in. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def companies_in(path: str) -> set[str]:
    """Return the companies that a path names in any reading. "" stands for a name that is missing or unclear. Pure.

    Servers differ in how often they decode a path, in case, and in what they do with dots, parameters and slashes.
    """
    found = set()
    for _ in range(MOST_ENCODINGS):
        segments = [segment.partition(";")[0] for segment in re.split(r"[/\\?#]+", path)]
        for reading in (segments, _resolved(segments)):
            for word, name in pairwise([*reading, ""]):
                if _letters(word) == "companies":
                    found.add(_decoded_name(name))
        if (decoded := unquote(path)) == path:
            return found
        path = decoded
    return {""}


def companies_in_query(query: str) -> set[str]:
    """Return the companies that a query names, by a parameter `company` or by a path in a value. Pure."""
    found = set()
    for name, value in parse_qsl(query.replace(";", "&"), keep_blank_values=True):
        if _letters(name) in ("company", "companies"):
            found.add(_decoded_name(value))
        found |= companies_in(value)
    return found


def _letters(word: str) -> str:
    """The letters of a word, however it is encoded or cased."""
    return re.sub(r"[^a-z]", "", unicodedata.normalize("NFKC", _decoded_name(word)).casefold())


def _resolved(segments: list[str]) -> list[str]:
    """The segments without `.` and `..`."""
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            del resolved[-1:]
        elif segment not in ("", "."):
            resolved.append(segment)
    return resolved


def _decoded_name(name: str) -> str:
    for _ in range(MOST_ENCODINGS):
        name = unquote(name)
    return name


def _check(attachment: Attachment, response: requests.Response, *, with_key: bool) -> None:
    status, name = response.status_code, attachment.file_name
    if with_key and status in (401, 403):  # nothing is wrong with the file
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
    """Write the pieces and go back to the start. Raises `FileMissing` if they are too much, or nothing."""
    size, digest, head = 0, hashlib.sha256(), b""
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise FileMissing(name, TOO_LARGE)
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
