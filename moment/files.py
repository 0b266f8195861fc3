"""Fetches the files of an invoice: from Moment with its key, from listed hosts without, or from the event itself.

Raises `FileMissing` for a file that will not come, however often it is asked for, and `FileUnavailable` for one
that may come later.
"""

import base64
import binascii
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from moment.events import Attachment

MAX_BYTES = 20_000_000  # one file; Fortnox's own limits are lower, and its answer then says so
IN_MEMORY = 256_000  # bytes; a larger file lies in a temporary file while it is passed on
CHUNK = 64 * 1024
CONNECT, READ, WHOLE = 5.0, 30.0, 90.0  # seconds


class FileMissing(Exception):
    """The file cannot be transferred: gone, too large, or from a host that is not allowed."""

    def __init__(self, file_name: str, why: str) -> None:
        super().__init__(file_name, why)
        self.file_name = file_name
        self.why = why

    def __str__(self) -> str:
        return f"{self.file_name}: {self.why}"


class FileUnavailable(Exception):
    """The file's host does not serve just now."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"An attachment could not be fetched: {self.why}."


class FileSource:
    """Opens attachments. `moment_api_url` is where the key may go; `hosts` are allowed without it."""

    def __init__(self, moment_api_url: str, api_key: SecretStr, hosts: tuple[str, ...]) -> None:
        self._origin = _origin(moment_api_url)
        self._key = api_key
        self._hosts = frozenset(host.lower() for host in hosts)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy or .netrc of the machine's comes between

    @contextmanager
    def open(self, attachment: Attachment) -> Iterator[BinaryIO]:
        """The file's bytes, from the start, as a file that is gone when the block ends."""
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            if attachment.content is not None:
                file.write(_decoded(attachment))
            elif attachment.url is not None:
                self._fetch(attachment.file_name, attachment.url, cast(BinaryIO, file))
            else:
                raise FileMissing(attachment.file_name, "the event gives neither url nor content")
            file.seek(0)
            yield cast(BinaryIO, file)

    def _fetch(self, name: str, url: str, into: BinaryIO) -> None:
        auth = ("apikey", self._key.get_secret_value()) if self._is_moments(name, url) else None
        deadline = time.monotonic() + WHOLE
        try:
            with self._session.get(
                url, auth=auth, stream=True, timeout=(CONNECT, READ), allow_redirects=False
            ) as response:
                _check(name, response)
                size = 0
                for chunk in response.iter_content(CHUNK):
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise FileMissing(name, f"is larger than {MAX_BYTES // 1_000_000} MB")
                    if time.monotonic() > deadline:
                        raise FileUnavailable(f"took longer than {WHOLE:.0f} seconds")
                    into.write(chunk)
        except requests.RequestException as error:
            raise FileUnavailable(type(error).__name__) from None

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


def _check(name: str, response: requests.Response) -> None:
    if response.status_code == 429 or response.status_code >= 500:
        raise FileUnavailable(f"its host answered {response.status_code}")
    if response.status_code != 200:
        raise FileMissing(name, f"its host answered {response.status_code}")


def _decoded(attachment: Attachment) -> bytes:
    try:
        return base64.b64decode(attachment.content or "", validate=True)
    except binascii.Error:
        raise FileMissing(attachment.file_name, "its content is not base64") from None
