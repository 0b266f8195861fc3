"""The pictures of docs/console.md: the sample working day of `make up`, and two companies more.

They are written where SCREENSHOTS says (`make screenshots`), else to a directory of the test.
"""

import re
from collections.abc import Callable
from os import environ
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from local.demo import prepare_ledger, publish_day_and_costs, wait_for_expenses
from operations.audit import Actor, ActorKind
from operations.retry import retry
from tests.browser.conftest import PHONE, Console, Opened
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def day(console: Console) -> Console:
    prepare_ledger(console.stack)
    publish_day_and_costs(console.stack, console.services)
    wait_for_expenses(console.stack, console.services)
    for name in ("nordbygg", "sodraror"):
        console.connect(name)
    for number in (2041, 2042, 2044):
        console.fail_invoice("nordbygg", number)
    retry(console.services, "nordbygg", "nordbygg-2041", by=Actor(ActorKind.ACCOUNT, "anna"))
    console.settled("nordbygg", "nordbygg-2041")
    return console


@pytest.fixture
def taken(day: Console, tmp_path: Path) -> Callable[[Page, str], None]:
    """Take a picture of the whole page; of the log, its beginning."""
    directory = ROOT / environ["SCREENSHOTS"] if "SCREENSHOTS" in environ else tmp_path

    def take(page: Page, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        picture = page.screenshot(path=directory / f"{name}.png", full_page=name != "transfers")
        assert len(picture) > 10_000, "an empty page"

    return take


def test_pictures_of_every_page(day: Console, opened: Opened, taken: Callable[[Page, str], None]) -> None:
    page = opened("/")

    def up_to_date() -> bool:
        """The board is at most a few seconds old."""
        page.goto("/")
        row = page.get_by_role("row").filter(has_text="nordbygg")
        return row.get_by_role("link", name="3", exact=True).is_visible()

    wait_until(up_to_date, what="the overview to have all failures", interval=1)
    taken(page, "overview")
    page.get_by_role("link", name=re.compile(r"\d Kontot finns inte")).click()
    taken(page, "cause")
    for name, path in {
        "company": "/companies/acme",
        "connect": "/companies/sodraror/connect",
        "settings": "/companies/acme/settings",
        "event": "/events/nordbygg/nordbygg-2042",
        "expenses": "/expenses/acme?number=1",
    }.items():
        page.goto(path)
        if name == "settings":
            expect(page.locator(".names")).to_contain_text("4010")
        taken(page, name)
    page.goto("/transfers?company=acme")
    expect(page.get_by_text("Listan uppdateras automatiskt.")).to_be_visible()
    taken(page, "transfers")


def test_a_picture_of_a_phone_in_the_dark(day: Console, opened: Opened, taken: Callable[[Page, str], None]) -> None:
    page = opened(
        "/events/nordbygg/nordbygg-2042", role="company", company="nordbygg", dark=True, size=PHONE, language="en"
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    taken(page, "phone")
