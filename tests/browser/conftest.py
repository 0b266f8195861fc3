"""The running system with its console, and headless Chromium through Playwright.

A browser is taken from the machine: the program that CHROMIUM names, or one of the usual names.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from config import Settings
from delivery.services import Services, build_services
from local.redis import free_port
from local.stack import Stack
from moment.events import parse_event
from operations.publish import publish
from ordering import EventRecord
from stores import Session
from tasks.flows import SCOPES
from tests.unit.factories import customer_json, integration_json, invoice_json
from tests.waiting import DEADLINE, wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_BROWSER = "no Chromium on this machine: apt-get install chromium, or set CHROMIUM to a browser's program"
IMAGES = Path(__file__).parents[2] / "docs/images/console"
DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}

expect.set_options(timeout=DEADLINE * 1000)


@dataclass
class Console:
    """The running system, and what tests do with it besides clicking."""

    stack: Stack
    services: Services
    address: str
    password: str

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    def connect(self, company: str, **choices: Any) -> None:
        """Connect a company with a new ledger by an event, as Moment does."""
        self.stack.sandbox.tenant(company)
        code = self.stack.sandbox.code(company, scopes=" ".join(SCOPES))
        given = {"expenses": {"enabled": False}, "error_email": f"ekonomi@{company}.example"} | choices
        self.publish(
            integration_json(event_id=f"{company}-on", company=company, authorization_code=code, **given),
            customer_json(event_id=f"{company}-customer", company=company),
        )
        assert self.settled(company, f"{company}-customer").status == "done"

    def publish(self, *events: dict[str, Any]) -> None:
        for event in events:
            publish(self.services, parse_event(event))

    def settled(self, company: str, event_id: str) -> EventRecord:
        """The event, once it is settled or held."""

        def look() -> EventRecord | None:
            record = self.services.ordering.event(company, event_id)
            return record if record is not None and record.status in ("done", "failed", "skipped", "held") else None

        found = wait_until(look, what=f"{company} {event_id} to settle")
        assert found is not None
        return found

    def fail_invoice(self, company: str, number: int) -> None:
        """An invoice that fails, as its account is not in the chart of accounts."""
        self.publish(an_invoice(company, number, "3019"))
        assert self.settled(company, f"{company}-{number}").status == "failed"

    def mailed_link(self, company: str) -> str:
        """The path of the console to which the newest mail to the company leads."""

        def look() -> str:
            mails = [mail for mail in self.stack.sandbox.mails() if f"ekonomi@{company}.example" in mail["to"]]
            found = [re.findall(rf"{re.escape(self.address)}(/l/[\w-]+)", mail["text"]) for mail in mails]
            return next((links[0] for links in reversed(found) if links), "")

        return wait_until(look, what=f"a mail to {company} with a link")

    def mend_account(self, company: str) -> None:
        self.stack.sandbox.account(company, 3019, description="Försäljning", vat_code="MP1")


def an_invoice(company: str, number: int, account: str = "3010") -> dict[str, Any]:
    event = invoice_json(
        event_id=f"{company}-{number}", company=company, invoice_number=number, project=None, attachments=[]
    )
    event["invoice"]["lines"][0]["accountNumber"] = account
    return event


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    found = environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def console(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Redis, the stand-ins, a worker, beat and the console: real processes."""
    options = {"EXPENSE_POLL_INTERVAL": "2"}
    directory = Path(tmp_path_factory.mktemp("stack"))
    with Stack(directory, console_port=free_port(), options=options, appendfsync="no") as stack:
        stack.start_services()
        stack.start_beat()
        stack.start_worker()
        address, _, password = stack.start_console()
        yield Console(stack, build_services(stack.settings), address, password)


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Chromium, console: Console) -> Iterator[Opened]:
    """Open a page as somebody: `opened("/transfers", role="viewer", dark=True)`."""
    contexts: list[BrowserContext] = []

    def visit(
        path: str,
        *,
        role: str = "operator",
        name: str = "anna",
        company: str = "",
        language: str = "sv",
        dark: bool = False,
        size: dict[str, int] = DESKTOP,
    ) -> Page:
        context = chromium.new_context(
            base_url=console.address,
            locale=f"{language}-SE",
            color_scheme="dark" if dark else "light",
            viewport=size,  # type: ignore[arg-type]
            timezone_id="America/New_York",  # times are those of Sweden wherever the reader is
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(DEADLINE * 1000)
        if role:
            held = console.services.stores.sessions.begin(Session(role, name, company))
            context.add_cookies([{"name": "console", "value": held, "url": console.address}])
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the script failed: {error}"))
        page.goto(path)
        return page

    yield visit
    for context in contexts:
        context.close()


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical on the page."""
    found = Axe().run(page)
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']][:3]}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
