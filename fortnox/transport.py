"""All HTTP to Fortnox: timeouts, tokens, exact JSON, limits and hooks.

`Http` sends one request and reads its answer. `Transport` adds what Fortnox's API needs: a company's token, its rate
limit, JSON in and out. Neither retries, with one exception: a 401 was not executed, so the token is renewed and the
same request sent once more. A second 401 is `TokenRefused`, not a dead grant. Only the token endpoint can say that the
grant is dead, and two renewals at the same instant can leave the slower one with a token that never worked.
"""

import os
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import requests
import simplejson
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError

from config.http import FAILURES, exchange, new_session, pieces
from fortnox import errors as e
from fortnox.multipart import MultipartFile
from fortnox.responses import LARGEST_ANSWER, Call, Json, Reply, envelope, parse, read, unanswered, unreadable

T = TypeVar("T")

CLOCKS_APART = timedelta(days=3650)  # a `Date` that differs by more makes no sense


class TokenSource(Protocol):
    """Supplies access tokens. Both methods may raise `GrantDead` or a `Transient` error."""

    def access_token(self, company: str) -> str:
        """Return a token that is not known to be invalid."""

    def renew(self, company: str, rejected_token: str) -> str:
        """Return another token than the one that Fortnox has just refused."""


class Exchange(NamedTuple):
    """A request and its outcome, for the transfer log and metrics. It holds none of the company's data."""

    company: str
    method: str
    path: str  # its kind: `/3/customers/{number}`
    status: int | None  # None: no answer
    code: str
    seconds: float
    request_id: str


class Write(NamedTuple):
    """A write that Fortnox answered, and its answer. It holds the company's data: not for logs."""

    method: str
    path: str  # its kind: `/3/customers/{number}`
    status: int
    sent: bytes  # JSON
    answered: bytes


BeforeRequest = Callable[[str, int], None]  # (company, leave): `Limiter.acquire`; raises to stop the request
OnRequest = Callable[[Exchange], None]  # must not raise: the request has been executed
OnWrite = Callable[[Write], None]  # the same


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Writes may take long, since a timeout costs a look-up. `whole` is for the exchange from end to end."""

    connect: float = 5.0
    read: float = 60.0
    write: float = 120.0
    whole: float = 180.0


class Http:
    """Sends requests. Each process builds a session of its own at its first request: a fork shares none."""

    def __init__(self, timeouts: Timeouts | None = None, on_request: OnRequest | None = None) -> None:
        self._timeouts = timeouts or Timeouts()
        self._on_request = on_request
        self._session: requests.Session | None = None
        self._pid = 0

    def send(
        self,
        company: str,
        call: Call,
        url: str,
        *,
        auth: AuthBase,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        body: bytes | MultipartFile | None = None,
    ) -> Reply:
        """Return the answer, whatever its status. Raises `Unavailable` or `OutcomeUnknown` if there is none."""
        started = time.monotonic()
        reply: Reply | None = None
        try:
            reply = self._exchange(call, url, auth=auth, headers=headers, params=params, body=body)
            return reply
        finally:
            if self._on_request is not None:
                refusal = envelope(parse(reply.body), reply.status) if reply and reply.status >= 400 else None
                self._on_request(
                    Exchange(
                        company,
                        call.method,
                        call.path,
                        reply.status if reply else None,
                        refusal.code if refusal else "",
                        time.monotonic() - started,
                        call.request_id,
                    )
                )

    def close(self) -> None:
        """Closes the connections of this process."""
        if self._session is not None and self._pid == os.getpid():
            self._session.close()
        self._session = None

    def _exchange(
        self,
        call: Call,
        url: str,
        *,
        auth: AuthBase,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None,
        body: bytes | MultipartFile | None,
    ) -> Reply:
        limits = self._timeouts
        read_timeout = limits.read if call.method == "GET" else limits.write
        try:
            with (
                exchange(limits.whole, LARGEST_ANSWER),
                self._for_this_process().request(
                    call.method,
                    url,
                    params=params,
                    data=body,
                    headers=headers,
                    auth=auth,
                    timeout=(limits.connect, read_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                answer = b"".join(pieces(response, LARGEST_ANSWER))
                return Reply(response.status_code, response.headers, answer)
        except FAILURES as error:
            # `from None`: urllib3's exceptions carry the address with its numbers.
            raise unanswered(call, _cause(error), sent=_may_have_been_sent(error)) from None

    def _for_this_process(self) -> requests.Session:
        if self._session is None or self._pid != os.getpid():
            self._session, self._pid = new_session(proxies=True), os.getpid()
        return self._session


class Transport:
    """Fortnox's API for all companies: `call` is one request of one company."""

    def __init__(
        self,
        api_url: str,
        tokens: TokenSource,
        *,
        http: Http | None = None,
        before_request: BeforeRequest | None = None,
        on_write: OnWrite | None = None,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._tokens = tokens
        self._http = http or Http()
        self._before_request = before_request
        self._on_write = on_write
        self._ahead = timedelta(0)

    @property
    def now(self) -> datetime:
        """The time by Fortnox's clock (its answers' `Date`), which decides what it calls modified."""
        return datetime.now(UTC) + self._ahead

    def call(
        self,
        company: str,
        method: str,
        path: str,
        *numbers: str | int,
        params: Mapping[str, str] | None = None,
        body: Json | MultipartFile | None = None,
        decode: Callable[[Json], T],
        repeatable: bool | None = None,
        leave: int = 0,
    ) -> T:
        """Make one request. Returns what `decode` reads from the JSON (None for no body). Raises `FortnoxError`.

        `path` is a kind of path such as `/3/customers/{number}`, filled with the percent-encoded `numbers`. `decode`
        raises ValueError for what it cannot read. `repeatable`: doing it twice is the same as once (by default GET and
        PUT). `leave` is passed to the limiter.
        """
        request = Call(
            method,
            path,
            uuid.uuid4().hex[:16],
            method in {"GET", "PUT"} if repeatable is None else repeatable,
        )
        url = self._api_url + _filled(path, numbers)
        content, content_type = _encoded(body)
        headers = {
            "Accept": "application/json",
            "Content-Type": content_type,
            "Cache-Control": "no-store",
        }
        token = self._tokens.access_token(company)
        for renewed in (False, True):
            if self._before_request is not None:
                self._before_request(company, leave)
            if isinstance(content, MultipartFile):
                content.rewind()
            reply = self._http.send(
                company, request, url, auth=_Bearer(token), headers=headers, params=params, body=content
            )
            self._compare_clocks(reply)
            try:
                document = read(request, reply)
            except e.TokenRefused:
                if renewed:
                    raise
                token = self._tokens.renew(company, token)
            else:
                return _decoded(request, reply.status, document, decode)
            finally:
                if self._on_write is not None and method != "GET" and not isinstance(content, MultipartFile):
                    self._on_write(Write(method, path, reply.status, content or b"", reply.body))
        raise AssertionError("unreachable")

    def _compare_clocks(self, reply: Reply) -> None:
        told = _date(reply.headers.get("Date"))
        if told is None:
            return
        ahead = told - datetime.now(UTC)
        if abs(ahead) < CLOCKS_APART:
            self._ahead = ahead


class _Bearer(AuthBase):
    """The token. It is given as `auth`, because `requests` would let a .netrc entry replace a header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def json_bytes(document: Json) -> bytes:
    """Return JSON with exact `Decimal` numbers and dates in ISO 8601."""
    return simplejson.dumps(document, use_decimal=True, allow_nan=False, ensure_ascii=False, default=_iso).encode()


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (ValueError, OverflowError):
        return None


def _decoded(call: Call, status: int, document: Json, decode: Callable[[Json], T]) -> T:
    try:
        return decode(document)
    except ValueError as error:
        # `from None`: pydantic's error repeats the values.
        raise unreadable(call, status, f"The answer is not as expected ({type(error).__name__}).") from None


def _encoded(body: Json | MultipartFile | None) -> tuple[bytes | MultipartFile | None, str]:
    if isinstance(body, MultipartFile):
        return body, body.content_type
    # Actions are a PUT without a body but with the JSON content type; `{}` is refused.
    return (None if body is None else json_bytes(body)), "application/json"


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _filled(path: str, numbers: tuple[str | int, ...]) -> str:
    pieces = path.split("{number}")
    filled = pieces[0]
    for number, rest in zip(numbers, pieces[1:], strict=True):
        if str(number) in {"", ".", ".."}:  # would name another resource
            raise ValueError("a number in a path must not be empty, . or ..")
        filled += quote(str(number), safe="") + rest
    return filled


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and its causes, outermost first. `requests` and urllib3 keep them in several places."""
    chain: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseException) and one not in chain:
            chain.append(one)
            pending += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return chain


def _may_have_been_sent(error: BaseException) -> bool:
    """Whether a connection was made, so that the request may have arrived."""
    never = (NewConnectionError, ConnectTimeoutError, LocationParseError, ssl.SSLCertVerificationError)
    return not any(isinstance(one, never) for one in _chain(error))


def _cause(error: BaseException) -> str:
    """Return the innermost cause: the outer ones repeat the address."""
    inner = [one for one in _chain(error) if not isinstance(one, requests.RequestException)]
    root = next((one for one in reversed(inner) if isinstance(one, OSError)), None)
    return f"{type(error).__name__}" + (f": {type(root).__name__}: {root}" if root else "")
