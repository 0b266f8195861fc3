"""How much of Fortnox's rate limit real workers use: one company's invoices with files."""

import tempfile
import time
from pathlib import Path

import requests

from bench.environment import DATA
from bench.result import Row, Section, at_most
from bench.rounds import Bench, say
from local import wait_until
from local.stack import Stack
from tests.unit.factories import an_attachment, customer_json, integration_json, invoice_json, project_json
from worker.bootstrap import App, create_app
from worker.publish import publish

COMPANY, FILES, PROCESSES = "acme", 2, 8
REQUESTS_EACH = 2 + FILES + 1


def at_the_rate_limit(bench: Bench) -> list[Section]:
    invoices = bench.size(100, 12)
    say("  ours, run 1")
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="invoices-", dir=DATA) as directory, Stack(Path(directory)) as stack:
        stack.start_services()
        app = create_app(stack.settings)
        _get_ready(stack, app)
        before = _requests(stack)
        took = _seconds_for(stack, app, invoices)
        made = _requests(stack) - before
        refused = stack.sandbox.get("requests/count", tenant=COMPANY, by="status")["counts"].get("429", 0)
    dictated = _dictated(invoices * REQUESTS_EACH, *stack.settings.fortnox_rate_limit)
    over = 100 * (took / dictated - 1) if dictated else float("nan")
    figures = {
        "s": took,
        "s by the limit alone": dictated,
        "over, %": over,
        "requests": float(made),
        "of them 429": float(refused),
    }
    limit = stack.settings.fortnox_rate_limit
    title = (
        f"{invoices} invoices with {FILES} files each of one company at {limit.requests} requests in {limit.seconds} s"
    )
    section = Section("R", title, [Row("ours", figures, 1)])
    return [
        section.with_targets(
            at_most("within 5 % of the time that the limit alone dictates", over, 5, " %"),
            at_most(f"{REQUESTS_EACH} requests for each invoice", made / invoices, REQUESTS_EACH),
            at_most("none refused", refused, 0),
        )
    ]


def _dictated(requests: int, most: int, seconds: int) -> float:
    """Seconds between the first and the last of so many requests, as the rate limit dictates."""
    return (requests - 1) // most * float(seconds)


def _get_ready(stack: Stack, app: App) -> None:
    """Connect the company, create its customer and project, and wait until the limiter's window is empty."""
    sandbox = stack.sandbox
    sandbox.tenant(COMPANY)
    enabled = integration_json(company=COMPANY, event_id="enabled", authorization_code=sandbox.code(COMPANY))
    for event in (enabled, customer_json(company=COMPANY), project_json(company=COMPANY)):
        publish(event, services=app.services)
    for number in range(FILES):
        file = {"company": COMPANY, "name": f"{number}.pdf", "size": 100_000}
        requests.post(f"{sandbox.moment}/_sandbox/files", json=file, timeout=10).raise_for_status()
    stack.start_worker(concurrency=PROCESSES)
    _wait_done(app, 3, timeout=60)
    idle_at = time.monotonic() + stack.settings.fortnox_rate_limit.seconds
    wait_until(lambda: time.monotonic() > idle_at, what="the window to be empty", timeout=60)


def _seconds_for(stack: Stack, app: App, invoices: int) -> float:
    at = f"{stack.sandbox.moment}/api/1.0/companies/{COMPANY}/files"
    files = [an_attachment(file_name=f"{number}.pdf", url=f"{at}/{number}.pdf") for number in range(FILES)]
    began = time.monotonic()
    for number in range(invoices):
        publish(
            invoice_json(company=COMPANY, event_id=f"i{number}", invoice_number=1 + number, attachments=files),
            services=app.services,
        )
    _wait_done(app, 3 + invoices, timeout=300)
    return time.monotonic() - began


def _wait_done(app: App, events: int, timeout: float) -> None:
    counts = app.services.ordering.counts
    wait_until(lambda: counts(COMPANY)["done"] == events, what=f"{events} events", timeout=timeout)


def _requests(stack: Stack) -> int:
    counted = stack.sandbox.get("requests/count", tenant=COMPANY)["counts"]
    return sum(count for kind, count in counted.items() if "/oauth" not in kind)
