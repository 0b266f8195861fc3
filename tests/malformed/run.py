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
import requests
from pydantic import SecretStr

from config.settings import RateLimit
from delivery.services import Services, build_services
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
from stores.producer_keys import EVERY
from tests.browsing import running_console
from tests.malformed.answers import good_answer, malformed_answer
from tests.malformed.entries import malformed_entry
from tests.malformed.events import malformed_event
from tests.malformed.messages import QUEUE, good_message, malformed_message
from tests.malformed.proxy import Proxy, running_proxy
from tests.malformed.requests import malformed_request
from tests.unit.factories import customer_json, integration_json
from tests.unkind import UnkindServer, unkind_server
from tests.waiting import wait_until
from worker.bootstrap import App, create_app
from worker.publish import publish

LOT = 50  # malformed ones between two good events
SPOILT_COMPANIES = 10  # whose transfers get malformed answers
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
    waits: list[float] = field(default_factory=list)  # s from a good event's turn until it was in Fortnox

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
    proxy: Proxy

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
    with running_proxy() as proxy, Stack(directory, appendfsync="no", options={"FORTNOX_API_URL": proxy.url}) as stack:
        stack.start_services()
        proxy.fortnox = stack.sandbox.fortnox
        worker = stack.start_worker(concurrency=2)
        app = create_app(stack.settings)
        system = Running(stack, app, worker, proxy)
        _connected(system, GOOD)
        yield system
        app.close()


def variants(door: str, count: int, seed: int, only: int | None = None) -> Iterator[tuple[str, str, Any]]:
    """Name, marker and content of each variant. `only`: this one alone."""
    make: Callable[[Random, str, str], tuple[str, Any]] = {
        "publish": malformed_event,
        "messages": malformed_message,
        "stream": malformed_entry,
        "http": malformed_request,
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
            event = good(f"publish{seed}x{number}")
            publish(event, services=system.services)
            wait_until(lambda event=event: _is_done(system, GOOD, event["id"]), what="the good event")
            result.waits.append(time.monotonic() - began)
    for (company, event_id), name in accepted.items():
        if system.services.ordering.event(company, event_id) is None:
            result.lost.append(name)
    result.accepted = len(accepted)
    return result


def through_http(system: Running, count: int, seed: int, only: int | None = None) -> Result:
    """Requests to the HTTP door. What it answers with 202 has to be in the log; all else is refused with a reason."""
    result, accepted = Result("http"), []
    limit = {"api_rate_limit": RateLimit(1_000_000, 1)}
    services = build_services(system.services.settings.model_copy(update=limit))
    key = services.stores.producer_keys.make(f"malformed{seed}", [EVERY]) or ""
    with running_console(services) as address, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {key}"
        url = f"{address}/api/v1/events"
        for number, (name, marker, (headers, body)) in enumerate(variants("http", count, seed, only)):
            answer = http.post(url, data=body, headers=headers, timeout=60)
            if answer.status_code == 202:
                accepted.append((name, marker, body))
            elif 400 <= answer.status_code < 500 and all(one["message"] for one in answer.json()["errors"]):
                result.refused += 1
            else:
                result.crashed.append(f"{answer.status_code} for {name}")
            if number % LOT == 0:
                began = time.monotonic()
                event = good(f"http{seed}x{number}")
                assert http.post(url, json=event, timeout=60).status_code == 202
                wait_until(lambda event=event: _is_done(system, GOOD, event["id"]), what="the good event")
                result.waits.append(time.monotonic() - began)
    trace = Trace(system.services)
    result.lost = [name for name, marker, body in accepted if trace.of(marker, body) != "accepted"]
    result.accepted = len(accepted)
    if not system.healthy():
        result.crashed.append("a background thread is down")
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
        wait_until(lambda event=event: _is_done(system, GOOD, event["id"]), what="the good event")
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
    result.crashed += _ended(system, pids)
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


def through_transfers(system: Running, count: int, seed: int, only: int | None = None) -> Result:
    """Answers of Fortnox to transfers of some companies, while another company's are answered truly.

    Each request reaches the ledger; its answer is spoilt. Afterwards every customer has to be there, as Moment has it.
    """
    result, pids = Result("transfers"), system.pids()
    companies = [f"odd{seed}x{number}" for number in range(SPOILT_COMPANIES)]
    fine = f"fine{seed}"
    system.proxy.odd = {_connected(system, company) for company in companies}
    _connected(system, fine)
    system.proxy.spoil(seed, *((0, count) if only is None else (only, 1)))
    numbers = iter(range(100_000))
    given: list[tuple[str, str]] = []
    while system.proxy.left:
        lot = [(company, f"e{next(numbers)}") for company in companies for _ in range(4)]
        given += lot
        for company, event_id in lot:
            _publish_customer(system, company, event_id)
        good_id = f"g{next(numbers)}"
        began = time.monotonic()
        _publish_customer(system, fine, good_id)
        wait_until(lambda: _is_done(system, fine, good_id), what="the good event")  # noqa: B023 - waited for here
        result.waits.append(time.monotonic() - began)
        wait_until(lambda: system.proxy.left == 0 or _hurried(system, companies), what="the answers to be taken")
    wait_until(lambda: _hurried(system, companies), what="every event to be done", interval=0.1)
    ledgers = {company: _customers(system, company) for company in companies}
    result.lost = [
        f"transfers --seed {seed}: {company} {event_id}"
        for company, event_id in given
        if ledgers[company].get(event_id) != f"Name of {event_id}"
    ]
    result.accepted = len(system.proxy.names)
    result.crashed += _ended(system, pids)
    return result


def _connected(system: Running, company: str) -> int:
    """Connect the company; the tenant id of its ledger."""
    sandbox = system.stack.sandbox
    sandbox.tenant(company)
    enabled = integration_json(
        company=company,
        event_id="enabled",
        authorization_code=sandbox.code(company),
        expenses={"enabled": False, "accountNumbers": [], "billableByDefault": True, "fromDate": None},
    )
    publish(enabled, services=system.services)
    wait_until(lambda: _is_done(system, company, "enabled"), what=f"{company} to be connected")
    return int(sandbox.state(company)["tenantId"])


def _customers(system: Running, company: str) -> dict[str, str]:
    """The names in the company's ledger by number."""
    return {one["CustomerNumber"]: one["Name"] for one in system.stack.sandbox.state(company)["customers"]}


def _publish_customer(system: Running, company: str, event_id: str) -> None:
    event = customer_json(
        company=company, event_id=event_id, customer_number=event_id, name=f"Name of {event_id}", email=None
    )
    publish(event, services=system.services)


def _is_done(system: Running, company: str, event_id: str) -> bool:
    record = system.services.ordering.event(company, event_id)
    return record is not None and record.status == "done"


def _hurried(system: Running, companies: list[str]) -> bool:
    """Whether all events of these companies are done; those that wait or failed are tried again now."""
    ordering, left = system.services.ordering, 0
    for company in companies:
        if ordering.resting(company):
            ordering.resume(company)
        for record in [*ordering.unsettled(company), *ordering.failed(company)]:
            left += 1
            if record.status in ("retrying", "failed", "held"):
                ordering.retry(company, record.id)
    return not left


def _ended(system: Running, pids: set[int]) -> Iterator[str]:
    """What ended that should not have."""
    if system.pids() != pids:
        yield f"processes of the worker ended: {len(pids - system.pids())} of {len(pids)}"
    if not system.healthy():
        yield "a background thread is down"
    if "Traceback" in (log := system.log()):
        yield f"a traceback in the worker's log: {log.partition('Traceback')[2][:1500]}"


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
    "http": through_http,
    "transfers": through_transfers,
}
