"""Fills a running system with connected companies and a log of settled events, and says what each part takes of Redis.

The engine's own Lua files the log; the stores write the rest.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis import Redis

from bench.log import BATCH, seed
from bench.result import Row
from bench.rounds import say
from delivery.services import Services
from local import wait_until
from local.sandbox import Sandbox
from local.stack import Stack
from mappers.expense_changes import Sent
from moment.events import Integration
from ordering.queries import PREFIX
from stores import Connection, Tokens
from stores.timeline import TimelineEntry
from tasks.flows import SCOPES

SENT, LINKS = 10, 10  # of each company: supplier invoices that became expenses, customers in Fortnox
THREADS: Final = 4
TIMELINES: Final = """
for i = tonumber(ARGV[2]), ARGV[2] + ARGV[3] - 1 do
  local name = KEYS[1] .. 'timeline:company' .. (i % ARGV[1]) .. ':event-' .. i
  redis.call('RPUSH', name, unpack(ARGV, 4))
  redis.call('PEXPIRE', name, 7776000000)
end
"""


@dataclass
class Filling:
    """So many companies, and so many events of all of them."""

    stack: Stack
    services: Services
    companies: int
    events: int

    @property
    def redis(self) -> Redis:
        return self.services.redis

    def names(self) -> list[str]:
        return [f"company{n}" for n in range(self.companies)]

    def fill(self) -> list[Row]:
        """Fill Redis, and say what each part takes."""
        self.redis.config_set("appendfsync", "no")
        self.redis.config_set("auto-aof-rewrite-percentage", 0)
        parts: list[tuple[str, int, Callable[[], object]]] = [
            ("an event in the log", self.events, self._file_events),
            ("its timeline, of a transfer with 2 requests", self.events, self._file_timelines),
            ("a connection with its tokens", self.companies, self._connect),
            (f"what is known of {LINKS} customers", self.companies, self._link),
            (f"{SENT} expenses in Moment, and timetables", self.companies, self._send_expenses),
        ]
        rows = []
        for part, number, act in parts:
            say(f"  {number:,} × {part}")
            before, began = self._memory(), time.monotonic()
            act()
            taken = self._memory() - before
            figures = {"number": float(number), "bytes each": taken / number, "MB": taken / 1e6}
            rows.append(Row(part, figures | {"seconds to fill": time.monotonic() - began}, 1))
        rows.append(Row("all of it", {"MB": self._memory() / 1e6}, 1))
        rows.append(
            Row("a company with its share of the log", {"bytes each": self._memory() / self.companies}, 1),
        )
        return rows

    def _memory(self) -> int:
        found: Any = self.redis.info("memory")
        return int(found["used_memory"])

    def _file_events(self) -> None:
        seed(self.stack.settings.redis_url.get_secret_value(), self.events, self.companies)
        while reports := self.services.ordering.unreported(1000):
            self.services.ordering.reported(*reports)

    def _file_timelines(self) -> None:
        now, timeline = datetime.now(UTC), self.services.telemetry.timeline
        request = {"method": "POST", "path": "/3/invoices", "status": 201, "ms": 180, "request": "8f14e45fceea167a"}
        entries = [
            TimelineEntry(now, "claimed", {"attempt": 1, "worker": "worker@0a1b2c3d4e5f/1234"}),
            *(TimelineEntry(now, "request", request) for _ in range(2)),
            TimelineEntry(now, "done", {"document": "1001"}),
        ]
        for entry in entries:
            timeline.add("sample", "sample", entry)
        lines: Any = self.redis.lrange(f"{PREFIX}timeline:sample:sample", 0, -1)
        file = self.redis.register_script(TIMELINES)
        for first in range(0, self.events, BATCH):
            file(keys=[PREFIX], args=[self.companies, first, min(BATCH, self.events - first), *lines])

    def _connect(self) -> None:
        self._side_by_side(self._connect_some)

    def _connect_some(self, companies: list[str]) -> None:
        expenses = {"enabled": True, "accountNumbers": ["4010"]}
        with Sandbox(self.stack.sandbox.addresses) as sandbox:
            for company in companies:
                tenant = sandbox.tenant(company)
                grant = self.services.fortnox.oauth.exchange_code(sandbox.code(company, scopes=" ".join(SCOPES)))
                connection = Connection(
                    company=company,
                    state="connected",
                    tenant_id=tenant["tenantId"],
                    integration=Integration.model_validate(
                        {"errorEmail": f"ekonomi@{company}.example", "serviceAccount": True, "expenses": expenses}
                    ),
                    connected_at=datetime.now(UTC),
                    scopes=tuple(SCOPES),
                    ledger="Skånska Bygg AB 556677-8899",
                )
                tokens = Tokens(access_token=grant.access_token, lifetime=timedelta(hours=1))
                self.services.stores.connections.begin(connection, tokens)

    def _link(self) -> None:
        self._side_by_side(self._link_some)

    def _link_some(self, companies: list[str]) -> None:
        fields = ", ".join(f'"Field{n}": "{n:016x}"' for n in range(14))
        for company in companies:
            ledger = self.services.stores.connections.ledger(company)
            links, names = self.services.stores.links(company, ledger), self.services.stores.names
            for number in range(10_000, 10_000 + LINKS):
                links.remember("customer", str(number), "{" + fields + "}")
                names.remember(company, str(number), "Skånska Bygg AB")

    def _send_expenses(self) -> None:
        self._side_by_side(self._send_some)

    def _send_some(self, companies: list[str]) -> None:
        now = datetime.now(UTC)
        for company in companies:
            ledger = self.services.stores.connections.ledger(company)
            assert ledger is not None
            self.services.stores.ledgers.enter(company, ledger)
            store = self.services.stores.ledgers.store(company, ledger)
            for number in range(SENT):
                store.record_sent(str(number), {2: Sent("0123456789abcdef"), 3: Sent("0123456789abcdef")})
            self.services.polling.polls.add(company, now)
            self.services.polling.nights.add(company, now)

    def _side_by_side(self, act: Callable[[list[str]], object]) -> None:
        """Act for all companies, in four threads."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(act, [self.names()[part::THREADS] for part in range(THREADS)]))

    def restart(self) -> Row:
        """Write the append-only file anew, stop Redis as a crash would, and start it."""
        say("  the append-only file is written anew, and Redis starts again")
        began = time.monotonic()
        self.redis.bgrewriteaof()
        wait_until(lambda: not self._info("persistence")["aof_rewrite_in_progress"], what="the rewrite", timeout=300)
        rewritten, fork = time.monotonic() - began, self._info("stats")["latest_fork_usec"] / 1000
        size = self._info("persistence")["aof_current_size"] / 1e6
        self.stack._redis.kill()
        began = time.monotonic()
        self.stack._redis.start(timeout=300)
        loaded = time.monotonic() - began
        self.redis.config_set("slowlog-log-slower-than", 1000)
        figures = {"file, MB": size, "rewrite, s": rewritten, "fork, ms": fork, "start, s": loaded}
        return Row("append-only file", figures, 1)

    def _info(self, section: str) -> dict[str, Any]:
        found: Any = self.redis.info(section)
        return dict(found)
