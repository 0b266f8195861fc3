"""Who is asked to be polled, with a real Redis: nobody twice, nobody all at once, nobody who does not want it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from config import load_settings
from delivery import polling
from delivery.polling import POLL_ID, follow, poll_asked, reconciliation_asked
from delivery.services import Services
from moment.events import ExpenseChoices, Integration
from ordering import Done, Failed
from stores import Connection
from stores.expenses import Listing
from stores.feed import FeedState
from tasks.flows import SCHEDULE_NIGHT, SCHEDULE_POLLS
from tests.sentences import sentence
from worker.bootstrap import App, create_app

MESSAGES = "polls"  # the queue that the wake-ups of polls go to


@pytest.fixture
def app(redis_url: str, redis_client: "redis.Redis") -> Iterator[App]:
    app = create_app(load_settings(None, fortnox_api_url="http://127.0.0.1:1", redis_url=redis_url))
    app.loader.import_default_modules()
    yield app
    app.close()


@pytest.fixture
def services(app: App) -> Services:
    return app.services


def a_connection(company: str, *, state: str = "connected", enabled: bool = True) -> Connection:
    choices = Integration(expenses=ExpenseChoices(enabled=enabled))
    return Connection.model_validate(
        {"company": company, "state": state, "integration": choices, "connected_at": datetime.now(UTC)}
    )


def look(app: App) -> int:
    """What beat's message makes a worker do."""
    return int(app.tasks[SCHEDULE_POLLS.name].run())


def test_a_company_that_chose_expenses_is_polled_at_once_and_then_in_its_slots(app: App, services: Services) -> None:
    follow(services.polling, services.ordering, a_connection("acme"))
    assert services.redis.llen(MESSAGES) == 1
    assert services.ordering.counts("acme")["ready"] == 1
    slot = services.polling.polls.next("acme")
    assert slot is not None
    assert slot <= datetime.now(UTC) + timedelta(minutes=10)
    assert services.polling.nights.next("acme") is not None
    assert look(app) == 0


@pytest.mark.parametrize("gone", [{"state": "disabled"}, {"enabled": False}])
def test_a_company_that_is_off_is_in_no_timetable(services: Services, gone: dict[str, object]) -> None:
    follow(services.polling, services.ordering, a_connection("acme"))
    follow(services.polling, services.ordering, a_connection("acme", **gone))  # type: ignore[arg-type]
    assert (services.polling.polls.next("acme"), services.polling.nights.next("acme")) == (None, None)


def overdue(services: Services, companies: int, since: timedelta) -> None:
    for n in range(companies):
        services.redis.zadd("mf:timetable:polls", {f"c{n}": (datetime.now(UTC) - since).timestamp() + n / 1000})


def test_after_a_downtime_no_storm_follows_and_nothing_is_made_up_for(app: App, services: Services) -> None:
    overdue(services, 1000, timedelta(hours=5))
    assert look(app) == 17  # twice the usual 8 1/3 in 5 seconds
    assert services.redis.llen(MESSAGES) == 17
    for _ in range(70):
        look(app)
    assert services.redis.llen(MESSAGES) == 1000  # each once, though thirty slots were missed
    assert services.polling.polls.due(datetime.now(UTC), 1000) == []


def test_after_a_missed_night_reconciliations_come_at_twice_their_usual_pace_and_no_faster(
    app: App, services: Services
) -> None:
    for n in range(2000):
        services.redis.zadd("mf:timetable:nights", {f"c{n}": n})
    assert int(app.tasks[SCHEDULE_NIGHT.name].run()) == 17  # twice the usual 8 1/3 in a minute
    assert services.redis.llen(MESSAGES) == 17


def test_a_due_poll_that_is_open_is_not_queued_again(app: App, services: Services) -> None:
    for _ in range(3):
        overdue(services, 1, timedelta(minutes=1))
        assert look(app) == 1
    assert services.redis.llen(MESSAGES) == 1
    claim = services.ordering.claim("c0", POLL_ID)
    assert claim is not None
    overdue(services, 1, timedelta(minutes=1))
    look(app)
    assert services.redis.llen(MESSAGES) == 1

    services.ordering.settle(claim, Done())
    overdue(services, 1, timedelta(minutes=1))
    look(app)
    assert services.redis.llen(MESSAGES) == 2


def test_a_paused_companys_poll_waits_and_runs_once_when_it_is_resumed(app: App, services: Services) -> None:
    services.ordering.pause("c0", sentence("the grant is dead"))
    for _ in range(3):
        overdue(services, 1, timedelta(minutes=1))
        look(app)
    assert services.redis.llen(MESSAGES) == 0
    services.ordering.resume("c0")
    assert services.redis.llen(MESSAGES) == 1


def test_a_look_that_dies_before_it_has_moved_the_slots_asks_again_without_harm(services: Services) -> None:
    overdue(services, 1, timedelta(minutes=1))
    assert poll_asked(services.ordering, "c0")
    assert services.polling.polls.due(datetime.now(UTC), 10) == ["c0"]
    assert not poll_asked(services.ordering, "c0")


def failed_poll(services: Services, code: str = "") -> None:
    poll_asked(services.ordering, "acme")
    claim = services.ordering.claim("acme", POLL_ID)
    assert claim is not None
    services.ordering.settle(claim, Failed(sentence("no"), code=code))


def test_a_poll_that_failed_as_a_system_was_down_is_tried_again_in_the_companys_next_slot(
    app: App, services: Services
) -> None:
    follow(services.polling, services.ordering, a_connection("acme"))
    failed_poll(services, polling.DOWN)
    services.redis.zadd("mf:timetable:polls", {"acme": 0})

    assert look(app) == 1

    assert services.ordering.counts("acme")["ready"] == 1


def test_a_poll_that_failed_for_good_is_tried_again_when_the_connection_changes(app: App, services: Services) -> None:
    failed_poll(services)
    overdue(services, 1, timedelta(minutes=1))
    look(app)
    assert services.ordering.counts("acme")["failed"] == 1

    follow(services.polling, services.ordering, a_connection("acme"))

    assert services.ordering.counts("acme")["ready"] == 1


def test_the_night_asks_for_what_changed_lately_and_lets_a_failed_poll_try_again(services: Services) -> None:
    poll_asked(services.ordering, "acme")
    claim = services.ordering.claim("acme", POLL_ID)
    assert claim is not None
    services.ordering.settle(claim, Failed(sentence("no licence")))
    assert not poll_asked(services.ordering, "acme")
    messages = services.redis.llen(MESSAGES)

    assert reconciliation_asked(services.stores, services.ordering, "acme", 35)
    assert services.redis.llen(MESSAGES) == messages + 1  # type: ignore[operator]

    listing = services.stores.expenses("acme").listing("import")
    assert listing is not None
    assert (listing.days, listing.since) == (35, None)


def test_an_import_that_reaches_less_far_does_not_shorten_one_under_way(services: Services) -> None:
    store = services.stores.expenses("acme")
    store.ask_import(90)
    store.ask_import(35)
    listing = store.listing("import")
    assert listing is not None
    assert listing.days == 90


def test_hourly_polls_are_spaced_only_while_the_feed_is_connected(redis_url: str, redis_client: "redis.Redis") -> None:
    app = create_app(
        load_settings(
            None,
            fortnox_api_url="http://127.0.0.1:1",
            fortnox_feed_url="ws://127.0.0.1:1/topics-v1",
            redis_url=redis_url,
        )
    )
    app.loader.import_default_modules()
    services = app.services
    for company in ("acme", "other"):
        services.polling.polls.add(company, datetime.now(UTC))
        listing = Listing(since=None)
        services.stores.expenses(company).save_listing("changes", listing)
        services.stores.expenses(company).end_listing("changes", listing, datetime.now(UTC) - timedelta(minutes=30))
    services.stores.company_settings.change("acme", {"pollsWithFeed": "hourly"})

    def polled() -> set[str]:
        """Whom a tick polls that finds both due."""
        for company in ("acme", "other"):
            services.redis.zadd("mf:timetable:polls", {company: 0})
            services.ordering.skip(company, POLL_ID, sentence("over"))
        look(app)
        return {name for name in ("acme", "other") if services.ordering.event(name, POLL_ID)}

    assert polled() == {"acme", "other"}  # nobody listens
    services.feed.say(FeedState(connected=True, worker="w"))
    assert polled() == {"other"}
    listing = Listing(since=None)
    services.stores.expenses("acme").save_listing("changes", listing)
    services.stores.expenses("acme").end_listing("changes", listing, datetime.now(UTC) - timedelta(minutes=61))
    assert polled() == {"acme", "other"}
    app.close()


def test_a_company_whose_records_are_damaged_keeps_no_other_from_being_polled(app: App, services: Services) -> None:
    for company in ("acme", "other"):
        follow(services.polling, services.ordering, a_connection(company))
        services.ordering.settle(services.ordering.claim(company, POLL_ID, "w"), Done())  # type: ignore[arg-type]
        services.redis.zadd("mf:timetable:polls", {company: 0})
    services.redis.delete("mf:company:acme")
    services.redis.lpush("mf:company:acme", "of another type")
    services.redis.delete(MESSAGES)
    look(app)
    assert services.ordering.counts("other")["ready"] == 1
    assert services.redis.llen(MESSAGES) == 1
