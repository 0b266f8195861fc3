"""Pages of the log of very many companies, found by the times that a process remembers."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from messages import NOTHING
from ordering import Done, Failed, Ordering, Retry
from ordering.history import Filter, find
from ordering.listed import ListedTimes, find_listed, with_newest
from ordering.records import IndexEntry, to_time
from tests.integration.engine.conftest import LEASE, Line, why

RETENTION = timedelta(days=90)


def companies_with(line: Line, company: str, status: str) -> bool:
    return line.ordering.counts(company)[status] > 0


def pages(line: Line, times: ListedTimes, wanted: Filter, most: int, looks: int = 1000) -> Iterator[list[str]]:
    """What each page of the log shows, until its end."""
    after: IndexEntry | None = None
    while True:
        records, after = find_listed(
            line.ordering, times, wanted, most, after, looks, lambda *of: companies_with(line, *of)
        )
        yield [f"{one.company}/{one.id}" for one in records]
        if after is None:
            return


def read(line: Line) -> ListedTimes:
    times = ListedTimes(line.ordering, RETENTION)
    times.read(line.ordering.companies(), to_time(line.now))
    return times


def fill(line: Line, first: int, events: int, companies: int = 12) -> None:
    """A log in which many events share a millisecond, and companies have very different numbers of events."""
    line.ordering = Ordering(line.ordering.redis, lease=LEASE, release_limit=1000, clock=lambda: line.now)
    chosen = random.Random(first)
    for number in range(first, first + events):
        company = f"company{min(chosen.randrange(companies), chosen.randrange(companies))}"
        event_id, chance = f"e{number}", chosen.random()
        line.publish(event_id, f"customer/{number}", company=company, refused=why("no") if chance < 0.1 else NOTHING)
        if 0.1 < chance < 0.8 and (claim := line.ordering.claim(company, event_id)):
            outcome = Failed(why("no"), code="code") if chance < 0.2 else Done()
            line.settle(claim, Retry(timedelta(hours=1), why("no"), code="code") if chance < 0.15 else outcome)
        if chosen.random() < 0.4:
            line.passes(milliseconds=chosen.choice((1, 2, 500)))


WANTED = [
    *(Filter(), Filter(status="done"), Filter(status="failed"), Filter(status="ready"), Filter(status="retrying")),
    *(Filter(code="code"), Filter(status="held"), Filter(status="superseded")),
]


@pytest.mark.parametrize("sizes", [(3, 5), (60, 1000)])
def test_the_pages_hold_every_event_that_fits_once_newest_first(
    line: Line, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int]
) -> None:
    monkeypatch.setattr("ordering.listed.ALL_FIT", sizes[0])
    monkeypatch.setattr("ordering.listed.RARE", sizes[1])
    monkeypatch.setattr("ordering.listed.READ", 7)
    monkeypatch.setattr("ordering.listed.AT_A_TIME", 5)
    fill(line, 0, 150)
    times = read(line)
    fill(line, 150, 50)
    times.read(line.ordering.companies(), to_time(line.now))
    middle = to_time(line.now - 3000)
    for wanted in (*WANTED, Filter(since=middle), Filter(until=middle), Filter(status="done", until=middle)):
        told = [f"{one.company}/{one.id}" for one in find(line.ordering, wanted)]
        for most, looks in ((1, 1000), (7, 1000), (7, 1), (500, 1000)):
            shown = list(pages(line, times, wanted, most, looks))
            assert [one for page in shown for one in page] == told, (wanted, most, looks)
            assert all(len(page) <= most for page in shown)


def test_what_changed_since_the_times_were_read_is_not_shown_twice_or_wrongly(line: Line) -> None:
    fill(line, 0, 60)
    times = read(line)
    for record in list(find(line.ordering, Filter(status="failed"))):
        line.ordering.retry(record.company, record.id)
    line.passes(seconds=1)

    shown = [one for page in pages(line, times, Filter(status="failed"), 5) for one in page]
    assert shown == []
    done = [f"{one.company}/{one.id}" for one in find(line.ordering, Filter(status="done"))]
    assert [one for page in pages(line, times, Filter(status="done"), 5) for one in page] == done


def test_the_first_page_has_what_came_after_the_times_were_read(line: Line) -> None:
    fill(line, 0, 30)
    times = read(line)
    line.passes(seconds=1)
    line.publish("fresh", "customer/999", company="company0")
    every = [f"{one.company}/{one.id}" for one in find(line.ordering, Filter())]

    page = find_listed(line.ordering, times, Filter(), 10, None, 1000, lambda *of: companies_with(line, *of))
    fresh = line.ordering.events([("company0", "fresh")])
    records, end = with_newest(page, [*fresh, *page[0]], 10)

    assert [f"{one.company}/{one.id}" for one in records] == every[:10]
    assert end is not None
    after = find_listed(line.ordering, times, Filter(), 10, end, 1000, lambda *of: companies_with(line, *of))
    assert [f"{one.company}/{one.id}" for one in after[0]] == every[10:20]


def test_what_settles_after_the_times_were_read_is_on_its_page_too(line: Line) -> None:
    fill(line, 0, 100)
    times = read(line)
    line.passes(seconds=1)
    fill(line, 100, 60)
    for record in find(line.ordering, Filter(status="ready")):
        if record.id in ("e3", "e50", "e99"):
            line.run(record.id, company=record.company)

    times.catch_up()

    for wanted in (Filter(status="done"), Filter(status="failed")):
        told = [f"{one.company}/{one.id}" for one in find(line.ordering, wanted)]
        assert [one for page in pages(line, times, wanted, 7) for one in page] == told
    times.read(line.ordering.companies(), to_time(line.now))
    told = [f"{one.company}/{one.id}" for one in find(line.ordering, Filter())]
    assert [one for page in pages(line, times, Filter(), 7) for one in page] == told


def test_times_past_their_retention_and_companies_that_are_gone_are_forgotten(line: Line) -> None:
    fill(line, 0, 30)
    times = read(line)
    assert times.span({"done": None}, None, 1000).companies

    line.passes(days=91)
    times.read(line.ordering.companies(), to_time(line.now))
    assert not times.span({"done": None}, None, 1000).companies
    assert times.span({"open": None}, None, 1000).companies
    times.keep(())
    assert not times.span({"open": None}, None, 1000).companies
