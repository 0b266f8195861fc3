"""The metrics in Prometheus' text format, read from Redis at each scrape, so they hold for any number of processes.

`docs/operations.md` describes every metric. Labels have few, known values; only `company` can have many, so at most
`SHOWN_COMPANIES` companies with something to show are named. The totals include all companies.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from config.queues import QUEUES
from delivery.feed.status import FeedStatus, feed_status
from delivery.installation import InstallationWatch
from delivery.services import Services
from fortnox.limiter import Limiter
from mails.outages import due
from ordering import STATUSES, UNDER_WAY, CompanyState
from stores.beat import beat_age
from stores.counters import BEYOND, SECONDS
from stores.event_stream import stream_state
from stores.mails import MailState
from stores.threads import THREADS
from tasks.flows import REPORT_SCHEDULE

PREFIX: Final = "moment_fortnox_"
SHOWN_COMPANIES: Final = 200

Counted = dict[tuple[str, ...], int]


class MetricsCollector(Collector):
    """Reads everything at each scrape. A Redis that does not answer is itself a metric."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watch = InstallationWatch(services.installation)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(f"{PREFIX}up", "1 when Redis answered all questions of this scrape.")
        self._watch.try_to_look()
        try:
            metrics = list(self._read())
        except RedisError:
            metrics = []
        up.add_metric([], float(bool(metrics)))
        yield from [up, *metrics]

    def _read(self) -> Iterator[Metric]:
        services = self._services
        now = datetime.now(UTC)
        names = services.ordering.companies()
        states = services.ordering.states(names)
        yield from of_counters(services.telemetry.counters.read())
        yield counter(
            "unknown_fields",
            "Events with a field that is not of the contract, by its path; at most 100 paths, then (others).",
            ("field",),
            (((path,), count) for path, count in sorted(services.telemetry.unknown_fields.read().items())),
        )
        yield from of_events(states, now)
        yield from of_companies(states, services.stores.connections.states(names))
        yield from self._of_progress()
        yield from self._of_rate(names)
        polled = sorted(
            name for name in services.polling.polls.companies() if name not in states or states[name].paused is None
        )
        yield from of_feed(feed_status(services), services.feed.length())
        yield from of_polls(services.stores.ledgers.cursors(services.stores.connections.ledgers(polled)), now)

    def _of_progress(self) -> Iterator[Metric]:
        services = self._services
        ages: dict[str, timedelta | None] = dict(services.telemetry.heartbeats.ages())
        ages["beat"] = beat_age(services.redis, REPORT_SCHEDULE.name)
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
            lengths = pipeline.execute()
        stream, down = stream_state(services.redis), services.telemetry.threads.all_down()
        now, mails = round(time.time() * 1000), MailState(services.redis)
        outages_due = sum(due(outage) <= now for outage in mails.outages().values())
        reports = services.ordering.unreported_count() + mails.due_count(now) + outages_due
        reports += len(services.installation.losses_to_mail())
        yield gauge(
            "queue_messages",
            "Messages in a Celery queue.",
            ("queue",),
            (((q,), n) for q, n in zip(QUEUES, lengths, strict=True)),
        )
        yield gauge("stream_entries", "Entries of the stream that are not admitted yet.", value=stream.entries)
        yield gauge(
            "stream_oldest_entry_age_seconds",
            "Age of the oldest entry of the stream, 0 where there is none.",
            value=stream.oldest.total_seconds(),
        )
        yield gauge(
            "threads_down",
            "Background threads that ended unexpectedly and wait to start again.",
            ("thread",),
            (((thread,), sum(name == thread for name, _ in down)) for thread in THREADS),
        )
        yield gauge(
            "damaged_events",
            "Events whose record in Redis could not be read and was set aside.",
            value=services.ordering.damaged_count(),
        )
        yield gauge(
            "redis_losses",
            "Times that Redis was emptied, replaced or set back to a copy, and nobody has acknowledged it.",
            value=len(services.installation.losses()),
        )
        yield gauge("reports_waiting", "What is due to be told, and was not yet.", value=reports)

    def _of_rate(self, names: list[str]) -> Iterator[Metric]:
        services = self._services
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


def registry(services: Services) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(MetricsCollector(services))
    return registry


def of_counters(counted: Counted) -> Iterator[Metric]:
    """What has been counted since Redis was empty."""
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
    yield counter(
        "thread_failures",
        "Unexpected errors of background threads, after each of which the thread starts again.",
        ("thread",),
        family(counted, "threads", 1),
    )
    yield counter(
        "feed_events", "Events of Fortnox's feed by their type.", ("type",), family(counted, "feed_events", 1)
    )
    yield counter(
        "feed_ignored",
        "Messages of the feed without use: of an unknown type or tenant, without a number, or not understood.",
        ("why",),
        family(counted, "feed_ignored", 1),
    )
    yield counter(
        "feed_connections", "Sockets to the feed: opened, lost.", ("outcome",), family(counted, "feed_connections", 1)
    )
    yield histogram(
        "feed_lag_seconds", "From the time that Fortnox gives an event until it came.", (), counted, "feed_lag_seconds"
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
    """Connections and breakers: how many companies are in each state, and which have a problem."""
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


def of_feed(status: FeedStatus, hints: int) -> Iterator[Metric]:
    """Fortnox's feed. Whether it is connected counts only where it is switched on and a company could use it."""
    connected = [((), float(status.connected))] if status.expected else []
    yield gauge("feed_connected", "1 when Fortnox's feed is connected; nothing where it is off.", (), connected)
    yield gauge("feed_companies", "Companies that Fortnox's feed tells of.", value=status.companies)
    yield gauge("feed_hints_waiting", "Changes that the feed told and nothing was done about yet.", value=hints)


def of_polls(cursors: Mapping[str, datetime], now: datetime) -> Iterator[Metric]:
    """How long ago the supplier invoices of each polled company were listed."""
    ages = {name: max(0.0, (now - cursor).total_seconds()) for name, cursor in cursors.items()}
    yield gauge(
        "poll_age_seconds_max", "Since the stalest poll for supplier invoices.", value=max(ages.values(), default=0.0)
    )
    yield gauge(
        "poll_age_seconds",
        "How far back a company's supplier invoices were listed, of the stalest.",
        ("company",),
        (((name,), age) for name, age in most(ages)),
    )


def most(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """The companies with the highest values: thousands of companies must not become thousands of series."""
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
    """Prometheus' buckets are cumulative; in Redis each observation is in one bucket."""
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
