"""The Celery app, an entry point: `celery -A worker.app worker | beat | flower`."""

import sys

from pydantic import ValidationError
from redis.exceptions import RedisError

from config import Settings, load_settings
from config.redis import check_answers
from config.redis_connections import UnsuitableServer
from config.settings import settings_problems
from worker.bootstrap import create_app
from worker.sentry import set_up_sentry


def _settings() -> Settings:
    """The settings of the environment. Ends the program with one line where they or their Redis cannot be used.

    A Redis that is away is waited for later.
    """
    try:
        found = load_settings()
    except ValidationError as error:
        sys.stderr.write(f"error: {'; '.join(settings_problems(error))}\n")
        raise SystemExit(2) from None
    try:
        check_answers(found)
    except UnsuitableServer as error:
        sys.stderr.write(f"error: REDIS_URL: {error}\n")
        raise SystemExit(2) from None
    except RedisError:
        pass  # waited for, as long as it takes
    return found


settings = _settings()
set_up_sentry(settings)
app = create_app(settings)
