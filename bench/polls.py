"""The cost of polling supplier invoices: `python -m bench.polls round` and `python -m bench.polls activation`.

round: a thousand companies, one in a hundred with a change, polled by a real beat and worker. The interval is short, so
that rounds follow each other; the cost of a round is compared with the ten minutes between rounds in production.
activation: the first activation of a company with many supplier invoices, whose worker is killed on the way.
Exit status 1 when a target is missed.
"""

import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console

from delivery.polling import POLL_ID
from local import wait_until
from local.processes import ManagedProcess
from local.stack import Stack
from worker.bootstrap import App, create_app
from worker.publish import publish

TEN_MINUTES = 600.0
out = Console(highlight=False, soft_wrap=True)
SHARE = 0.10  # of one worker, in ten minutes
LATENCY = 0.1  # seconds that Fortnox takes for each request in the round's second half
ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1"}
POLLED = repr("done")  # what a poll's task returns


class Watch(threading.Thread):
    """Counts the polls that ended and the seconds that the worker's processes spent on them and on beat's tasks."""

    def __init__(self, app: App) -> None:
        super().__init__(daemon=True)
        self._app = app
        self.polls = 0
        self.busy = 0.0
        self.start()

    def run(self) -> None:
        with suppress(OSError, RedisError), self._app.connection_for_read() as connection:  # until Redis is stopped
            receiver = self._app.events.Receiver(connection, handlers={"task-succeeded": self._note})
            receiver.capture(limit=None, timeout=None, wakeup=False)

    def _note(self, event: dict[str, Any]) -> None:
        self.polls += event["result"] == POLLED
        self.busy += event["runtime"]


def main() -> int:
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="bench-polls-") as directory:
        return int(not (a_round if wanted.what == "round" else an_activation)(Path(directory), wanted))


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m bench.polls", description=__doc__)
    parser.add_argument("what", choices=("round", "activation"))
    parser.add_argument("--companies", type=int, default=1000)
    parser.add_argument("--changed", type=float, default=0.01, help="the share of companies with a change")
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--interval", type=int, default=60, help="seconds between two polls of a company")
    parser.add_argument("--rate", default="2000/1", help="requests/seconds to Fortnox; 24/5 is the real one")
    parser.add_argument("--seconds", type=float, default=3600, help="stop an activation after so long")
    return parser.parse_args()


def connect(app: App, stack: Stack, company: str) -> None:
    stack.sandbox.tenant(company)
    stack.sandbox.moment_project(company, "1")
    stack.sandbox.post("projects", {"tenant": company, "number": "1", "StartDate": "2026-01-01"})
    integration = {
        "authorizationCode": stack.sandbox.code(company),
        "serviceAccount": True,
        "errorEmail": "a@b.example",
        "expenses": {"enabled": True, "accountNumbers": ["4010"]},
    }
    publish(
        {
            "id": "on",
            "company": company,
            "type": "integration.enabled",
            "occurredAt": "2026-11-22T08:00:00Z",
            "integration": integration,
        },
        services=app.services,
    )


# A round


def a_round(directory: Path, wanted: Namespace) -> bool:
    with Stack(directory, options={"EXPENSE_POLL_INTERVAL": str(wanted.interval)}) as stack:
        stack.start_services()
        stack.sandbox.post("options", {"code_seconds": 3600, "rate_limit_enabled": False})
        app = create_app(stack.settings)
        worker = stack.start_worker(concurrency=2)
        names = [f"company-{n}" for n in range(wanted.companies)]
        for name in names:
            connect(app, stack, name)
        wait_until(lambda: _polled(app, names), what="the first poll of every company", timeout=900, interval=1)
        stack.start_beat()
        watch = Watch(app)
        quick = [one_round(stack, watch, worker, wanted, names, changed) for changed in (0.0, wanted.changed)]
        stack.sandbox.post("options", {"latency_seconds": LATENCY})
        slow = one_round(stack, watch, worker, wanted, names, wanted.changed)
    (idle, changed), companies = quick, wanted.companies
    out.print(f"{companies} companies, polled every {wanted.interval} s by one worker of two processes")
    for name, found in (("idle", idle), ("changed", changed), (f"changed, {LATENCY:g} s a request", slow)):
        out.print(
            f"{name:24} {found['polls']:6.0f} polls  {found['cpu'] / found['polls'] * 1000:6.1f} ms CPU and "
            f"{found['busy'] / found['polls'] * 1000:6.1f} ms of a process for each"
        )
    shares = {
        "CPU of one core": companies * changed["cpu"] / changed["polls"] / TEN_MINUTES,
        "of one worker (two processes)": companies * changed["busy"] / changed["polls"] / TEN_MINUTES / 2,
    }
    slow_share = companies * slow["busy"] / slow["polls"] / TEN_MINUTES / 2
    for name, share in shares.items():
        out.print(f"a round in ten minutes uses {share:.1%} {name} (target: < {SHARE:.0%}): {_met(share < SHARE)}")
    out.print(f"with {LATENCY:g} s a request it occupies {slow_share:.1%} of one worker (waiting, mostly)")
    return all(share < SHARE for share in shares.values())


def one_round(
    stack: Stack, watch: Watch, worker: ManagedProcess, wanted: Namespace, names: list[str], changed: float
) -> dict[str, float]:
    """Measure the polls of two intervals: CPU of the whole worker, and seconds that its processes were busy."""
    some = names[:: round(1 / changed)] if changed else []
    before, polls, busy, started = _cpu(worker), watch.polls, watch.busy, time.monotonic()
    while time.monotonic() < started + 2 * wanted.interval:
        began = time.monotonic()
        for name in some:
            stack.sandbox.supplier_invoice(name, ROW)
        time.sleep(max(0.0, wanted.interval - (time.monotonic() - began)))
    return {"polls": watch.polls - polls, "busy": watch.busy - busy, "cpu": _cpu(worker) - before}


def _polled(app: App, names: list[str]) -> bool:
    return all(
        app.services.stores.expenses(name).cursor and app.services.ordering.event(name, POLL_ID) is None
        for name in names
    )


def _cpu(process: ManagedProcess) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _tree(process))


def _tree(process: ManagedProcess) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


# A first activation


def an_activation(directory: Path, wanted: Namespace) -> bool:
    options = {"FORTNOX_RATE_LIMIT": wanted.rate, "LEASE_SECONDS": "5"}
    with Stack(directory, options=options) as stack:
        stack.start_services()
        stack.sandbox.post("options", {"rate_limit_enabled": wanted.rate == "24/5"})
        stack.sandbox.tenant("acme")
        invoice = {"SupplierName": "Virke AB", "InvoiceNumber": "F-7", "InvoiceDate": "2026-11-02"}
        rows = {"invoice": invoice | {"SupplierInvoiceRows": [ROW]}, "booked": True}
        for at in range(0, wanted.invoices, 1000):
            copies = min(1000, wanted.invoices - at) - 1
            stack.sandbox.post("supplierinvoices", {"tenant": "acme", "copies": copies, **rows})
        app = create_app(stack.settings)
        worker = stack.start_worker("worker-1", concurrency=1)
        stack.start_beat()
        connect(app, stack, "acme")
        started, killed, most, least = time.monotonic(), False, 0, 0
        redis: Any = Redis.from_url(stack.environment["REDIS_URL"])
        memory = int(redis.info("memory")["used_memory"])
        while (left := _left(app, wanted.invoices)) and time.monotonic() - started < wanted.seconds:
            stood = app.services.stores.expenses("acme").summary()
            if int(time.monotonic() - started) % 5 == 0:
                out.print(f"{time.monotonic() - started:6.0f} s: {left} left, {stood['listing'] or 'listed'}")
            if left < wanted.invoices / 2 and not killed:
                worker.kill()
                worker, killed, least = stack.start_worker("worker-2", concurrency=1), True, 0
            rss = max(one.memory_info().rss for one in _tree(worker))
            most, least = max(most, rss), least or rss
            time.sleep(1)
        seconds, sent = time.monotonic() - started, wanted.invoices - left
        grown = int(redis.info("memory")["used_memory"]) - memory
        expenses = stack.sandbox.expenses("acme")
        doubled = [name for name, one in expenses.items() if one["writes"] != {"POST": 1, "PUT": 0}]
    pace = sent / seconds
    out.print(f"{sent} of {wanted.invoices} supplier invoices in {seconds:.0f} s, {pace:.1f} a second at {wanted.rate}")
    out.print(
        f"at the real limit, less what is left to transfers (18 in 5 s): {wanted.invoices / 3.6 / 60:.0f} minutes"
    )
    out.print(f"worker: {least / 1e6:.0f} MB at first, at most {most / 1e6:.0f} MB; Redis {grown / 1e6:.1f} MB more")
    right = bool(left) or (len(expenses) == wanted.invoices and not doubled)
    out.print(
        f"expenses {len(expenses)}, written twice {len(doubled)}, a worker killed on the way: {killed}: {_met(right)}"
    )
    return right


def _left(app: App, invoices: int) -> int:
    summary = app.services.stores.expenses("acme").summary()
    return invoices - int(summary["supplierInvoicesSent"])


def _met(right: bool) -> str:
    return "met" if right else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
