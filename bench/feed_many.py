"""One listener for very many companies: `python -m bench.feed_many`.

How long it takes until all companies are on the feed; what that takes of memory and processor; and whether it keeps up
with a stream of events. The sandbox sends; Redis is a real one. Exit status 1 when a target is missed.
"""

import logging
import multiprocessing
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil
import structlog
from rich.console import Console

from bench.environment import DATA
from delivery.feed.listener import FeedListener
from delivery.services import Services
from delivery.tokens import to_tokens
from local.sandbox import Addresses, Sandbox
from local.stack import Stack
from moment.events import Integration
from stores import Connection
from stores.feed import Hint
from worker.bootstrap import create_app

BATCH = 20  # events of one call of the sandbox's control
PATIENCE = 600.0  # seconds until all companies have to be on the feed
out = Console(highlight=False, soft_wrap=True)


def main() -> int:
    quiet()
    wanted = arguments()
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="feed-", dir=DATA) as directory:
        return int(not measure(Path(directory), wanted))


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m bench.feed_many", description=__doc__)
    parser.add_argument("--companies", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=200, help="events a second")
    parser.add_argument("--seconds", type=float, default=300)
    return parser.parse_args()


def quiet() -> None:
    """No log line for each token."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def measure(directory: Path, wanted: Namespace) -> bool:
    with Stack(directory, appendfsync="no", feed=True) as stack:
        stack.start_services()
        services = create_app(stack.settings).services
        began = time.monotonic()
        names = [f"company-{n:05}" for n in range(wanted.companies)]
        for name in names:
            _connect(services, stack.sandbox, name)
        out.print(f"{wanted.companies:,} companies connected in {time.monotonic() - began:.0f} s")
        return _listen(stack, services, names, wanted)


def _connect(services: Services, sandbox: Sandbox, name: str) -> None:
    """Connect the company, without the event and the checks that a worker makes."""
    sandbox.tenant(name)
    grant = services.fortnox.oauth.exchange_code(sandbox.code(name), company=name)
    connection = Connection(
        company=name,
        state="connected",
        tenant_id=grant.tenant_id,
        integration=Integration(service_account=True),
        connected_at=datetime.now(UTC),
    )
    services.redis.sadd(f"{services.ordering.prefix}companies", name)
    services.stores.connections.begin(connection, to_tokens(grant))


def _listen(stack: Stack, services: Services, names: list[str], wanted: Namespace) -> bool:
    process = psutil.Process()
    memory, cpu, began = process.memory_info().rss, _cpu(process), time.monotonic()
    listener, stopped = FeedListener(services, "bench"), threading.Event()
    thread = threading.Thread(target=_steps, args=(listener, stopped), daemon=True)
    thread.start()
    while not _subscribed(services, len(names)):
        if time.monotonic() - began > PATIENCE:
            out.print("not subscribed")
            return False
        time.sleep(0.1)
    took, memory, cpu = time.monotonic() - began, process.memory_info().rss - memory, _cpu(process) - cpu
    out.print(f"all subscribed after {took:.1f} s; {memory / 1e6:.0f} MB more, {cpu:.1f} s of processor")
    sender = multiprocessing.get_context("spawn").Process(
        target=send, args=(stack.sandbox.addresses, names, wanted.rate, wanted.seconds)
    )
    cpu, began = _cpu(process), time.monotonic()
    sender.start()
    sender.join()
    time.sleep(3)
    share = (_cpu(process) - cpu) / (time.monotonic() - began)
    stopped.set()
    thread.join(60)
    return _judge(services, wanted, share, process.memory_info().rss)


def _steps(listener: FeedListener, stopped: threading.Event) -> None:
    while not stopped.wait(listener.step()):
        pass
    listener.close()


def _subscribed(services: Services, companies: int) -> bool:
    state = services.feed.state()
    return state is not None and state.connected and state.companies == companies


def send(addresses: Addresses, names: list[str], rate: int, seconds: float) -> None:
    """Make events at this rate, in a process of its own."""
    began, sent = time.monotonic(), 0
    with Sandbox(addresses) as sandbox:
        while (passed := time.monotonic() - began) < seconds:
            if sent >= passed * rate:
                time.sleep(0.005)
                continue
            event = {"topic": "customers", "type": "customer-updated-v2"}
            events = [{**event, "tenant": names[(sent + n) % len(names)], "entityId": sent + n} for n in range(BATCH)]
            sandbox.post("feed/events", {"events": events})
            sent += BATCH


def _judge(services: Services, wanted: Namespace, share: float, memory: int) -> bool:
    hints = [Hint.from_json(text) for text in services.feed.waiting(10_000_000)]
    lags = [(hint.received - hint.at) / timedelta(seconds=1) for hint in hints]
    tenth = max(1, len(lags) // 10)
    first, last = median(lags[:tenth]), median(lags[-tenth:])
    expected = int(wanted.rate * wanted.seconds)
    out.print(
        f"{len(hints):,} of about {expected:,} events at {wanted.rate}/s: {share:.0%} of a core, "
        f"{memory / 1e6:.0f} MB in all; lag {first:.3f} s at first, {last:.3f} s at the end, at most {max(lags):.3f} s"
    )
    met = len(hints) >= 0.98 * expected and last < max(1.0, 2 * first)
    out.print(f"no event is lost and the lag does not grow: {'met' if met else 'MISSED'}")
    return met


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    sys.exit(main())
