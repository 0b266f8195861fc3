"""Faults: queued ones for tests that need one at a certain request, random ones for chaos tests.

Decides which fault applies. The application carries it out: it waits, answers or cuts the connection.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from sandbox.http import DRIPS, DROPPED, Answer, Call, Drip, Dripping, Dropped, Json, dump

Kind = Literal["fail_next", "fail_after_write", "drop_response_after_write", "drop_before", "delay", "drip"]
Body = Literal["json", "lowercase", "html", "text", "empty", "unauthorized", "oauth", "attachment", "raw"]

AFTER_WRITE: tuple[Kind, ...] = ("fail_after_write", "drop_response_after_write")


@dataclass(slots=True)
class Fault:
    """One queued fault: what happens, how often, and to which requests."""

    kind: Kind
    status: int = 500
    code: int | str = 1000003
    message: str = "System exception"
    count: int = 1
    skip: int = 0
    tenant: str | None = None
    method: str | None = None
    path: str | None = None
    body: Body = "json"
    content: str = ""  # the body of the answer where `body` is `raw`; `status` may be 200
    retry_after: int | None = None
    seconds: float = 1.0
    part: Drip = "head"

    def matches(self, call: Call, tenant: str | None) -> bool:
        if self.tenant is not None and self.tenant != tenant:
            return False
        if self.path is not None and not call.path.startswith(self.path):
            return False
        if self.method is None:
            return self.kind not in AFTER_WRITE or call.method != "GET"
        return self.method == call.method

    def answer(self) -> Answer:
        answer = Answer(self.status, b"", "application/json", code=self.code)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        if self.body == "empty":
            answer.content_type = ""
        elif self.body == "raw":
            answer.body = self.content.encode()
        elif self.body in ("html", "text"):
            answer.content_type = "text/html" if self.body == "html" else "text/plain"
            answer.body = f"<html><body><h1>{self.status}</h1></body></html>".encode()
        else:
            answer.body = dump(self._document())
        return answer

    def _document(self) -> Json:
        match self.body:
            case "lowercase":
                return {"ErrorInformation": {"error": 1, "message": self.message, "code": self.code}}
            case "unauthorized":
                return {"message": "unauthorized"}
            case "oauth":
                return {"error": str(self.code), "error_description": self.message}
            case "attachment":
                return {"error": str(self.code), "id": "0", "message": self.message}
            case _:
                return {"ErrorInformation": {"Error": 1, "Message": self.message, "Code": self.code}}


@dataclass(slots=True)
class Rates:
    """Random faults: the chance of each, drawn from one seeded generator."""

    dice: random.Random
    rates: Mapping[str, float]
    delay_seconds: float = 0.2
    tenant: str | None = None
    path: str | None = None
    retry_after: int | None = None

    def applies(self, call: Call, tenant: str | None) -> bool:
        if self.tenant is not None and self.tenant != tenant:
            return False
        if self.path is None:
            return not call.path.startswith("/oauth-v1")
        return call.path.startswith(self.path)

    def draws(self, name: str) -> bool:
        return self.dice.random() < self.rates.get(name, 0.0)


RATE_NAMES = ("drop_before", "drop_after", "fail_after", "delay")


@dataclass(slots=True)
class Before:
    """What precedes the handling of a request: a delay, and possibly an answer or a cut in its place."""

    delay: float = 0.0
    outcome: Answer | Dropped | None = None
    name: str | None = None


class Faults:
    def __init__(self) -> None:
        self.queue: list[Fault] = []
        self.rates: Rates | None = None

    def clear(self) -> None:
        self.queue.clear()
        self.rates = None

    def configure(self, document: Json) -> None:
        """Takes one fault, a list of faults, or `{"seed": …, "rates": {…}}`. Raises ValueError."""
        if isinstance(document, list):
            for one in document:
                self.configure(one)
        elif not isinstance(document, dict):
            raise ValueError("a fault is a JSON object")
        elif "rates" in document:
            self.rates = _rates(document)
        else:
            self.queue.append(_fault(document))

    def as_json(self) -> Json:
        queue = [{f.name: getattr(fault, f.name) for f in fields(Fault)} for fault in self.queue]
        return {"queue": queue, "rates": dict(self.rates.rates) if self.rates else {}}

    def before(self, call: Call, tenant: str | None) -> Before:
        found = Before()
        for fault in list(self.queue):
            if fault.kind in AFTER_WRITE or not fault.matches(call, tenant) or not self._due(fault):
                continue
            found.name = fault.kind
            if fault.kind == "delay":
                found.delay += fault.seconds
                continue
            if fault.kind == "drip":
                found.outcome = Dripping(fault.part, fault.seconds)
            else:
                found.outcome = DROPPED if fault.kind == "drop_before" else fault.answer()
            return found
        if self.rates is not None and self.rates.applies(call, tenant):
            self._draw_before(self.rates, found)
        return found

    def after(self, call: Call, tenant: str | None, status: int) -> tuple[Answer | Dropped, str] | None:
        """Return what replaces the answer of a request that took effect. A refused request keeps its answer."""
        if status >= 300:
            return None
        for fault in self.queue:
            if fault.kind in AFTER_WRITE and fault.matches(call, tenant) and self._due(fault):
                dropped = fault.kind == "drop_response_after_write"
                return (DROPPED if dropped else fault.answer()), fault.kind
        rates = self.rates
        if rates is not None and rates.applies(call, tenant):
            if rates.draws("drop_after"):
                return DROPPED, "random drop_after"
            if rates.draws("fail_after"):
                return Fault("fail_after_write").answer(), "random fail_after"
        return None

    def _due(self, fault: Fault) -> bool:
        if fault.skip > 0:
            fault.skip -= 1
            return False
        fault.count -= 1
        if fault.count <= 0:
            self.queue = [other for other in self.queue if other is not fault]
        return True

    def _draw_before(self, rates: Rates, found: Before) -> None:
        if rates.draws("delay"):
            found.delay += rates.delay_seconds
            found.name = "random delay"
        if rates.draws("drop_before"):
            found.outcome, found.name = DROPPED, "random drop_before"
            return
        for name in rates.rates:
            if name.isdecimal() and rates.draws(name):
                fault = Fault("fail_next", status=int(name), retry_after=rates.retry_after)
                if name == "429":
                    fault.code, fault.message = "429", "Too Many Requests"
                found.outcome, found.name = fault.answer(), f"random {name}"
                return


def _fault(document: Mapping[str, Json]) -> Fault:
    known = {f.name for f in fields(Fault)}
    unknown = set(document) - known
    if unknown:
        raise ValueError(f"unknown in a fault: {', '.join(sorted(unknown))}")
    if document.get("kind") not in get_args(Kind):
        raise ValueError(f"kind is one of {', '.join(get_args(Kind))}")
    if document.get("body", "json") not in get_args(Body):
        raise ValueError(f"body is one of {', '.join(get_args(Body))}")
    if document.get("part", "head") not in DRIPS:
        raise ValueError(f"part is one of {', '.join(DRIPS)}")
    given = dict(document)
    if "seconds" in given:
        given["seconds"] = float(given["seconds"])
    return Fault(**given)


def _rates(document: Mapping[str, Json]) -> Rates:
    rates: dict[str, float] = {}
    delay_seconds = 0.2
    for name, value in document["rates"].items():
        if name not in RATE_NAMES and not name.isdecimal():
            raise ValueError(f"a rate is a status code or one of {', '.join(RATE_NAMES)}")
        if isinstance(value, dict):
            delay_seconds = float(value.get("seconds", delay_seconds))
            value = value["rate"]
        rates[name] = float(value)
    return Rates(
        random.Random(document.get("seed")),
        rates,
        delay_seconds,
        document.get("tenant"),
        document.get("path"),
        document.get("retry_after"),
    )
