"""Every page for everybody: axe without a serious finding in light and dark, at 390 pixels, by keyboard alone."""

import pytest
from playwright.sync_api import Page, expect

from operations.failures import failures
from stores.jobs import Job
from tests.browser.conftest import DESKTOP, PHONE, Console, Opened, serious


@pytest.fixture(scope="module")
def troubled(console: Console) -> Console:
    """A company with failed invoices."""
    console.connect("lasbar", expenses={"enabled": True, "account_numbers": ["4010"]})
    for number in (801, 802):
        console.fail_invoice("lasbar", number)
    return console


def pages(console: Console) -> dict[str, str]:
    (cause,) = failures(console.services, "lasbar")
    store = console.services.stores.jobs
    done, running = store.begin("retry"), store.begin("import", "lasbar")
    store.save(done, Job("retry", "", "done", 3, 3, 3))
    store.save(running, Job("import", "lasbar", "running", 3, 9, 1))
    return {
        "overview": "/",
        "company": "/companies/lasbar",
        "connect": "/companies/lasbar/connect",
        "disconnect": "/companies/lasbar/disconnect",
        "settings": "/companies/lasbar/settings",
        "accounts": "/companies/lasbar/accounts",
        "transfers": "/transfers",
        "no transfers": "/transfers?company=lasbar&number=none",
        "event": "/events/lasbar/lasbar-801",
        "failures": "/failures",
        "cause": f"/failures?company=lasbar&cause={cause.cause}",
        "job": f"/jobs/{done}",
        "running job": f"/jobs/{running}",
        "expenses": "/expenses/lasbar",
        "audit": "/audit",
        "situations": "/situations",
        "situation": "/situations/account-unknown",
        "missing": "/no/such/page",
        "back from Fortnox": "/connect/callback?state=x",
        "link": "/l/no-such-link",
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    troubled: Console, opened: Opened, dark: bool, size: dict[str, int]
) -> None:
    page = opened("/", dark=dark, size=size, language="en" if dark else "sv")
    found = {}
    for name, path in pages(troubled).items():
        page.goto(path)
        for summary in page.locator("summary").all():
            summary.click()
        faults = serious(page)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > size["width"]:
            faults.append(f"{width} pixels wide")
        found[name] = faults
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_where_people_sign_in(opened: Opened, dark: bool) -> None:
    page = opened("/sign-in", role="", dark=dark, size=PHONE)

    assert serious(page) == []


def focus(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim().replace(/\\s+/g, ' ')").startswith(name):
            shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert shown != "none", f"{name} has the focus, and nobody can see it"
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_a_failure_is_mended_by_keyboard_alone(console: Console, opened: Opened) -> None:
    console.connect("tangent")
    console.fail_invoice("tangent", 901)
    console.mend_account("tangent")
    page = opened("/failures?company=tangent")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Hoppa till innehållet")).to_be_focused()
    page.keyboard.press("Enter")
    focus(page, "1 Kontot finns inte")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Kontot finns inte")
    focus(page, "faktura 901")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Faktura 901")
    focus(page, "Försök igen")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Överförd")


def test_pages_are_small_and_load_nothing_from_elsewhere(troubled: Console, opened: Opened) -> None:
    for path in pages(troubled).values():
        visited = opened("/healthz")
        sizes: dict[str, int] = {}
        visited.on("response", lambda answer, sizes=sizes: sizes.update({answer.url: len(answer.body())}))
        visited.goto(path.replace("/accounts", ""), wait_until="load")
        assert all(url.startswith(troubled.address) for url in sizes), sizes
        first = {url: size for url, size in sizes.items() if "/live" not in url and "/accounts" not in url}
        assert sum(first.values()) < 100_000, first
