"""The Celery app, an entry point: `celery -A worker.app worker | beat | flower`."""

from config import load_settings
from worker.bootstrap import create_app
from worker.sentry import set_up_sentry

settings = load_settings()
set_up_sentry(settings)
app = create_app(settings)
