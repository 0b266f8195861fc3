"""Events with a given outcome, mails about them through a real SMTP server, and a clock that the test sets."""

import asyncio
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from config import load_settings
from local.redis import free_port
from local.sandbox import Sandbox
from ordering import Done, Outcome
from stores import Connection
from tasks.report import send_due_mails
from tests.services import running_redis, running_sandbox
from tests.unit.factories import integration_json
from worker.bootstrap import App, create_app
from worker.publish import publish

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
OPERATOR = "drift@integration.example"


class MailDispatch:
    def __init__(self, app: App, sandbox: Sandbox) -> None:
        self.app = app
        self.services = app.services
        self.ordering = app.services.ordering
        self.sandbox = sandbox
        self.now = START
        self.services.redis.flushdb()
        self.services.installation.look()  # which is no loss here
        self.services.installation.acknowledge(self.services.installation.losses())
        sandbox.post("reset")

    def connect(self, company: str = "acme", address: str | None = None, language: str = "sv") -> None:
        """Connect a company, with an address for errors."""
        address = f"ekonomi@{company}.example" if address is None else address
        integration = integration_json(company=company, error_email=address, authorization_code=None)["integration"]
        connection = Connection(company=company, state="connected", integration=integration, connected_at=START)
        self.services.stores.connections.save(connection)
        self.services.stores.company_settings.change(company, {"language": language})

    def ends(self, event: dict[str, Any], outcome: Outcome | None = None) -> None:
        publish(event, services=self.app.services)
        claim = self.ordering.claim(event["company"], event["id"])
        assert claim is not None, self.ordering.event(event["company"], event["id"])
        self.ordering.settle(claim, outcome or Done())

    def passes(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def round(self, **later: float) -> int:
        """Run one round, this much later. Return the number of mails sent."""
        self.passes(**later)
        return send_due_mails(self.services, self.now)

    def rounds(self, *, seconds: int = 10, **duration: float) -> int:
        """Run a round every 10 s, as beat does, for this long."""
        return sum(self.round(seconds=seconds) for _ in range(int(timedelta(**duration).total_seconds() / seconds)))

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        return [mail for mail in self.sandbox.mails() if to is None or to in mail["to"]]

    def mail(self) -> dict[str, Any]:
        (mail,) = self.mails()
        return mail


def parsed(mail: dict[str, Any]) -> EmailMessage:
    return message_from_bytes(mail["raw"].encode(), policy=default)  # type: ignore[return-value,arg-type]


def attached(mail: dict[str, Any]) -> list[list[str]]:
    """The rows of the attached list, its head left out."""
    (file,) = parsed(mail).iter_attachments()
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(content.decode("utf-8-sig").splitlines(), delimiter=";"))[1:]


class Inbox:
    """The mails that a real SMTP server got. It answers after `pause` seconds. A mail to `breaks_at` makes it break the
    connection instead.
    """

    def __init__(self, pause: float = 0.0, breaks_at: str = "") -> None:
        self.got: list[EmailMessage] = []
        self._pause = pause
        self._breaks_at = breaks_at

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if self._breaks_at in envelope.rcpt_tos:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "451 it is gone"
        await asyncio.sleep(self._pause)
        self.got.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def running_smtp(inbox: Inbox, **options: Any) -> Iterator[str]:
    """An SMTP server's address. `options` are aiosmtpd's, such as `data_size_limit`."""
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


@contextmanager
def running_dispatch(directory: Path, **settings: Any) -> Iterator[tuple[App, Sandbox]]:
    """A Redis and the stand-ins, and an app that uses both."""
    with running_redis(directory / "redis", appendfsync="no") as redis_url, running_sandbox(directory) as sandbox:
        given = {
            "redis_url": redis_url,
            "fortnox_api_url": sandbox.fortnox,
            "fortnox_auth_url": sandbox.fortnox,
            "smtp_url": sandbox.smtp,
            "alerts_from": "moment-fortnox@integration.example",
            "alerts_to": OPERATOR,
        }
        yield create_app(load_settings(None, **(given | settings))), sandbox
