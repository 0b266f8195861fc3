"""The Celery app, an entry point: `celery -A worker.app worker | beat | flower`."""

import sys

from pydantic import ValidationError
from redis.exceptions import AuthenticationError, RedisError

from config import Settings, load_settings
from config.redis import check_answers, is_outage
from config.redis_connections import UnsuitableServer
from config.settings import settings_problems
from messages.catalogue import say
from operations.errors import redis_problem
from worker.bootstrap import create_app
from worker.sentry import set_up_celerys_sentry


def _settings() -> Settings:
    """The settings of the environment. Ends the program with one line where they or their Redis cannot be used.

    A Redis that is away is waited for later, as long as it takes.
    """
    try:
        found = load_settings()
    except ValidationError as error:
        sys.stderr.write(f"error: {'; '.join(settings_problems(error))}\n")
        raise SystemExit(2) from None
    try:
        check_answers(found)
    except RedisError as error:
        if isinstance(error, UnsuitableServer | AuthenticationError) or not is_outage(error):
            sys.stderr.write(f"error: {say(redis_problem(found, error))}\n")
            raise SystemExit(1) from None
    return found


settings = _settings()
set_up_celerys_sentry(settings)
app = create_app(settings)
