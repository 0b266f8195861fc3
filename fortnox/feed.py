"""Fortnox's feed of changes: one WebSocket for all companies. Commands, answers and events; no decisions, no retries.

    with FeedConnection(url) as feed:
        feed.add_tenants(secret, tokens)
        feed.add_topics({"customers": None})
        feed.subscribe()
        event = feed.next(timeout=1.0)

An event is a hint that something changed, never the data. Reading is tolerant: a message that is not understood is
counted (`on_odd`) and left out. Sources: https://www.fortnox.se/developer/guides-and-good-to-know/websockets for the
events, clients that run against the real service for the commands. docs/feed.md lists what is assumed.
"""

import json
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

PING_EVERY: Final = 20.0  # seconds; an idle limit is not published, clients that live with the feed use 30
PONG_WITHIN: Final = 20.0  # seconds until a socket that answers no ping counts as lost
OPEN_WITHIN: Final = 10.0
ANSWER_WITHIN: Final = 30.0
LOOK_EVERY: Final = 1.0  # seconds between two calls of `alive` while an answer is awaited
LARGEST: Final = 16_000_000  # bytes of a message: the list of all tenants
LONGEST: Final = 200  # characters of an entity's number, an offset or a type

# The library logs frames, in which tokens and the client secret are, and an error for each socket that is lost.
QUIET: Final = logging.getLogger("fortnox.feed.socket")
QUIET.setLevel(logging.CRITICAL + 1)

BEARER: Final = "Bearer "
TYPE: Final = re.compile(r"([a-z]+(?:-[a-z]+)*)-([a-z]+)-v\d+")

# The kinds of things that events are about, by the topic that is subscribed for each.
TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "invoices": ("invoice", "invoicepayment"),
    "supplier-invoices": ("supplier-invoice",),
    "customers": ("customer",),
    "projects": ("project",),
    "suppliers": ("supplier",),
    "cost-centers": ("cost-center",),
    "financial-years": ("financial-year", "account"),
}
KINDS: Final = frozenset(kind for kinds in TOPICS.values() for kind in kinds)
VERBS: Final = frozenset({"created", "updated", "deleted", "cancelled", "bookkeep"})


class FeedLost(Exception):
    """The feed cannot be reached, refuses us, or has closed. `why` is one of a few words."""

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why, code)
        self.why = why
        self.code = code

    def __str__(self) -> str:
        return f"{self.why} (close code {self.code})" if self.code else self.why


class FeedEvent(NamedTuple):
    """Something changed. `kind` and `verb` are of its type: `customer-updated-v2` is a `customer` and `updated`."""

    topic: str
    offset: str
    kind: str
    verb: str
    tenant_id: int
    number: str
    at: datetime | None

    @property
    def known(self) -> bool:
        """Whether the system has a use for events of this type."""
        return self.kind in KINDS and self.verb in VERBS


class FeedAnswer(NamedTuple):
    """The answer to a command. `tenants` maps the tokens, as they were sent, to tenant ids."""

    command: str
    ok: bool
    tenants: Mapping[str, int] = {}
    tenant_ids: tuple[int, ...] = ()
    invalid_tokens: tuple[str, ...] = ()
    invalid_topics: tuple[str, ...] = ()


class Odd(NamedTuple):
    """A message that is not understood. `why` is one of a few words, for a metric."""

    why: str


class Joined(NamedTuple):
    """Which of some access tokens the feed took, with their tenant ids (None: it did not say), and which it refused."""

    tenants: Mapping[str, int | None]
    refused: tuple[str, ...]


def read_message(text: object) -> FeedEvent | FeedAnswer | Odd:
    """Read a message of the feed. Pure. Never raises."""
    try:
        document = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return Odd("not JSON")
    if not isinstance(document, dict):
        return Odd("not an object")
    if isinstance(document.get("response"), str):
        return _answer(document)
    return _event(document) if "topic" in document else Odd("neither event nor answer")


def _answer(document: Mapping[str, Any]) -> FeedAnswer:
    ids, removed = document.get("tenantIds"), document.get("tenants")
    tenants = {str(token): number for token, one in _items(ids) if (number := _whole(one)) is not None}
    listed = ids if isinstance(ids, list) else removed if isinstance(removed, list) else []
    return FeedAnswer(
        command=document["response"][:LONGEST],
        ok=document.get("result") == "ok",
        tenants=tenants,
        tenant_ids=tuple(number for one in listed if (number := _whole(one)) is not None),
        invalid_tokens=_texts(document.get("invalidTokens")),
        invalid_topics=_texts(document.get("invalidTopics")),
    )


def _event(document: Mapping[str, Any]) -> FeedEvent | Odd:
    topic, type_, offset = (document.get(name) for name in ("topic", "type", "offset"))
    tenant_id, number = _whole(document.get("tenantId")), _number(document)
    if not all(isinstance(one, str) and len(one) <= LONGEST for one in (topic, type_, offset)):
        return Odd("event without topic, type or offset")
    if tenant_id is None:
        return Odd("event without tenant")
    found = TYPE.fullmatch(str(type_))
    kind, verb = found.groups() if found else ("", "")
    return FeedEvent(str(topic), str(offset), kind, verb, tenant_id, number, _time(document.get("timestamp")))


def _number(document: Mapping[str, Any]) -> str:
    """The number of the thing; "" where the event has none that could be one, and could stand in an address."""
    value = document.get("entityId", document.get("id"))
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if text.isprintable() and len(text) <= LONGEST and text.strip(".") else ""


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else None


def _items(value: object) -> Iterable[tuple[object, object]]:
    return value.items() if isinstance(value, dict) else ()


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None


class FeedConnection:
    """One socket. Every method raises `FeedLost` where the feed is gone.

    `alive` is called at least every second while an answer is awaited, and may raise.
    """

    def __init__(
        self,
        url: str,
        *,
        alive: Callable[[], None] = lambda: None,
        on_odd: Callable[[str], None] = lambda why: None,
        proxies: bool = True,
        ping_every: float = PING_EVERY,
        pong_within: float = PONG_WITHIN,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        self._alive = alive
        self._on_odd = on_odd
        self._answer_within = answer_within
        self._came_meanwhile: deque[FeedEvent | FeedAnswer] = deque()
        self._socket = _open(url, proxies, ping_every, pong_within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def add_tenants(self, secret: str, tokens: Sequence[str]) -> Joined:
        """Add the companies of these access tokens, or give tenants that were added before newer tokens.

        A list of which the feed refuses a part is asked for again without it; where it does not say which, in halves.
        """
        answer = self.ask(
            "add-tenants-v1",
            includeChildTenants=False,
            clientSecret=secret,
            accessTokens=[BEARER + token for token in tokens],
        )
        named = {token.removeprefix(BEARER): number for token, number in answer.tenants.items()}
        joined: dict[str, int | None] = {token: named[token] for token in tokens if token in named}
        invalid = {token.removeprefix(BEARER) for token in answer.invalid_tokens} & set(tokens)
        if answer.ok and not joined and not invalid:
            return Joined(dict.fromkeys(tokens), ())  # it does not say which tenants they are
        if answer.ok:
            return Joined(joined, tuple(token for token in tokens if token not in joined))
        rest = [token for token in tokens if token not in joined and token not in invalid]
        if not invalid and len(rest) == len(tokens):
            if len(tokens) == 1:
                return Joined({}, tuple(tokens))
            parts = [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
        else:
            parts = [rest] if rest else []
        found = [self.add_tenants(secret, part) for part in parts]
        for one in found:
            joined |= one.tenants
        return Joined(joined, (*invalid, *(token for one in found for token in one.refused)))

    def add_topics(self, offsets: Mapping[str, str | None]) -> Mapping[str, str | None]:
        """Ask for these topics, each from after its offset (None: from now on). Return those that the feed took.

        A topic that is refused is asked for without its offset, which may be too old, and then left out.
        """
        answer = self.ask("add-topics-v1", topics=[_topic(topic, offset) for topic, offset in offsets.items()])
        if answer.ok:
            return dict(offsets)
        refused = set(answer.invalid_topics) & set(offsets)
        again = {topic: None if topic in refused else offset for topic, offset in offsets.items()}
        again = {topic: offset for topic, offset in again.items() if topic not in refused or offsets[topic]}
        if not refused and any(offsets.values()):
            again = dict.fromkeys(offsets)
        elif not refused:
            again = dict(list(offsets.items())[: len(offsets) - 1])  # the last is the most doubtful one
        return self.add_topics(again) if again else {}

    def subscribe(self) -> None:
        if not self.ask("subscribe-v1").ok:
            raise FeedLost("subscription refused")

    def tenants(self) -> frozenset[int]:
        """The ids of the tenants that were added."""
        return frozenset(self.ask("list-tenants-v1").tenant_ids)

    def remove_tenants(self, tenant_ids: Sequence[int]) -> None:
        self.ask("remove-tenants-v1", tenants=list(tenant_ids))

    def ask(self, command: str, **fields: Any) -> FeedAnswer:
        """Send a command and wait for its answer. Events that come meanwhile are kept for `next`."""
        try:
            self._socket.send(json.dumps({"command": command, **fields}))
        except ConnectionClosed as closed:
            raise _closed(closed) from None
        deadline = time.monotonic() + self._answer_within
        while (left := deadline - time.monotonic()) > 0:
            message = self._receive(min(left, LOOK_EVERY))
            self._alive()
            if isinstance(message, FeedAnswer) and message.command == command:
                return message
            if message is not None:
                self._came_meanwhile.append(message)
        raise FeedLost("no answer")

    def next(self, timeout: float) -> FeedEvent | FeedAnswer | None:
        """The next event, or an answer that nobody asked for. None where none comes in so many seconds."""
        if self._came_meanwhile:
            return self._came_meanwhile.popleft()
        return self._receive(timeout)

    def _receive(self, timeout: float) -> FeedEvent | FeedAnswer | None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                text = self._socket.recv(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return None
            except ConnectionClosed as closed:
                raise _closed(closed) from None
            message = read_message(text)
            if not isinstance(message, Odd):
                return message
            self._on_odd(message.why)


def _topic(topic: str, offset: str | None) -> dict[str, str]:
    return {"topic": topic} if offset is None else {"topic": topic, "offset": offset}


def _open(url: str, proxies: bool, ping_every: float, pong_within: float) -> ClientConnection:
    try:
        return connect(
            url,
            legacy=True,  # returns the connection, rather than one that connects again by itself
            proxy=True if proxies else None,
            open_timeout=OPEN_WITHIN,
            ping_interval=ping_every,
            ping_timeout=pong_within,
            close_timeout=1.0,
            max_size=LARGEST,
            max_queue=256,
            logger=QUIET,
        )
    except TimeoutError:
        raise FeedLost("no connection") from None
    except OSError:
        raise FeedLost("no connection") from None
    except WebSocketException:
        raise FeedLost("handshake refused") from None


def _closed(closed: ConnectionClosed) -> FeedLost:
    code = closed.rcvd.code if closed.rcvd is not None else None
    return FeedLost("closed" if code is not None else "broken off", code)
