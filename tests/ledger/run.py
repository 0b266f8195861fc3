"""One run: a plan published to real workers, a Fortnox and a Moment that fail, and an operator without patience.

Back-off and rest are as in production. What shortens them is what an operator can do: twice a second, each event that
waits for its next attempt is retried (`moment-fortnox events retry`) and each resting company resumed. Steps, leases,
looks and the rate limit are untouched.
"""

import base64
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests

from local import wait_until
from local.stack import Stack
from messages.catalogue import say
from tests.ledger import check
from tests.ledger.plan import Company, documents, plan
from tests.unit.factories import integration_json
from worker.bootstrap import App, create_app
from worker.publish import publish

# About 30 % of all requests, each with one of these. After a write: its answer is lost, or is an error.
FORTNOX_RATES = {
    "drop_before": 0.08,
    "500": 0.04,
    "502": 0.04,
    "429": 0.03,
    "401": 0.02,
    "delay": {"rate": 0.03, "seconds": 0.3},
    "drop_after": 0.09,
    "fail_after": 0.06,
}
MOMENT_RATES = {"drop_before": 0.03, "503": 0.05, "drop_after": 0.02}
LEAST_FAULTY = 25.0  # percent of Fortnox's requests; a run with fewer faults proves less than it says
GAVE_UP = "It was tried"  # after a day's worth of attempts; this operator lets them pass in minutes


@dataclass
class Report:
    seed: int
    invoices: int
    credit_notes: int
    companies: int
    files: int
    requests: int = 0
    faulty_percent: float = 0.0
    knobs: int = 0
    orphans: int = 0
    orphans_logged: int = 0
    retried_by_hand: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = asdict(self)
        wrong = figures.pop("broken")
        lines = [f"{name.replace('_', ' '):<18}{value:>12}" for name, value in figures.items()]
        return "\n".join([*lines, "broken" if wrong else "nothing is broken", *wrong])


def run(count: int, seed: int, directory: Path, *, say: Callable[[str], object] = lambda line: None) -> Report:
    with Stack(directory) as stack:
        stack.start_services()
        stack.environment["LOG_FORMAT"] = "json"
        companies = plan(count, seed, stack.sandbox.moment)
        everything = [document for _, document in documents(companies)]
        credit_notes = sum(document.total < 0 for document in everything)
        files = sum(len(document.files) for document in everything)
        report = Report(seed, count - credit_notes, credit_notes, len(companies), files)
        report.knobs = sum(len(company.settings) + len(company.card) for company in companies)
        app = create_app(stack.settings)
        _prepare(stack, companies, seed)
        stack.start_worker()
        began = time.monotonic()
        _publish(stack, app, companies)
        _drain(app, companies, report, say, timeout=120 + count * 2)
        report.seconds = round(time.monotonic() - began, 1)
        _look(stack, app, companies, report)
    return report


def _prepare(stack: Stack, companies: list[Company], seed: int) -> None:
    moment = f"{stack.sandbox.moment}/_sandbox"
    with requests.Session() as session:
        for company in companies:
            for file in company.shelf:
                content = base64.b64encode(file.content).decode()
                body = {"company": company.name, "name": file.name, "content_base64": content}
                session.post(
                    f"{moment}/files", json=body | ({"status": 404} if file.gone else {}), timeout=30
                ).raise_for_status()
        session.post(f"{moment}/faults", json={"seed": seed, "rates": MOMENT_RATES}, timeout=30).raise_for_status()
    stack.sandbox.post("faults", {"seed": seed, "rates": FORTNOX_RATES, "retry_after": 1})


def _publish(stack: Stack, app: App, companies: list[Company]) -> None:
    for company in companies:
        _enter(stack, company)
        code = stack.sandbox.code(company.name)
        enabled = integration_json(company=company.name, event_id="enabled", authorization_code=code)
        for event in (enabled, *company.masters, *(document.event for document in company.documents)):
            publish(event, services=app.services)


def _enter(stack: Stack, company: Company) -> None:
    """Make the company's ledger, with what people have entered there before."""
    stack.sandbox.tenant(company.name, **company.settings)
    if company.card:
        stack.sandbox.post("registers", {"tenant": company.name, "cost_centers": ["MA"]})
        stack.sandbox.post("projects", {"tenant": company.name, "number": "1", "Description": "Ombyggnad"})
        for number in "12":
            stack.sandbox.customer(company.name, number, Name="Skånska Bygg AB", **company.card)


def _drain(app: App, companies: list[Company], report: Report, say: Callable[[str], object], timeout: float) -> None:
    ordering = app.services.ordering
    settings = {company.name: company.settings for company in companies}
    open_ = {*settings}

    def nothing_left() -> bool:
        for name in sorted(open_):
            counts = ordering.counts(name)
            left = sum(counts[status] for status in ("waiting", "ready", "running", "retrying", "held"))
            _hurry(app, name, report, settings[name], retrying=counts["retrying"], failed=counts["failed"])
            if not left and not counts["failed"]:
                open_.discard(name)
        done = sum(ordering.counts(company.name)["done"] for company in companies)
        say(f"{done} events done, {len(open_)} companies under way")
        return not open_ or bool(report.broken)

    wait_until(nothing_left, what="every event to be done", timeout=timeout, interval=0.5)


def _hurry(app: App, name: str, report: Report, settings: dict[str, Any], *, retrying: int, failed: int) -> None:
    ordering = app.services.ordering
    if ordering.resting(name):
        ordering.resume(name)
    waiting = [event for event in ordering.unsettled(name) if event.status == "retrying"] if retrying else []
    given_up = list(ordering.failed(name)) if failed else []
    for event in (*waiting, *given_up):
        if event.status == "failed" and GAVE_UP not in say(event.reason):
            report.broken.append(f"{name} {event.id} failed: {say(event.reason)}; it has {settings}")
            return
        report.retried_by_hand += 1
        ordering.retry(name, event.id)


def _look(stack: Stack, app: App, companies: list[Company], report: Report) -> None:
    logged = _lost_uploads(stack.logs / "worker.log")
    for company in companies:
        reasons = {}
        for document in company.documents:
            event = app.services.ordering.event(company.name, document.event["id"])
            if event is not None and event.status == "done":
                reasons[event.id] = say(event.reason)
        ledger = stack.sandbox.state(company.name)
        report.orphans += len(ledger["orphans"])
        wrong = check.broken(company, ledger, reasons, logged[company.name])
        report.broken += wrong + (
            [f"{company.name} has {company.settings}, cards {company.card}"] if wrong and company.settings else []
        )
    report.orphans_logged = sum(map(len, logged.values()))
    counted = stack.sandbox.get("requests/count", by="fault")
    report.requests = counted["total"]
    report.faulty_percent = round(100 * (1 - counted["counts"][""] / counted["total"]), 1)
    if report.faulty_percent < LEAST_FAULTY:
        report.broken.append(f"only {report.faulty_percent} % of the requests met a fault")


def _lost_uploads(log: Path) -> dict[str, list[str]]:
    """The digests that the log names, by company."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in log.read_text().splitlines():
        if '"invoice.orphan_upload"' in line:
            entry: dict[str, Any] = json.loads(line)
            found[entry["company"]].append(entry.get("sha256", ""))  # "": its worker did not live to see the answer
    return found


def to_stderr(line: str) -> None:
    sys.stderr.write(f"\r\033[K{line}")
    sys.stderr.flush()
