"""When beat last ran, read from what RedBeat itself writes."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from redbeat import RedBeatSchedulerEntry
from redis import Redis

from stores.beat import PREFIX, beat_age

AGO = timedelta(seconds=40)


def test_a_beat_that_never_ran_has_no_age(redis_client: Redis) -> None:
    assert beat_age(redis_client, "report") is None


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Stockholm"), timezone(timedelta(hours=-7, minutes=-30))])
def test_the_age_is_read_from_redbeats_own_entry(redis_client: Redis, redis_url: str, zone: tzinfo) -> None:
    app = Celery("test", broker=redis_url, set_as_current=False)
    app.conf.update(redbeat_redis_url=redis_url, redbeat_key_prefix=PREFIX)
    ran = (datetime.now(UTC) - AGO).astimezone(zone)
    RedBeatSchedulerEntry("report", "mail.report", 10, last_run_at=ran, app=app).save()
    age = beat_age(redis_client, "report")
    assert age is not None
    assert AGO <= age < AGO + timedelta(seconds=20)
