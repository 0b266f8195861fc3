"""The metrics, in Prometheus' text format: read from Redis when asked, so they are right with any number of processes.

Every metric is described in `docs/operations.md`. Labels are few and known, but for `company`: at most
`SHOWN_COMPANIES` companies that have something to show are named; the totals hold all of them.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from config.celery import QUEUES
from fortnox.limiter import Limiter
from mails.outages import due
from ordering import CompanyState
from ordering.engine import STATUSES, UNDER_WAY
from stores.counters import BEYOND, SECONDS
from stores.mails import MailState
from worker.bootstrap import REPORT_SCHEDULE, App
from worker.heartbeat import beat_age
from worker.stream import STREAM

PREFIX: Final = "moment_fortnox_"
SHOWN_COMPANIES: Final = 200

Counted = dict[tuple[str, ...], int]


class MetricsCollector(Collector):
    """Reads everything at each scrape. A Redis that does not answer is a metric too."""

    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(f"{PREFIX}up", "1 when Redis answered all questions of this scrape.")
        try:
            metrics = list(self._read())
        except RedisError:
            metrics = []
        up.add_metric([], float(bool(metrics)))
        yield from [up, *metrics]

    def _read(self) -> Iterator[Metric]:
        services = self._app.services
        now = datetime.now(UTC)
        names = services.ordering.companies()
        states = services.ordering.states(names)
        yield from of_counters(services.telemetry.counters.read())
        yield from of_events(states, now)
        yield from of_companies(states, services.stores.connections.states(names))
        yield from self._of_progress()
        yield from self._of_rate(names)
        polled = sorted(
            name for name in services.polling.polls.companies() if name not in states or states[name].paused is None
        )
        yield from of_polls(services.redis, polled, now)

    def _of_progress(self) -> Iterator[Metric]:
        services = self._app.services
        ages: dict[str, timedelta | None] = dict(services.telemetry.heartbeats.ages())
        ages["beat"] = beat_age(self._app, REPORT_SCHEDULE)
        yield gauge(
            "tick_age_seconds",
            "Since each part last showed that it moves: pump, beat, worker (of the transfers), mail, polls.",
            ("part",),
            (((part,), age.total_seconds()) for part, age in sorted(ages.items()) if age is not None),
        )
        yield gauge(
            "overdue_seconds",
            "How long what is due has not been moved on.",
            value=services.ordering.overdue().total_seconds(),
        )
        with services.redis.pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                pipeline.llen(queue)
            pipeline.exists(STREAM)
            pipeline.xlen(STREAM)
            pipeline.zcard(f"{services.ordering.prefix}reports")
            pipeline.zcount(f"{services.ordering.prefix}mail:due", "-inf", round(time.time() * 1000))
            *lengths, _, entries, reports, mails_due = pipeline.execute()
        now = round(time.time() * 1000)
        outages_due = sum(due(outage) <= now for outage in MailState(services.redis).outages().values())
        yield gauge(
            "queue_messages",
            "Messages in a Celery queue.",
            ("queue",),
            (((q,), n) for q, n in zip(QUEUES, lengths, strict=True)),
        )
        yield gauge("stream_entries", "Entries of the stream door that are not admitted yet.", value=entries)
        yield gauge(
            "reports_waiting", "What is due to be told, and was not yet.", value=reports + mails_due + outages_due
        )

    def _of_rate(self, names: list[str]) -> Iterator[Metric]:
        services = self._app.services
        limiter = Limiter(services.redis, services.settings.fortnox_rate_limit)
        used = limiter.used(names)
        yield gauge(
            "fortnox_rate_used_ratio_max",
            "Share of its rate to Fortnox that the busiest company has used.",
            value=max(used.values(), default=0.0),
        )
        yield gauge(
            "fortnox_rate_used_ratio",
            "Share of its rate to Fortnox that a company has used, of those that used any.",
            ("company",),
            (((name,), share) for name, share in most(used) if share),
        )


def registry(app: App) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(MetricsCollector(app))
    return registry


def of_counters(counted: Counted) -> Iterator[Metric]:
    """What was counted since Redis was empty."""
    yield counter("events_settled", "Events by how they ended.", ("type", "outcome"), family(counted, "events", 2))
    yield counter(
        "attempts_unsettled",
        "Attempts that did not settle their event: retry, targetunavailable, held, release, snooze, pause.",
        ("kind", "outcome"),
        family(counted, "attempts", 2),
    )
    yield counter(
        "fortnox_requests",
        "Requests to Fortnox by the status of the answer (none: no answer).",
        ("method", "path", "status"),
        family(counted, "requests", 3),
    )
    yield histogram("fortnox_request_seconds", "How long Fortnox took to answer.", (), counted, "request_seconds")
    yield histogram(
        "delivery_seconds", "From accepted to done, by the kind of thing.", ("kind",), counted, "delivery_seconds"
    )
    yield counter("mails", "Mails by whether the SMTP server took them.", ("outcome",), family(counted, "mails", 1))


def of_events(states: dict[str, CompanyState], now: datetime) -> Iterator[Metric]:
    total = {status: sum(state.counts[status] for state in states.values()) for status in STATUSES}
    yield gauge("events", "Events by status.", ("status",), (((status,), n) for status, n in total.items()))
    ages = {name: (now - state.oldest).total_seconds() for name, state in states.items() if state.oldest}
    yield gauge(
        "oldest_event_age_seconds",
        "Age of the oldest event under way; held ones are left out.",
        value=max(ages.values(), default=0.0),
    )
    yield gauge(
        "company_oldest_event_age_seconds",
        "Age of a company's oldest event under way, of the oldest.",
        ("company",),
        (((name,), age) for name, age in most(ages)),
    )
    failed = {name: (now - state.failed_since).total_seconds() for name, state in states.items() if state.failed_since}
    yield gauge(
        "oldest_failed_age_seconds",
        "For how long the longest failed event has been failed.",
        value=max(failed.values(), default=0.0),
    )
    yield gauge(
        "company_oldest_failed_age_seconds",
        "For how long a company's longest failed event has been failed, of the longest.",
        ("company",),
        (((name,), age) for name, age in most(failed)),
    )
    counts = {
        name: {
            "under_way": sum(state.counts[status] for status in UNDER_WAY),
            "held": state.counts["held"],
            "failed": state.counts["failed"],
        }
        for name, state in states.items()
    }
    busy = most({name: sum(count.values()) for name, count in counts.items() if any(count.values())})
    yield gauge(
        "company_events",
        "Events of a company that are under way, held or failed, of the companies that have most.",
        ("company", "status"),
        (((name, status), n) for name, _ in busy for status, n in counts[name].items()),
    )


def of_companies(states: dict[str, CompanyState], connections: dict[str, str]) -> Iterator[Metric]:
    """Connections and breakers: how many companies are in each state, and which are not well."""
    found = {
        name: "paused" if state.paused is not None else connections.get(name, "none") for name, state in states.items()
    }
    tally = dict.fromkeys(("connected", "paused", "disabled", "none"), 0)
    for connection in found.values():
        tally[connection] = tally.get(connection, 0) + 1
    yield gauge("companies", "Companies by their connection.", ("connection",), (((c,), n) for c, n in tally.items()))
    resting = {name: 1.0 for name, state in states.items() if state.resting}
    probing = {name: 1.0 for name, state in states.items() if state.probing}
    yield gauge(
        "companies_resting", "Companies that rest: throttled, or Fortnox does not serve them.", value=len(resting)
    )
    yield gauge("companies_probing", "Companies whose breaker is open: one event at a time tries.", value=len(probing))
    paused = {name: 1.0 for name, connection in found.items() if connection == "paused"}
    for name, help_, which in (
        ("company_paused", "1 for a company that has to be connected again.", paused),
        ("company_probing", "1 for a company whose breaker is open.", probing),
    ):
        yield gauge(name, help_, ("company",), (((company,), value) for company, value in most(which)))


def of_polls(redis: Any, names: list[str], now: datetime) -> Iterator[Metric]:
    """How far supplier invoices are listed, of the companies that are polled; nothing where there are none."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hget(f"mf:expenses:{name}:state", "cursor")
        cursors = pipeline.execute()
    ages = {name: age for name, cursor in zip(names, cursors, strict=True) if (age := _since(cursor, now)) is not None}
    yield gauge(
        "poll_age_seconds_max", "Since the stalest poll for supplier invoices.", value=max(ages.values(), default=0.0)
    )
    yield gauge(
        "poll_age_seconds",
        "How far back a company's supplier invoices were listed, of the stalest.",
        ("company",),
        (((name,), age) for name, age in most(ages)),
    )


def _since(cursor: str | None, now: datetime) -> float | None:
    if not cursor:
        return None
    at = datetime.fromisoformat(cursor)
    return None if at.tzinfo is None else max(0.0, (now - at).total_seconds())


def most(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """The companies with the highest values, so that thousands of companies do not make thousands of series."""
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_COMPANIES]


def family(counted: Counted, name: str, labels: int) -> Iterator[tuple[tuple[str, ...], int]]:
    return (
        (field[1:], count) for field, count in sorted(counted.items()) if field[0] == name and len(field) == labels + 1
    )


def counter(
    name: str, help_: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily:
    found = CounterMetricFamily(PREFIX + name, help_, labels=labels)
    for labelled, value in values:
        found.add_metric(labelled, value)
    return found


def gauge(
    name: str,
    help_: str,
    labels: tuple[str, ...] = (),
    values: Iterable[tuple[tuple[str, ...], float]] = (),
    *,
    value: float | None = None,
) -> GaugeMetricFamily:
    found = GaugeMetricFamily(PREFIX + name, help_, labels=labels)
    for labelled, one in values if value is None else [((), value)]:
        found.add_metric(labelled, one)
    return found


def histogram(name: str, help_: str, labels: tuple[str, ...], counted: Counted, field: str) -> HistogramMetricFamily:
    """Buckets add up in Prometheus; in Redis each observation is in one."""
    found = HistogramMetricFamily(PREFIX + name, help_, labels=labels)
    series: dict[tuple[str, ...], dict[str, int]] = {}
    for (first, *rest), count in counted.items():
        if first == field and len(rest) == len(labels) + 1:
            series.setdefault(tuple(rest[:-1]), {})[rest[-1]] = count
    for labelled, values in sorted(series.items()):
        so_far = 0
        buckets = []
        for bucket in (*(f"{bound:g}" for bound in SECONDS), BEYOND):
            so_far += values.get(bucket, 0)
            buckets.append((bucket, so_far))
        found.add_metric(labelled, buckets, values.get("sum", 0) / 1000)
    return found
