"""The process: its one line, its end, its mail server, its page, its independence."""

import ast
import json
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.sandbox_client import Ledger, Sandbox

ROOT = Path(__file__).parents[2]


def send(sandbox: Sandbox, subject: str = "Överföring misslyckades") -> dict[str, Any]:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@here.example", "b@there.example", subject
    message.set_content("Hej å\n")
    message.add_alternative("<p>Hej å</p>", subtype="html")
    where = urlsplit(sandbox.smtp)
    with smtplib.SMTP(str(where.hostname), int(where.port or 0), timeout=30) as server:
        return server.send_message(message)


class TestMail:
    def test_a_mail_is_kept_in_parts(self, sandbox: Sandbox) -> None:
        send(sandbox)
        (mail,) = sandbox.see("mails")["mails"]
        assert (mail["from"], mail["to"]) == ("a@here.example", ["b@there.example"])
        assert mail["subject"] == "Överföring misslyckades"
        assert "Hej å" in mail["text"]
        assert "<p>Hej å</p>" in mail["html"]
        sandbox.clear("mails")
        assert sandbox.see("mails")["mails"] == []

    @pytest.mark.parametrize("code", ["421", "450", "550"])
    def test_it_refuses_as_often_as_told(self, sandbox: Sandbox, code: str) -> None:
        sandbox.control("smtp", refuse=code, count=1)
        with pytest.raises(smtplib.SMTPResponseException) as refusal:
            send(sandbox)
        assert refusal.value.smtp_code == int(code)
        send(sandbox)
        kept = sandbox.see("mails")
        assert (len(kept["mails"]), kept["refused"]) == (1, 1)

    def test_it_refuses_connections_until_told(self, sandbox: Sandbox) -> None:
        sandbox.control("smtp", refuse="connection")
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                send(sandbox)
        sandbox.clear("smtp")
        send(sandbox)
        assert len(sandbox.see("mails")["mails"]) == 1


def test_the_page_shows_what_the_ledger_holds(sandbox: Sandbox, shop: Ledger) -> None:
    shop.settings(company_name="Acme <Bygg> AB")
    shop.invoice("1001", Project="1")
    shop.act("1001", "bookkeep")
    send(sandbox, "Faktura 1002 kunde inte bokföras")
    page = sandbox.session.get(sandbox.page).text
    for text in ("Acme &lt;Bygg&gt; AB", "1001", "posted", "Bygg AB", "Faktura 1002 kunde inte bokföras"):
        assert text in page
    assert "PUT /3/invoices/1001/bookkeep" in page
    assert "http://" not in page.replace(sandbox.page, "")  # nothing is fetched from elsewhere


def test_the_page_shows_supplier_invoices_and_moments_expenses(sandbox: Sandbox, shop: Ledger) -> None:
    for invoice, more in (
        ({"SupplierName": "Virke & Co", "InvoiceNumber": "F-1", "Project": "7"}, {"booked": True}),
        ({"SupplierName": "Kranar", "InvoiceNumber": "9001"}, {"booked": True, "approved": False}),
        ({"SupplierName": "Papper", "InvoiceNumber": "55"}, {}),
    ):
        rows = {"SupplierInvoiceRows": [{"Account": 4010, "Debit": "1234.50"}]}
        sandbox.control("supplierinvoices", tenant=shop.tenant, invoice=invoice | rows, **more)
    page = sandbox.session.get(sandbox.page).text
    assert "Supplier invoices <b>3</b>" in page
    for text in ("Virke &amp; Co", "F-1", "<td>7</td><td>4010</td>", "1\u202f234.50 SEK"):
        assert text in page
    for state in ("approved, posted", "waits for approval", "not posted"):
        assert page.count(f">{state}</span>") == 1
    assert "No expenses yet." in page


def test_the_page_of_an_empty_sandbox_says_so(sandbox: Sandbox) -> None:
    assert "No company is connected yet" in sandbox.session.get(sandbox.page).text


def test_reset_forgets_everything(sandbox: Sandbox, acme: Ledger) -> None:
    acme.customer()
    sandbox.control("clock", offset_seconds=60)
    sandbox.control("reset")
    assert sandbox.see("tenants") == {"tenants": []}
    assert sandbox.see("clock")["offset_seconds"] == 0
    assert acme.get("/3/customers").status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tenants", {"tenant": "acme", "colour": "red"}),
        ("tenants", {"tenant": "acme", "accounting_method": "BOTH"}),
        ("tenants", {"tenant": "acme", "project_module": "yes"}),
        ("tenants", {}),
        ("grants", {"tenant": "acme", "scopes": "everything"}),
        ("options", {"colour": 1}),
        ("clock", {"now": "2026-11-22T09:00:00"}),
        ("smtp", {"refuse": "999"}),
        ("accounts", {"tenant": "nobody", "number": 3010}),
        ("accounts", {"tenant": "acme", "number": 3010, "project_settings": "MAYBE"}),
    ],
)
def test_a_control_that_is_not_understood_is_refused(sandbox: Sandbox, path: str, body: dict[str, Any]) -> None:
    answer = sandbox.session.post(f"{sandbox.fortnox}/_sandbox/{path}", json=body)
    assert (answer.status_code, "error" in answer.json()) == (400, True)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_announces_itself_in_one_line_and_stops_cleanly(end: signal.Signals) -> None:
    command = [sys.executable, "-m", "sandbox", "--fortnox-port=0", "--moment-port=0", "--smtp-port=0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert set(addresses) == {"fortnox", "moment", "smtp", "page"}
        with requests.Session() as session:  # an idle kept-alive connection does not hold it back
            assert session.get(f"{addresses['fortnox']}/_sandbox/health", timeout=30).json() == {"ok": True}
            process.send_signal(end)
            assert process.wait(timeout=30) == 0  # the sandbox keeps idle connections for 75 s
        assert process.communicate() == ("", "")


def test_it_imports_nothing_of_the_product() -> None:
    allowed = {*sys.stdlib_module_names, "sandbox", "starlette", "uvicorn", "aiosmtpd", "jinja2"}
    imported: set[str] = set()
    for source in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert imported <= allowed
