"""One chaos run from start to end: connect the companies, let everything fail, drain, look."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from fortnox.errors import FortnoxError
from local import DeadlineExceeded, wait_until
from messages.catalogue import say
from ordering import UNSETTLED
from ordering.queries import OUTCOMES
from stores.connections import NeverConnected
from stores.event_stream import STREAM
from tests.chaos.checker import Fate, check, to_writes
from tests.chaos.cluster import Cluster
from tests.chaos.nemesis import Nemesis
from tests.chaos.options import Options
from tests.chaos.producers import Attempts, Entrances, Producer, producers
from tests.chaos.report import Report
from tests.chaos.speed import back_to_speed
from tests.chaos.watch import Watch
from tests.chaos.workload import companies, workload
from tests.unit import factories
from worker.bootstrap import App, create_app
from worker.publish import publish

IMPATIENT = 20.0  # seconds of draining after which what waits for its next attempt is let go


def run(options: Options, directory: Path, *, say_progress: bool = False) -> Report:
    """Runs it all in this directory. Everything that it started has ended when it returns or raises."""
    with Cluster(directory, options) as cluster:
        cluster.start()
        app = create_app(cluster.settings)
        try:
            return _Run(options, cluster, app, say_progress).run()
        finally:
            app.close()
            app.services.redis.close()


class _Run:
    def __init__(self, options: Options, cluster: Cluster, app: App, say_progress: bool) -> None:
        self._options = options
        self._cluster = cluster
        self._app = app
        self._ordering = app.services.ordering
        self._companies = companies(options)
        self._attempts = Attempts()
        self._say_progress = say_progress
        self._published_until = 0.0

    def run(self) -> Report:
        self._connect()
        nemesis, watch, entrances = (
            Nemesis(self._cluster, self._options),
            Watch(self._cluster),
            Entrances(self._app),
        )
        threads = producers(workload(self._options), entrances, self._attempts, self._options)
        self._cluster.sandbox.post("faults", {"seed": self._options.seed, "rates": self._options.fault_rates()})
        watch.start()
        try:
            nemesis.start()
            for thread in threads:
                thread.start()
            self._produce(threads, nemesis)
            nemesis.end()
            self._cluster.sandbox.delete("faults")
            drained_in = self._drain(watch)
        finally:
            for thread in threads:
                thread.end()
            nemesis.end()
            watch.end()
            entrances.close()
        self._cluster.check()
        return self._report(nemesis, watch, drained_in)

    def _connect(self) -> None:
        """Every company has a ledger and a connection, before anything fails."""
        if self._options.token_seconds:
            self._cluster.sandbox.post("options", {"access_token_seconds": self._options.token_seconds})
        for company in self._companies:
            service = not self._options.token_seconds
            code = self._cluster.sandbox.code(company, service=service)
            publish(
                factories.integration_json(
                    event_id="enabled",
                    company=company,
                    authorization_code=code,
                    service_account=service,
                    error_email=f"ekonomi@{company}.example",
                ),
                services=self._app.services,
            )
        wait_until(self._all_settled, what="the companies to be connected", timeout=180, interval=0.2)

    def _produce(self, threads: list[Producer], nemesis: Nemesis) -> None:
        started = time.monotonic()
        longest = self._options.seconds + 180 + 20 * self._options.failovers  # a producer may wait for Redis
        deadline = started + longest
        said = started
        while (
            any(thread.is_alive() for thread in threads)
            or time.monotonic() < started + self._options.seconds
            or not nemesis.is_through
        ):
            if any(thread.is_alive() for thread in threads):
                self._published_until = time.time()
            for error in (nemesis.error, *(thread.error for thread in threads)):
                if error is not None:
                    raise error
            if time.monotonic() > deadline:
                raise DeadlineExceeded("the producers to end", longest)
            if time.monotonic() - said > 10:
                said = time.monotonic()
                damage = nemesis.damage
                self._say(
                    f"{said - started:4.0f} s: {self._attempts.published()} published, {damage.kills} kills, "
                    f"{damage.stops} stops, {damage.redis_restarts} Redis restarts, {len(damage.failovers)} fail-overs"
                )
            time.sleep(0.1)

    def _drain(self, watch: Watch) -> float:
        """Waits until nothing is under way; what is then left is for the checker to say. Returns the seconds."""
        started = time.monotonic()
        let_go = False
        while time.monotonic() < started + self._options.drain:
            if self._is_drained() and not watch.outstanding:
                break
            if not let_go and time.monotonic() > started + IMPATIENT:
                let_go = True
                self._let_go()
            time.sleep(0.25)
        self._say(f"drained in {time.monotonic() - started:.0f} s")
        return time.monotonic() - started

    def _let_go(self) -> None:
        """As an operator would who knows that Fortnox is well again: `events retry`, `companies resume`."""
        for company in self._companies:
            self._ordering.resume(company)
            for record in self._ordering.unsettled(company):
                if record.status == "retrying":
                    self._ordering.retry(company, record.id)

    def _is_drained(self) -> bool:
        redis = self._app.services.redis
        return not redis.xlen(STREAM) and not redis.llen("events") and self._all_settled()

    def _all_settled(self) -> bool:
        counts = (self._ordering.counts(company) for company in self._companies)
        return not any(count[status] for count in counts for status in UNSETTLED if status != "held")

    def _report(self, nemesis: Nemesis, watch: Watch, drained_in: float) -> Report:
        tried = self._attempts.all()
        fates = {}
        for attempt in tried:
            record = self._ordering.event(attempt.step.company, attempt.step.id)
            if record is not None:
                fates[attempt.step.company, attempt.step.id] = Fate(record.status, say(record.reason), record.code)
        lines = (json.loads(line) for line in self._cluster.record.read_text(encoding="utf-8").splitlines())
        ledgers = {company: self._cluster.sandbox.state(company) for company in self._companies}
        by_status = self._cluster.sandbox.get("requests/count", by="status")
        answered = sum(number for status, number in by_status["counts"].items() if status.startswith("2"))
        return Report(
            options=self._options,
            findings=check(self._attempts.by_company, fates, list(to_writes(lines)), ledgers),
            damage=nemesis.damage,
            recoveries=watch.recoveries,
            keys=len({(one.step.company, one.step.kind, one.step.number) for one in tried}),
            own_ends=[end for worker in self._cluster.workers for end in worker.own_ends],
            requests=by_status["total"],
            faulty_requests=by_status["total"] - answered,
            claims=int(self._app.services.redis.get("mf:fences") or 0),  # type: ignore[arg-type]
            drained_in=drained_in,
            lost_tokens=self._lost_tokens(),
            speed=back_to_speed(self._while_published(nemesis), self._settled()),
        )

    def _while_published(self, nemesis: Nemesis) -> list[float]:
        """When the fail-overs began after which events were published for long enough to tell the speed."""
        last = self._published_until - self._options.speed_limit
        return [one.began for one in nemesis.damage.failovers if one.began < last]

    def _lost_tokens(self) -> list[str]:
        """The companies whose connection does not renew any more."""
        if not self._options.token_seconds:
            return []
        with capture_logs():
            return [company for company in self._companies if not self._renews(company)]

    def _renews(self, company: str) -> bool:
        try:
            self._app.services.fortnox.tokens.keep_alive(company)
        except (FortnoxError, NeverConnected):
            return False
        return self._ordering.paused(company) is None

    def _settled(self) -> list[float]:
        """When events settled, in seconds since the epoch, by the stream of outcomes."""
        found: Any = self._app.services.redis.xrange(OUTCOMES)
        return [int(entry.partition("-")[0]) / 1000 for entry, _ in found]

    def _say(self, line: str) -> None:
        if self._say_progress:
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - a person waits for minutes
