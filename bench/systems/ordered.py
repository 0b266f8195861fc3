"""Ours: the production app, entrance, transfer task and pump. A transfer runs the benchmark's handler."""

from datetime import timedelta
from typing import Any

from bench.handler import FirstAttemptFails, handle
from bench.plan import RETRY_AFTER
from bench.systems import Publish
from config import Settings
from delivery.context import TransferContext
from ordering import Done, Outcome, Retry
from tasks.base import TransferTask
from tasks.flows import INVOICE
from tests.sentences import sentence
from worker.bootstrap import App
from worker.publish import publish


def create_app(settings: Settings) -> App:
    app = App(settings)
    app.conf.imports = ()  # the real transfers are not loaded: the handler below has the invoices' task name
    app.task(name=INVOICE.task.name, base=TransferTask, bind=True, transfer=staticmethod(work))(transfer)
    return app


def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id)


def work(context: TransferContext) -> Outcome:
    try:
        handle(context.event, context.claim.attempts)
    except FirstAttemptFails:
        return Retry(timedelta(seconds=RETRY_AFTER), sentence("The plan wants it."))
    return Done()


def publisher(app: App) -> Publish:
    return lambda event: publish(event, services=app.services)
