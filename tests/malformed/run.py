"""Puts malformed things through each door beside good events, and counts what became of them.

A worker with two processes takes the messages and the stream; the same processes have to be there at the end.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
from pydantic import SecretStr

from delivery.services import Services
from fortnox.client import Fortnox
from fortnox.errors import FortnoxError
from fortnox.oauth import OAuth
from fortnox.transport import Http, Timeouts, Transport
from local.processes import ManagedProcess
from local.stack import Stack
from moment.api import MomentApi
from moment.errors import MomentError
from moment.events import InvalidEvent
from ordering.history import Filter, find
from stores.event_stream import STREAM, StreamEntry
from tests.malformed.answers import good_answer, malformed_answer
from tests.malformed.entries import malformed_entry
from tests.malformed.events import malformed_event
from tests.malformed.messages import QUEUE, good_message, malformed_message
from tests.unit.factories import customer_json
from tests.unkind import UnkindServer, unkind_server
from tests.waiting import wait_until
from worker.bootstrap import App, create_app
from worker.publish import publish

LOT = 50  # malformed ones between two good events
ODD, GOOD = "odd", "good"  # companies; only the second is connected
KEPT = 400_000  # bytes of a message that are kept


@dataclass
class Result:
    """What became of the variants of one door. The lists have the names of those that need somebody."""

    door: str
    accepted: int = 0
    refused: int = 0
    kept: int = 0
    lost: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # s from a good event's turn until it was accepted

    @property
    def good(self) -> bool:
        return not self.lost and not self.crashed

    def row(self) -> tuple[str, ...]:
        waits = sorted(self.waits) or [0.0]
        counts = (self.accepted, self.refused, self.kept, len(self.lost), len(self.crashed))
        return (self.door, *map(str, counts), f"{waits[len(waits) // 2]:.2f}", f"{waits[-1]:.2f}")


@dataclass
class Running:
    """The system that everything is put into."""

    stack: Stack
    app: App
    worker: ManagedProcess

    @property
    def services(self) -> Services:
        return self.app.services

    def pids(self) -> set[int]:
        """The worker and the processes of its pool."""
        return {child.pid for child in psutil.Process(self.worker.pid).children()} | {self.worker.pid}

    def log(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self.stack.logs.glob("worker*.log"))

    def healthy(self) -> bool:
        return not self.services.telemetry.threads.all_down() and self.worker.is_running


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    with Stack(directory, appendfsync="no") as stack:
        stack.start_services()
        worker = stack.start_worker(concurrency=2)
        app = create_app(stack.settings)
        yield Running(stack, app, worker)
        app.close()


def variants(door: str, count: int, seed: int, only: int | None = None) -> Iterator[tuple[str, str, Any]]:
    """Name, marker and content of each variant. `only`: this one alone."""
    make: Callable[[Random, str, str], tuple[str, Any]] = {
        "publish": malformed_event,
        "messages": malformed_message,
        "stream": malformed_entry,
    }[door]
    for number in range(count) if only is None else (only,):
        marker = f"{door[0]}{seed}x{number:06}"
        name, content = make(Random(f"{door} {seed} {number}"), marker, ODD)
        yield f"{door} --seed {seed} --only {number}: {name[:300]}", marker, content


def through_publish(system: Running, count: int, seed: int, only: int | None = None) -> Result:
    """`publish` in this process. What it accepts has to be in the log."""
    result, accepted = Result("publish"), {}
    for number, (name, _, raw) in enumerate(variants("publish", count, seed, only)):
        try:
            receipt = publish(raw, services=system.services)
            accepted[receipt.company, receipt.id] = name
        except InvalidEvent as error:
            result.refused += 1
            if not str(error):
                result.crashed.append(f"no reason: {name}")
        except Exception as error:  # noqa: BLE001 - that is the finding
            result.crashed.append(f"{type(error).__name__} in {name}")
        if number % LOT == 0:
            began = time.monotonic()
            publish(good(f"publish{seed}x{number}"), services=system.services)
            result.waits.append(time.monotonic() - began)
    for (company, event_id), name in accepted.items():
        if system.services.ordering.event(company, event_id) is None:
            result.lost.append(name)
    result.accepted = len(accepted)
    return result


def through_messages(system: Running, count: int, seed: int, only: int | None = None) -> Result:
    """Messages for `events.receive` in the broker's list, as any client of Redis may put them there."""

    def put(raw: bytes) -> None:
        system.services.redis.lpush(QUEUE, raw)

    def put_good(event: Any) -> None:
        put(good_message(event, event["id"]))

    return _taken(system, "messages", put, put_good, count, seed, only)


def through_stream(system: Running, count: int, seed: int, only: int | None = None) -> Result:
    """Entries of the stream."""

    def put(entry: Any) -> None:
        system.services.redis.xadd(STREAM, entry)

    return _taken(system, "stream", put, lambda event: put({b"event": json.dumps(event).encode()}), count, seed, only)


def _taken(
    system: Running,
    door: str,
    put: Callable[[Any], None],
    put_good: Callable[[Any], None],
    count: int,
    seed: int,
    only: int | None,
) -> Result:
    """Put all into a queue that a worker takes them from, in lots with a good event after each."""
    result, pids = Result(door), system.pids()
    given = list(variants(door, count, seed, only))
    for start in range(0, len(given), LOT):
        for _, _, content in given[start : start + LOT]:
            put(content)
        event = good(f"{door}{seed}x{start}")
        began = time.monotonic()
        put_good(event)
        wait_until(lambda event=event: system.services.ordering.event(GOOD, event["id"]), what="the good event")
        result.waits.append(time.monotonic() - began)
    wait_until(lambda: _is_empty(system), what="all to be taken")
    trace = Trace(system.services)
    for name, marker, content in given:
        found = trace.of(marker, content)
        if found == "":
            result.lost.append(name)
        elif found == "kept":
            result.kept += 1
        else:
            result.accepted += 1
    if system.pids() != pids:
        result.crashed.append(f"processes of the worker ended: {len(pids - system.pids())} of {len(pids)}")
    if not system.healthy():
        result.crashed.append("a background thread is down")
    if "Traceback" in system.log():
        result.crashed.append(f"a traceback in the worker's log: {system.log().partition('Traceback')[2][-600:]}")
    return result


def _is_empty(system: Running) -> bool:
    redis = system.services.redis
    return not (redis.llen(QUEUE) or redis.hlen("unacked") or redis.xlen(STREAM))


class Trace:
    """Finds what became of a variant: by its marker in any event, or by the digest of what arrived."""

    def __init__(self, services: Services) -> None:
        self._kept: set[str] = set()
        self._texts: dict[bool, list[str]] = {True: [], False: []}
        ordering = services.ordering
        for company in ordering.companies():
            for record in find(ordering, Filter(company)):
                is_kept = record.key.split("/")[1:2] == ["invalid"]
                body = ordering.body(company, record.id) or ""
                text = f"{record.id} {body} {record.reason.to_json()}"
                self._texts[is_kept].append(text.replace("\\u0000", "").replace("\x00", "").replace("\\\\x00", ""))
                if is_kept:
                    self._kept.add(record.id)
        self._all = {is_kept: "\n".join(texts) for is_kept, texts in self._texts.items()}

    def of(self, marker: str, content: Any) -> str:
        """ "kept", "accepted" or "" (lost)."""
        raw = StreamEntry(b"", content).event if isinstance(content, dict) else content
        texts = (raw, raw[:KEPT], json.dumps(raw.decode("utf-8", "replace"), ensure_ascii=False).encode())
        if marker in self._all[True] or any(_digest(text) in self._kept for text in texts):
            return "kept"
        return "accepted" if marker in self._all[False] else ""


def _digest(raw: bytes) -> str:
    return f"invalid-{hashlib.sha256(raw).hexdigest()[:16]}"


def through_answers(count: int, seed: int, only: int | None = None) -> Result:
    """Answers of Fortnox and Moment to our clients, each followed by a good one now and then."""
    result = Result("answers")
    with unkind_server() as server:
        clients = _clients(server)
        for number in range(count) if only is None else (only,):
            chance = Random(f"answers {seed} {number}")
            name, server.script = malformed_answer(chance)
            client, (ask, error) = chance.choice(list(clients.items()))
            try:
                ask()
                result.accepted += 1
            except error as raised:
                result.refused += 1
                if len(str(raised)) > 2_000:
                    result.crashed.append(f"a long error: {client} of answers --seed {seed} --only {number}: {name}")
            except Exception as raised:  # noqa: BLE001 - that is the finding
                about = f"{client} of answers --seed {seed} --only {number}: {name}"
                result.crashed.append(f"{type(raised).__name__} in {about}")
            if number % LOT == 0:
                began = time.monotonic()
                server.script = good_answer(b'{"Customer": {"CustomerNumber": "1", "Name": "A"}}')
                wait_until(lambda: _answered(*clients["customer"]), what="a good answer")
                result.waits.append(time.monotonic() - began)
    return result


def _answered(ask: Callable[[], object], error: type[Exception]) -> bool:
    """False where the server closed the connection just then: the engine tries again."""
    try:
        ask()
    except error:
        return False
    return True


class _Tokens:
    def access_token(self, company: str) -> str:
        return "token"

    def renew(self, company: str, rejected_token: str) -> str:
        return "token"


def _clients(server: UnkindServer) -> dict[str, tuple[Callable[[], object], type[Exception]]]:
    http = Http(Timeouts(whole=10.0))
    fortnox = Fortnox(Transport(server.url, _Tokens(), http=http), "acme")
    oauth = OAuth(server.url, "client", SecretStr("secret"), http=http)
    moment = MomentApi(f"{server.url}/api/1.0", SecretStr("key"), whole=10.0)
    return {
        "customer": (lambda: fortnox.customers.get("1"), FortnoxError),
        "invoice": (lambda: fortnox.invoices.get(1001), FortnoxError),
        "supplier invoices": (lambda: list(fortnox.supplier_invoices.list()), FortnoxError),
        "create": (lambda: fortnox.customers.create({"Name": "A"}), FortnoxError),
        "token": (lambda: oauth.refresh(SecretStr("token")), FortnoxError),
        "project": (lambda: moment.has_project("acme", "1"), MomentError),
        "expense": (lambda: moment.withdraw("acme", "fortnox:1:1"), MomentError),
    }


def good(event_id: str) -> dict[str, Any]:
    return customer_json(event_id=event_id, company=GOOD, customer_number=event_id[:40])


DOORS: dict[str, Callable[..., Result]] = {
    "publish": through_publish,
    "messages": through_messages,
    "stream": through_stream,
}
