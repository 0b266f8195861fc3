"""An invoice's files through real processes: each there once, and none of them ever holds the invoice up."""

import base64
import io

import pytest
import requests

from fortnox.payloads import AttachmentPayload
from messages.catalogue import lines, say
from tasks.attachments import UNANSWERED_MOST
from tasks.invoices import FILE_TRIES
from tests.acceptance.conftest import System
from tests.acceptance.invoices import an_invoice_of, change, requests_to, retried, the_invoice
from tests.unit.factories import an_attachment, customer_json, invoice_json, project_json
from tests.waiting import wait_until


def attachments_of(system: System, company: str) -> list[str]:
    return sorted(one["Name"] for one in the_invoice(system, company)["attachments"])


def downloads(system: System, company: str) -> dict[str, int]:
    state = requests.get(
        f"{system.stack.sandbox.moment}/_sandbox/state", params={"company": company}, timeout=30
    ).json()
    return dict(state["companies"][company]["files"])


def test_a_file_that_is_gone_is_named_in_the_mail_and_added_by_a_later_retry(system: System) -> None:
    system.in_english("gone")
    here = system.file("gone", name="faktura.pdf", size=1_000)
    later = system.file("gone", name="underlag.pdf", size=1_000, status=404)
    done = an_invoice_of(system, "gone", attachments=[here, later])
    assert done.status == "done"
    assert the_invoice(system, "gone")["Booked"]
    assert attachments_of(system, "gone") == ["faktura.pdf"]
    wait_until(lambda: system.mails_to("ekonomi@gone.example"), what="the mail")
    (mail,) = system.mails_to("ekonomi@gone.example")
    assert "“underlag.pdf”: its host answered 404" in mail["text"]
    assert "drift@integration.example, who adds what is missing" in " ".join(mail["text"].split())
    system.file("gone", name="underlag.pdf", size=1_000)
    before = len(requests_to(system, "gone"))
    assert say(retried(system, "gone").reason) == ""
    assert attachments_of(system, "gone") == ["faktura.pdf", "underlag.pdf"]
    assert the_invoice(system, "gone")["writes"] == {"POST": 1, "bookkeep": 1}
    assert downloads(system, "gone")["faktura.pdf"] == 1
    assert requests_to(system, "gone")[before:] == [
        "GET /api/fileattachments/attachments-v1",
        "POST /3/inbox",
        "POST /api/fileattachments/attachments-v1",
    ]


def test_a_file_attached_by_hand_meanwhile_is_not_added_again(system: System) -> None:
    gone = system.file("handmade", name="faktura.pdf", size=1_000, status=404)
    assert an_invoice_of(system, "handmade", attachments=[gone]).status == "done"
    attach_by_hand(system, "handmade", "inskannad.pdf")
    system.file("handmade", name="faktura.pdf", size=1_000)
    done = retried(system, "handmade")
    assert (done.status, lines(done.reason)[1:]) == ("done", ["“faktura.pdf”"])  # said, as it may be another
    assert attachments_of(system, "handmade") == ["inskannad.pdf"]


def test_a_file_that_a_person_attached_of_their_own_is_not_taken_for_the_invoices(system: System) -> None:
    company = "their-own"
    system.connect(company)
    system.publish(customer_json(company=company), project_json(company=company))
    system.settled(company, "e2")
    system.stack.sandbox.fault("drop_response_after_write", tenant=company, method="POST", path="/3/invoices")
    system.stack.sandbox.fault("fail_next", status=503, tenant=company, method="GET", path="/3/invoices", count=2)
    file = system.file(company, name="faktura.pdf", size=1_000)
    system.publish(invoice_json(company=company, attachments=[file]))
    event = system.app.services.ordering.event
    wait_until(lambda: (e := event(company, "e3")) and e.status == "retrying", what="the lost answer")
    attach_by_hand(system, company, "attest.pdf")
    assert say(system.settled_at_once(company, "e3").reason) == ""
    assert attachments_of(system, company) == ["attest.pdf", "faktura.pdf"]


def attach_by_hand(system: System, company: str, name: str) -> None:
    fortnox = system.fortnox(company)
    file = fortnox.inbox.upload(name, io.BytesIO(b"%PDF by hand"), "application/pdf")
    fortnox.attachments.attach([AttachmentPayload(entityId=1001, fileId=file.archive_file_id, includeOnSend=False)])


def test_what_cannot_be_read_of_a_file_does_not_hold_the_invoice_up(system: System) -> None:
    files = [
        an_attachment(file_name="text.pdf", url=None, content="åäö"),
        an_attachment(file_name="address.pdf", url="https://[bad"),
        an_attachment(file_name="empty.pdf", url=None, content=""),
    ]
    done = an_invoice_of(system, "unreadable", attachments=files)
    assert done.status == "done"
    assert the_invoice(system, "unreadable")["Booked"]
    for told in ("“text.pdf”: its content is not base64", "“address.pdf”: its address", "“empty.pdf”: is empty"):
        assert told in say(done.reason)


UPLOAD, LINK = "/3/inbox", "/api/fileattachments/attachments-v1"


@pytest.mark.parametrize("step", [UPLOAD, LINK])
@pytest.mark.parametrize(("status", "body"), [(500, "json"), (403, "html")])  # 403: a gateway that takes offence
def test_a_file_to_which_fortnox_never_answers_does_not_hold_the_invoice_up_and_follows(
    system: System, step: str, status: int, body: str
) -> None:
    company = f"unanswered-{step.split('/')[1]}-{status}"
    fault = {"status": status, "body": body, "tenant": company, "method": "POST", "path": step}
    system.stack.sandbox.fault("fail_next", count=UNANSWERED_MOST, **fault)
    system.connect(company)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(company=company, attachments=[system.file(company, name="a.pdf", size=1_000)]),
    )
    assert say(system.settled_at_once(company, "e3").reason) == ""
    made = requests_to(system, company)
    assert made.count(f"POST {step}") == UNANSWERED_MOST + 1
    posted = made.index("PUT /3/invoices/1001/bookkeep")
    assert [one for one in made[posted + 1 :] if one.startswith("POST")] == [f"POST {UPLOAD}"] * (step == UPLOAD) + [
        f"POST {LINK}"
    ]
    assert attachments_of(system, company) == ["a.pdf"]


def test_an_upload_that_was_removed_before_it_was_linked_is_made_again(system: System) -> None:
    company = "removed"
    link = "/api/fileattachments"
    system.stack.sandbox.fault("fail_next", status=502, body="html", tenant=company, method="POST", path=link)
    system.connect(company)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(company=company, attachments=[system.file(company, name="a.pdf", size=1_000)]),
    )
    event = system.app.services.ordering.event
    wait_until(lambda: (e := event(company, "e3")) and e.status == "retrying", what="the fault")
    (orphan,) = system.ledger(company)["orphans"]
    change(system, company, "DELETE", f"/3/inbox/{orphan['Id']}")
    assert say(system.settled_at_once(company, "e3").reason) == ""
    assert attachments_of(system, company) == ["a.pdf"]
    assert the_invoice(system, company)["writes"] == {"POST": 1, "bookkeep": 1}


def test_a_file_that_fortnox_refused_is_taken_anew_by_a_later_retry(system: System) -> None:
    company = "smaller"
    large = system.file(company, name="large.pdf", size=6_000_000)
    assert "“large.pdf”: " in say(an_invoice_of(system, company, attachments=[large]).reason)
    system.file(company, name="large.pdf", size=1_000)
    assert say(retried(system, company).reason) == ""
    assert attachments_of(system, company) == ["large.pdf"]


def test_a_host_that_is_down_does_not_hold_the_invoice_up_and_the_file_follows(system: System) -> None:
    company = "later"
    files = [system.file(company, name="a.pdf", size=1_000), system.file(company, name="b.pdf", size=1_000, status=503)]
    system.connect(company)
    system.publish(
        customer_json(company=company), project_json(company=company), invoice_json(company=company, attachments=files)
    )
    event = system.app.services.ordering.event
    wait_until(lambda: (e := event(company, "e3")) and e.status == "retrying", what="the first try")
    assert the_invoice(system, company)["Booked"]
    assert attachments_of(system, company) == ["a.pdf"]
    record = event(company, "e3")
    assert record is not None
    assert "posted; a file is not there yet. “b.pdf”: its host answered 503" in say(record.reason)
    system.file(company, name="b.pdf", size=1_000)
    assert system.settled(company, "e3").status == "done"
    assert attachments_of(system, company) == ["a.pdf", "b.pdf"]
    assert the_invoice(system, company)["writes"] == {"POST": 1, "bookkeep": 1}


def test_a_host_that_stays_down_is_given_up_after_ten_tries_and_the_file_named(system: System) -> None:
    company = "stays-down"
    file = system.file(company, name="b.pdf", size=1_000, status=503)
    system.connect(company)
    system.publish(
        customer_json(company=company), project_json(company=company), invoice_json(company=company, attachments=[file])
    )
    done = system.settled_at_once(company, "e3")
    assert done.status == "done"
    assert "“b.pdf”: its host answered 503" in say(done.reason)
    assert downloads(system, company)["b.pdf"] == FILE_TRIES
    assert the_invoice(system, company)["writes"] == {"POST": 1, "bookkeep": 1}


def test_a_key_that_moment_refuses_loses_no_file_however_often_it_was_tried(system: System) -> None:
    company = "rotated"
    moment = system.stack.sandbox
    path = f"/api/1.0/companies/{company}/files"
    tries = FILE_TRIES + 2
    moment.in_moment("POST", "faults", {"kind": "fail_next", "status": 401, "path": path, "count": tries})
    system.connect(company)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(company=company, attachments=[system.file(company, name="a.pdf", size=1_000)]),
    )
    assert say(system.settled_at_once(company, "e3").reason) == ""
    assert attachments_of(system, company) == ["a.pdf"]
    assert the_invoice(system, company)["writes"] == {"POST": 1, "bookkeep": 1}


def test_the_same_file_twice_is_uploaded_once_by_its_address_and_by_its_content(system: System) -> None:
    same = {"content_base64": base64.b64encode(b"%PDF the same").decode()}
    first = system.file("twins", name="a.pdf", **same)
    second = system.file("twins", name="b.pdf", **same)
    inside = an_attachment(file_name="c.pdf", url=None, content=same["content_base64"])
    done = an_invoice_of(system, "twins", attachments=[first, first, second, inside, inside])
    assert done.status == "done"
    assert attachments_of(system, "twins") == ["a.pdf"]
    assert requests_to(system, "twins").count("POST /3/inbox") == 1
    assert system.ledger("twins")["orphans"] == []


NAMES = ["Räkning från Åsa & Örjan.pdf", "  två  mellanslag .pdf", "å" * 196 + ".pdf", 'citat"tecken.pdf', "faktura"]


def test_names_with_swedish_letters_spaces_and_200_characters_arrive(system: System) -> None:
    files = [
        an_attachment(file_name=name, url=None, content=base64.b64encode(b"%PDF" + name.encode()).decode())
        for name in NAMES
    ]
    assert an_invoice_of(system, "names", attachments=files).status == "done"
    assert attachments_of(system, "names") == sorted(name.replace('"', "%22") for name in NAMES)


def test_a_file_from_elsewhere_or_behind_a_redirect_is_never_fetched(system: System) -> None:
    moved = system.file("hosts", name="moved.pdf", redirect="http://169.254.169.254/latest")
    elsewhere = an_attachment(file_name="x.pdf", url="https://evil.example/x.pdf")
    done = an_invoice_of(system, "hosts", attachments=[moved, elsewhere])
    assert done.status == "done"
    assert the_invoice(system, "hosts")["Booked"]
    assert "“moved.pdf”: its host answered 302" in say(done.reason)
    assert "“x.pdf”: “evil.example” is not Moment and not listed in ATTACHMENT_HOSTS" in say(done.reason)


def test_a_file_that_fortnox_refuses_is_left_out_and_the_others_are_linked(system: System) -> None:
    large = system.file("toobig", name="large.pdf", size=6_000_000)
    small = [system.file("toobig", name=f"{n}.pdf", size=1_000 + n) for n in range(2)]
    done = an_invoice_of(system, "toobig", attachments=[small[0], large, small[1]])
    assert done.status == "done"
    assert "“large.pdf”: " in say(done.reason)
    assert "0.pdf" not in say(done.reason)
    assert attachments_of(system, "toobig") == ["0.pdf", "1.pdf"]
    assert retried(system, "toobig").status == "done"
    assert attachments_of(system, "toobig") == ["0.pdf", "1.pdf"]


def test_an_upload_that_fortnox_refuses_is_left_out(system: System) -> None:
    system.stack.sandbox.fault("fail_next", status=413, body="html", tenant="toolarge", path="/3/inbox")
    files = [system.file("toolarge", name=f"{n}.pdf", size=1_000 + n) for n in range(2)]
    done = an_invoice_of(system, "toolarge", attachments=files)
    assert done.status == "done"
    assert "“0.pdf”: " in say(done.reason)
    assert attachments_of(system, "toolarge") == ["1.pdf"]


def test_pdfs_go_along_when_fortnox_sends_the_invoice_as_far_as_its_limits_reach(system: System) -> None:
    text = system.file("sent", name="0.txt", size=10, content_type="text/plain")
    pdfs = [system.file("sent", name=f"{n}.pdf", size=1_000 + n) for n in range(1, 8)]
    system.connect("sent", include_on_send_overflow="refused")
    system.publish(
        customer_json(company="sent"),
        project_json(company="sent"),
        invoice_json(company="sent", attachments=[text, *pdfs]),
    )
    assert say(system.settled("sent", "e3").reason) == ""
    linked = the_invoice(system, "sent")["attachments"]
    included = {one["Name"] for one in linked if one["includeOnSend"]}
    assert len(linked) == 8
    assert included == {f"{n}.pdf" for n in range(1, 6)}


def test_a_missing_scope_is_not_taken_for_a_bad_file(system: System) -> None:
    system.stack.sandbox.fault(
        "fail_next", status=400, code=2000663, message="Har inte behörighet för scope", tenant="scope", path="/3/inbox"
    )
    held = an_invoice_of(system, "scope", attachments=[system.file("scope", name="a.pdf", size=1_000)])
    assert held.status == "held"
    assert retried(system, "scope").status == "done"
    assert attachments_of(system, "scope") == ["a.pdf"]


def test_what_a_look_has_found_linked_is_not_forgotten_when_the_next_link_is_refused(system: System) -> None:
    company, link = "looked", "/api/fileattachments"
    files = [system.file(company, name=f"{name}.pdf", size=1_000 + n) for n, name in enumerate("ab")]
    path = f"/api/1.0/companies/{company}/files/b.pdf"
    late = {"kind": "fail_next", "status": 503, "path": path}
    requests.post(f"{system.stack.sandbox.moment}/_sandbox/faults", json=late, timeout=30).raise_for_status()
    system.stack.sandbox.fault("drop_response_after_write", tenant=company, path=link, method="POST")
    system.stack.sandbox.fault("fail_next", status=429, retry_after=1, skip=1, tenant=company, path=link, method="POST")
    system.connect(company)
    system.publish(
        customer_json(company=company), project_json(company=company), invoice_json(company=company, attachments=files)
    )
    assert system.settled_at_once(company, "e3").status == "done"
    assert requests_to(system, company).count(f"POST {link}/attachments-v1") == 3
    assert attachments_of(system, company) == ["a.pdf", "b.pdf"]


def test_a_pdf_that_fortnox_does_not_take_for_one_is_attached_and_not_sent_along(system: System) -> None:
    odd = base64.b64encode(b"\n%PDF-1.4 after a blank line").decode()
    files = [system.file("odd", name="plain.pdf", size=1_000), system.file("odd", name="odd.pdf", content_base64=odd)]
    assert say(an_invoice_of(system, "odd", attachments=files).reason) == ""
    linked = {one["Name"]: one["includeOnSend"] for one in the_invoice(system, "odd")["attachments"]}
    assert linked == {"plain.pdf": True, "odd.pdf": False}
