"""The HTTP that all stand-ins share: `Call` in, `Answer` out, and a router. No state.

Handlers are plain functions from a `Call` to an `Answer`. They never await, and the server runs them
on one thread: a request is therefore atomic, and a ledger needs no locks.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

Json: TypeAlias = Any  # a decoded JSON document; its shape is checked where it is used

T = TypeVar("T")


class Dropped:
    """Returned in place of an answer: cut the connection."""

    async def perform(self, scope: Scope, receive: Receive) -> None:
        await cut_connection(scope, receive)


DROPPED = Dropped()

Drip = Literal["head", "continues", "body"]
DRIPS: dict[Drip, tuple[bytes, bytes]] = {  # what is sent once, and what then comes every `seconds`
    "head": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b" "),
}


@dataclass(frozen=True, slots=True)
class Dripping(Dropped):
    """An answer that never ends, a few bytes every `seconds`, until the client goes away."""

    part: Drip
    seconds: float

    async def perform(self, scope: Scope, receive: Receive) -> None:
        transport = scope["state"]["transport"]
        once, again = DRIPS[self.part]
        transport.write(once)
        while not transport.is_closing():
            transport.write(again)
            await asyncio.sleep(self.seconds)
        await cut_connection(scope, receive)


@dataclass(slots=True)
class Upload:
    """One file of a multipart body."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class Call:
    """One complete request."""

    method: str
    path: str
    segments: list[str]
    query: list[tuple[str, str]]
    headers: Headers
    body: bytes
    params: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    received: str = ""  # when, by the sandbox's clock; for the request log

    def argument(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)

    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Answer:
    """One response. `code` is the API's own error code, for the request log."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    code: int | str | None = None


Handler: TypeAlias = Callable[[Call], Answer]


def _encode(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"cannot be sent as JSON: {type(value).__name__}")


def dump(document: Json) -> bytes:
    """JSON as bytes; a Decimal becomes a JSON number, as Fortnox writes money."""
    return json.dumps(document, default=_encode, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def load(body: bytes) -> Json:
    """JSON from bytes, fractions as Decimal. Raises ValueError for anything that is not JSON."""
    return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)


def answer_json(document: Json, status: int = 200, *, content_type: str = "application/json") -> Answer:
    return Answer(status, dump(document), content_type)


def answer_html(page: str, status: int = 200) -> Answer:
    return Answer(status, page.encode(), "text/html; charset=utf-8")


def answer_error(status: int, message: str) -> Answer:
    """The answer of a control endpoint to a request it does not understand."""
    return answer_json({"error": message}, status)


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    template: str
    params: dict[str, str]
    target: T


class Router(Generic[T]):
    """Finds the handler of a method and a path. Templates have names in braces: `/3/customers/{number}`."""

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        self._root: dict[str, Any] = {}
        for method, template, target in routes:
            node = self._root
            names = []
            for segment in filter(None, template.split("/")):
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    segment = "{}"
                node = node.setdefault(segment, {})
            node.setdefault("", {})[method] = (template, names, target)

    def find(self, method: str, segments: list[str]) -> Match[T] | int:
        """The handler of the call, or 404 or 405 if there is none."""
        node = self._root
        values = []
        for segment in segments:
            if segment in node:
                node = node[segment]
            elif "{}" in node:
                values.append(segment)
                node = node["{}"]
            else:
                return 404
        served = node.get("")
        if served is None:
            return 404
        if method not in served:
            return 405
        template, names, target = served[method]
        return Match(template, dict(zip(names, values, strict=True)), target)


async def read_call(scope: Scope, receive: Receive) -> Call | None:
    """The complete request, or None if the client left before sending all of it."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    raw_path = scope.get("raw_path") or scope["path"].encode()
    segments = [unquote(part) for part in raw_path.decode("latin-1").split("/") if part]
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Call(scope["method"], scope["path"], segments, query, Headers(raw=scope["headers"]), b"".join(chunks))


async def send_answer(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    if not answer.content_type:
        del headers[0]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def cut_connection(scope: Scope, receive: Receive) -> None:
    """Close the TCP connection without an answer. `serving.py` puts the transport into the scope."""
    scope["state"]["transport"].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
