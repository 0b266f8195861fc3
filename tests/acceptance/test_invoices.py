"""Invoices through real processes: exact, posted, there once, and at what cost."""

import pytest

from messages.catalogue import say
from tests.acceptance.conftest import System
from tests.acceptance.invoices import an_invoice_of, change, requests_to, retried, the_invoice
from tests.unit.factories import a_line, customer_json, invoice_json, project_json
from tests.waiting import wait_until

ORE_APART = [  # VAT for each row: 0.03 twice; for the rate: 0.05
    a_line(account_number="3010", amount_excluding_vat="0.10"),
    a_line(account_number="3020", amount_excluding_vat="0.10"),
]


@pytest.mark.parametrize("files", [0, 1, 3])
def test_an_undisturbed_invoice_costs_two_requests_one_for_each_file_and_one_to_link_them(
    system: System, files: int
) -> None:
    company = f"cost{files}"
    system.connect(company)
    system.publish(customer_json(company=company), project_json(company=company))
    system.settled(company, "e2")
    system.settled(company, "e1")
    before = len(requests_to(system, company))
    attachments = [system.file(company, name=f"{n}.pdf", size=2_000 + n) for n in range(files)]
    system.publish(invoice_json(company=company, attachments=attachments))
    assert system.settled(company, "e3").status == "done"
    made = requests_to(system, company)[before:]
    assert made == [
        "POST /3/invoices",
        *["POST /3/inbox"] * files,
        *["POST /api/fileattachments/attachments-v1"] * bool(files),
        "PUT /3/invoices/1001/bookkeep",
    ]
    assert len(the_invoice(system, company)["attachments"]) == files


# Compared before it is posted


def test_vat_that_fortnox_computes_otherwise_is_not_posted_and_the_mail_has_both_figures(system: System) -> None:
    system.in_english("vat")
    failed = an_invoice_of(
        system, "vat", tenant={"vat_rounding": "per_row"}, lines=ORE_APART, total_including_vat="0.25"
    )
    assert (failed.status, failed.code) == ("failed", "NotAsBilled")
    assert not the_invoice(system, "vat")["Booked"]
    wait_until(lambda: system.mails_to("ekonomi@vat.example"), what="the mail")
    (mail,) = system.mails_to("ekonomi@vat.example")
    for told in (
        "Total: 0.26 SEK in Fortnox, 0.25 SEK in Moment",
        "VAT: 0.06 SEK in Fortnox, 0.05 SEK in Moment",
        "Account 3010 with 25 % VAT on project 1: 0.10 SEK in Fortnox, 0.10 SEK in Moment",
        "not posted",
    ):
        assert told in " ".join(mail["text"].split())


def test_once_a_person_has_set_it_right_in_fortnox_a_retry_posts_it(system: System) -> None:
    an_invoice_of(system, "righted", tenant={"vat_rounding": "per_row"}, lines=ORE_APART, total_including_vat="0.25")
    assert retried(system, "righted").code == "NotAsBilled"
    system.stack.sandbox.tenant("righted", vat_rounding="per_rate")
    change(system, "righted", "PUT", "/3/invoices/1001", {"Invoice": {"Comments": "sparad igen"}})
    assert retried(system, "righted").status == "done"
    assert the_invoice(system, "righted")["writes"] == {"POST": 1, "PUT": 1, "bookkeep": 1}


def test_an_invoice_that_fortnox_rounds_to_whole_kronor_is_not_posted_and_is_told(system: System) -> None:
    failed = an_invoice_of(
        system,
        "kronor",
        tenant={"round_to_whole_kronor": True},
        lines=[a_line(amount_excluding_vat="80.32")],
        total_including_vat="100.40",
    )
    assert (failed.status, failed.code) == ("failed", "RoundedOff")
    assert "100.00 SEK, where Moment billed 100.40 SEK" in say(failed.reason)
    assert not the_invoice(system, "kronor")["Booked"]


def test_an_invoice_cancelled_in_fortnox_is_recognised_and_left_alone(system: System) -> None:
    an_invoice_of(system, "makulerad", tenant={"vat_rounding": "per_row"}, lines=ORE_APART, total_including_vat="0.25")
    change(system, "makulerad", "PUT", "/3/invoices/1001/cancel")
    failed = retried(system, "makulerad")
    assert (failed.status, failed.code) == ("failed", "Cancelled")
    assert "cancelled (makulerad)" in say(failed.reason)


def test_an_invoice_cancelled_before_it_could_be_posted_is_told_so(system: System) -> None:
    failed = an_invoice_of(system, "stopped", tenant={"locked_until": "2026-11-30"})
    assert "locked" in say(failed.reason)
    change(system, "stopped", "PUT", "/3/invoices/1001/cancel")
    assert retried(system, "stopped").code == "Cancelled"


def test_another_invoice_under_the_number_is_never_touched_and_its_customer_is_named(system: System) -> None:
    system.connect("taken")
    system.publish(customer_json(company="taken", event_id="c2", customer_number="77", name="Andra Bolaget AB"))
    system.settled("taken", "c2")
    other = {"DocumentNumber": "1001", "CustomerNumber": "77", "ExternalInvoiceReference1": "by hand"}
    change(system, "taken", "POST", "/3/invoices", {"Invoice": other})
    system.publish(
        customer_json(company="taken"), project_json(company="taken"), invoice_json(company="taken", attachments=[])
    )
    failed = system.settled("taken", "e3")
    assert (failed.status, failed.code) == ("failed", "NumberTaken")
    assert "77 Andra Bolaget AB" in say(failed.reason)
    found = the_invoice(system, "taken")
    assert (found["Booked"], found["CustomerNumber"], found["writes"]) == (False, "77", {"POST": 1})


@pytest.mark.parametrize("code", [2999001, 2000755])  # as yet unknown; known, and for something else
def test_the_same_invoice_in_a_second_event_is_found_complete_and_left_as_it_is(system: System, code: int) -> None:
    company = f"again{code}"
    attachments = [system.file(company, name=f"{n}.pdf", size=1_000 + n) for n in range(2)]
    tenant = {"duplicate_document_code": code}
    assert an_invoice_of(system, company, attachments=attachments, tenant=tenant).status == "done"
    before = the_invoice(system, company)
    system.publish(invoice_json(company=company, event_id="once-more", attachments=attachments))
    done = system.settled(company, "once-more")
    assert (done.status, say(done.reason)) == ("done", "")
    assert the_invoice(system, company) == before
    assert system.ledger(company)["orphans"] == []


OTHERWISE = {"document_number_on_create": "ignored", "next_document_number": 7}


def test_an_invoice_that_fortnox_numbers_otherwise_is_not_posted_and_made_anew_once_that_is_mended(
    system: System,
) -> None:
    failed = an_invoice_of(system, "numbered", tenant=OTHERWISE)
    assert (failed.status, failed.code) == ("failed", "OtherNumber")
    assert "invoice 1001 the number 7" in say(failed.reason)
    assert "Cancel (makulera) invoice 7" in say(failed.remedy)
    assert retried(system, "numbered").code == "OtherNumber"
    assert the_invoice(system, "numbered")["writes"] == {"POST": 1}
    change(system, "numbered", "PUT", "/3/invoices/7/cancel")
    system.stack.sandbox.tenant("numbered", document_number_on_create="honoured")
    assert retried(system, "numbered").status == "done"
    found = {one["DocumentNumber"]: one["writes"] for one in system.ledger("numbered")["invoices"]}
    assert found == {"7": {"POST": 1, "cancel": 1}, "1001": {"POST": 1, "bookkeep": 1}}


def test_one_that_was_numbered_otherwise_is_found_when_the_answer_was_lost_and_a_strangers_is_left_alone(
    system: System,
) -> None:
    company = "numbered-lost"
    system.connect(company)
    system.publish(customer_json(company=company), project_json(company=company))
    system.settled(company, "e2")
    strangers = {"DocumentNumber": "1001", "CustomerNumber": "10001", "ExternalInvoiceReference1": "by hand"}
    change(system, company, "POST", "/3/invoices", {"Invoice": strangers})
    system.stack.sandbox.tenant(company, **OTHERWISE)
    system.stack.sandbox.fault("drop_response_after_write", tenant=company, method="POST", path="/3/invoices")
    file = system.file(company, name="a.pdf", size=1_000)
    system.publish(invoice_json(company=company, attachments=[file]))
    assert system.settled_at_once(company, "e3").code == "OtherNumber"
    found = {one["DocumentNumber"]: (one["writes"], one["attachments"]) for one in system.ledger(company)["invoices"]}
    assert found == {"1001": ({"POST": 1}, []), "7": ({"POST": 1}, [])}


def test_what_a_person_changed_after_a_refused_posting_is_compared_again(system: System) -> None:
    failed = an_invoice_of(system, "between", tenant={"locked_until": "2026-11-30"})
    assert failed.code.startswith("period-locked")
    change(system, "between", "PUT", "/3/invoices/1001", {"Invoice": {"Freight": 100}})
    system.stack.sandbox.post("lock", {"tenant": "between", "until": None})
    failed = retried(system, "between")
    assert (failed.status, failed.code) == ("failed", "NotAsBilled")
    assert "Freight: 100.00 SEK in Fortnox, 0.00 SEK in Moment" in say(failed.reason)
    assert not the_invoice(system, "between")["Booked"]
    change(system, "between", "PUT", "/3/invoices/1001", {"Invoice": {"Freight": 0}})
    assert retried(system, "between").status == "done"
    assert the_invoice(system, "between")["writes"] == {"POST": 1, "PUT": 2, "bookkeep": 1}


def test_what_was_compared_a_while_ago_is_compared_again_before_it_is_posted(system: System) -> None:
    company = "a-while"
    system.stack.sandbox.fault("fail_next", status=502, body="html", tenant=company, path="/3/inbox")
    system.connect(company)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(company=company, attachments=[system.file(company, name="a.pdf", size=1_000)]),
    )
    ordering = system.app.services.ordering
    wait_until(lambda: (e := ordering.event(company, "e3")) and e.status == "retrying", what="the fault")
    (created, at), *_ = ((step, at) for step, at in ordering.progress(company, "e3").items() if "created" in step)
    ordering.redis.hset(f"{ordering.prefix}progress:{company}:e3", created, int(at) - 3600)
    change(system, company, "PUT", "/3/invoices/1001", {"Invoice": {"Freight": 100}})
    assert system.settled_at_once(company, "e3").code == "NotAsBilled"
    assert not the_invoice(system, company)["Booked"]


def test_a_posting_that_fortnox_says_yes_to_and_does_not_do_is_told(system: System) -> None:
    failed = an_invoice_of(system, "yes-no", tenant={"posting_ignored": True})
    assert (failed.status, failed.code) == ("failed", "NotPosted")
    system.stack.sandbox.tenant("yes-no", posting_ignored=False)
    assert retried(system, "yes-no").status == "done"
    assert the_invoice(system, "yes-no")["writes"] == {"POST": 1, "bookkeep": 1}


# Resumed where it stopped

STEPS = {
    "POST": "/3/invoices",
    "upload": "/3/inbox",
    "link": "/api/fileattachments",
    "post": "/3/invoices/1001/bookkeep",
}
FAULTS = {
    "answer lost": {"kind": "drop_response_after_write"},
    "error after the write": {"kind": "fail_after_write", "status": 500},
    "cut before": {"kind": "drop_before"},
    "gateway": {"kind": "fail_next", "status": 502, "body": "html"},
    "throttled": {"kind": "fail_next", "status": 429, "body": "empty", "retry_after": 1},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_an_invoice_goes_on_from_the_step_it_had_reached(system: System, step: str, fault: str) -> None:
    company = f"{step}-{fault.replace(' ', '-')}"
    system.connect(company)
    system.publish(customer_json(company=company), project_json(company=company))
    system.settled(company, "e1")
    system.settled(company, "e2")
    method = "PUT" if step == "post" else "POST"
    system.stack.sandbox.post(
        "faults", {"tenant": company, "method": method, "path": STEPS[step], "count": 2, **FAULTS[fault]}
    )
    attachments = [system.file(company, name=f"{n}.pdf", size=1_000 + n) for n in range(2)]
    system.publish(invoice_json(company=company, attachments=attachments))
    assert system.settled_at_once(company, "e3").status == "done"
    ledger = system.ledger(company)
    system.stack.sandbox.delete("faults")
    (found,) = ledger["invoices"]
    assert found["writes"] == {"POST": 1, "bookkeep": 1}
    assert sorted(one["Name"] for one in found["attachments"]) == ["0.pdf", "1.pdf"]
    counters = ledger["counters"]
    assert counters.get("invoices.duplicates_refused", 0) == counters.get("invoices.bookkeep_repeated", 0) == 0
    unanswered = 2 if step == "upload" and "after" in FAULTS[fault]["kind"] else 0  # type: ignore[operator]
    log = (system.stack.logs / "worker.log").read_text()
    logged = [line for line in log.splitlines() if "invoice.orphan_upload" in line and company in line]
    assert len(ledger["orphans"]) == unanswered
    assert all(any(one["sha256"] in line for line in logged) for one in ledger["orphans"])
