"""HTTP for every client here: each exchange ends, in time and in size, whatever the other side sends.

`requests` limits only the time between two bytes. Here one clock runs over the whole exchange: resolving the host's
name, connecting, sending, each line of the head (any number of `100 Continue` among them), the body and its decoding.

    with exchange(seconds=60, most=1_000_000), session.get(url, stream=True) as response:
        body = b"".join(pieces(response, most=1_000_000))

Whatever the other side does, these raise one of `FAILURES` alone.
"""

import errno
import http.client
import io
import socket
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from threading import Thread
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ContentDecodingError
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

FAILURES = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, zlib.error)
PIECE = 64 * 1024
HEAD = 1_000_000  # bytes besides the body: the head, the frames of chunks and their trailers
GZIP_OR_DEFLATE = 32 + zlib.MAX_WBITS  # zlib recognises either by its header
USER_AGENT = "moment-fortnox"


class TooLarge(OSError):
    """The answer is larger than allowed."""

    def __init__(self) -> None:
        super().__init__(errno.EMSGSIZE, "the answer is too large")


class _Limits:
    """What is left of an exchange."""

    def __init__(self, seconds: float, most: int) -> None:
        self._ends = time.monotonic() + seconds
        self._bytes = most + HEAD

    def seconds(self) -> float:
        """Raises `TimeoutError` if there are none left."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return left

    def received(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise TooLarge


_limits: ContextVar[_Limits | None] = ContextVar("limits of the exchange", default=None)


@contextmanager
def exchange(seconds: float, most: int) -> Iterator[None]:
    """Limit what a `new_session` exchanges within the block: to so many seconds, and so many bytes of a body."""
    token = _limits.set(_Limits(seconds, most))
    try:
        yield
    finally:
        _limits.reset(token)


def new_session(*, proxies: bool = False) -> requests.Session:
    """Return a session that keeps no cookies, follows and reads no redirects, and repeats nothing.

    With `proxies` it uses the proxies of the environment. It never uses a `.netrc` if each request has its `auth`.
    """
    session = _Session()
    session.trust_env = proxies
    session.mount("https://", _Adapter())
    session.mount("http://", _Adapter())
    # A session serves all companies. Without either kind of cookie the headers are not even parsed.
    session.cookies.set_policy(DefaultCookiePolicy(netscape=False, rfc2965=False))
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    return session


def pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield the decoded body in pieces as they come. Raises `TooLarge` for more than `most` bytes."""
    decoder, left, received = _decoder(response), most, False
    while piece := response.raw.read1(PIECE, decode_content=False):
        received = True
        if decoder is not None:
            piece = decoder.decompress(piece, left + 1)  # a few bytes may become gigabytes
        left -= len(piece)
        if left < 0:
            raise TooLarge
        if piece:
            yield piece
    if decoder is not None and received and (not decoder.eof or decoder.unused_data):
        raise ContentDecodingError("the answer is cut off, or more follows it")


def _decoder(response: requests.Response) -> Any:
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(GZIP_OR_DEFLATE)
    if coding in ("", "identity"):
        return None
    raise ContentDecodingError("the answer has a coding that was not asked for")


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: `requests` would read the whole body of a redirect, and raise whatever its address causes."""


class _Reader(io.RawIOBase):
    """Reads from a connection within the limits of the exchange."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if (limits := _limits.get()) is None:
            return self._raw.readinto(buffer)
        left, patience = limits.seconds(), self._socket.gettimeout()
        self._socket.settimeout(left if patience is None else min(left, patience))
        size: int | None = self._raw.readinto(buffer)
        limits.received(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock))


def _addresses(host: str, port: int, seconds: float | None) -> list[Any]:
    """Return the host's addresses. Raises `TimeoutError` after so many seconds, and what `getaddrinfo` raises.

    `getaddrinfo` takes no time limit and cannot be interrupted, so a thread of its own calls it. The thread ends when
    the resolver gives up.
    """
    found: Future[list[Any]] = Future()

    def resolve() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:  # ValueError: not a host's name
            found.set_exception(error)

    Thread(target=resolve, name="resolver", daemon=True).start()
    return found.result(seconds)


class _Connection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        """Connect to the host's addresses in turn. They share the clock."""
        try:
            found = _addresses(self._dns_host, self.port, self._patience())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "the host's name was not resolved in time") from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise NewConnectionError(self, f"not a host's name: {error}") from error
        failure: OSError | None = None
        for *_, address in found:
            try:
                return create_connection((str(address[0]), self.port), self._patience(), None, self.socket_options)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from failure
        raise NewConnectionError(self, f"no connection: {failure}") from failure

    def send(self, data: Any) -> None:
        if self.sock is not None and (limits := _limits.get()) is not None:
            self.sock.settimeout(limits.seconds())
        super().send(data)

    def _patience(self) -> float | None:
        limits = _limits.get()
        patience = self.timeout if isinstance(self.timeout, int | float) else None
        if limits is None:
            return patience
        return limits.seconds() if patience is None else min(patience, limits.seconds())


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=32, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _limit(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return _limit(super().proxy_manager_for(*args, **kwargs))


def _limit(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
