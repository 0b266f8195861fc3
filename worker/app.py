"""The Celery application, an entry point: `celery -A worker.app worker | beat | flower`."""

from worker.assembly import create_app

app = create_app()
