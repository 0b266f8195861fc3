"""Whole kronor, the rounding account, invoices of nothing and mixed signs: posted as billed, or told."""

from typing import Any

import pytest

from messages.catalogue import say
from ordering import EventRecord
from tests.unattended import Unattended
from tests.unit.factories import a_line, credit_note_json, invoice_json

ROUNDED = {"lines": [a_line(amount_excluding_vat="80.32")], "total_including_vat": "100.00"}  # 100.40


def transferred(acme: Unattended, event: dict[str, Any]) -> EventRecord:
    acme.publish(event)
    acme.run(event["id"])
    return acme.event(event["id"])


def billed(**invoice: Any) -> dict[str, Any]:
    return invoice_json(project=None, attachments=[], **invoice)


def in_fortnox(acme: Unattended, number: int = 1001) -> dict[str, Any]:
    return next(one for one in acme.sandbox.state("acme")["invoices"] if one["DocumentNumber"] == str(number))


# Whole kronor


def test_an_invoice_that_fortnox_rounds_to_whole_kronor_is_not_posted_and_says_what_to_do(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", round_to_whole_kronor=True)
    event = transferred(acme, billed(lines=[a_line(amount_excluding_vat="80.32")], total_including_vat="100.40"))
    assert (event.status, event.code, in_fortnox(acme)["Booked"]) == ("failed", "RoundedOff", False)
    assert "100.00 SEK, where Moment billed 100.40 SEK" in say(event.reason)
    assert "Turn off rounding to whole kronor" in say(event.remedy)
    acme.sandbox.tenant("acme", round_to_whole_kronor=False)
    acme.by_hand("invoices/1001", {"Invoice": {"Comments": "sparad"}}, method="PUT")
    assert acme.run("e3") == "done"
    assert (in_fortnox(acme)["Booked"], str(in_fortnox(acme)["Total"])) == (True, "100.4")


def test_an_invoice_that_a_person_has_posted_rounded_is_told_so(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", round_to_whole_kronor=True)
    transferred(acme, billed(lines=[a_line(amount_excluding_vat="80.32")], total_including_vat="100.40"))
    acme.sandbox.post("invoices/1001/book", {"tenant": "acme"})
    acme.run("e3")
    assert acme.event("e3").reason.key == "invoice.rounded-off.posted"
    assert "posted at 100.00 SEK, where Moment billed 100.40 SEK" in say(acme.event("e3").reason)


def test_an_invoice_in_whole_kronor_is_posted_where_fortnox_rounds_too(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", round_to_whole_kronor=True)
    assert transferred(acme, billed(**ROUNDED)).status == "done"
    assert (in_fortnox(acme)["Booked"], in_fortnox(acme)["Total"]) == (True, 100)


# The rounding account


@pytest.mark.parametrize("words", ["Kunde inte hitta konto (3740)", "Kunde inte hitta konto"])
def test_a_rounding_account_that_is_missing_is_told_with_its_setting(acme: Unattended, words: str) -> None:
    acme.sandbox.delete("accounts/3740?tenant=acme")
    acme.sandbox.fault("fail_next", status=400, code=2001304, message=words, method="POST", path="/3/invoices")
    event = transferred(acme, billed(**ROUNDED))
    assert (event.status, event.code) == ("failed", "account-unknown 2001304")
    assert "account 3740" in say(event.reason)
    assert "companies settings acme roundingAccount=" in say(event.remedy)
    acme.command("companies", "settings", "acme", "roundingAccount=3990")
    assert acme.run("e3") == "done"
    assert in_fortnox(acme)["InvoiceRows"][-1]["AccountNumber"] == 3990


def test_a_rounding_account_that_is_not_active_is_told_with_its_setting(acme: Unattended) -> None:
    acme.sandbox.account("acme", 3740, active=False)
    event = transferred(acme, billed(**ROUNDED))
    assert event.code.startswith("account-inactive")
    assert "roundingAccount=" in say(event.remedy)


def test_an_account_of_moments_that_is_missing_is_not_taken_for_the_rounding_account(acme: Unattended) -> None:
    lines = [a_line(account_number="3599", amount_excluding_vat="80.32")]
    event = transferred(acme, billed(lines=lines, total_including_vat="100.00"))
    assert event.code.startswith("account-unknown")
    assert "roundingAccount" not in say(event.remedy)


# Nothing, and mixed signs

ZERO = [a_line(amount_excluding_vat="0")]
CANCELLED_OUT = [a_line(amount_excluding_vat="100"), a_line(amount_excluding_vat="-100")]
MOVED = [a_line(amount_excluding_vat="100"), a_line(account_number="3050", amount_excluding_vat="-100")]


@pytest.mark.parametrize("lines", [ZERO, CANCELLED_OUT, MOVED])
@pytest.mark.parametrize("credit", [False, True])
def test_an_invoice_of_nothing_is_posted_where_fortnox_posts_it(
    acme: Unattended, lines: list[dict[str, Any]], credit: bool
) -> None:
    transferred(acme, billed())
    make = credit_note_json if credit else billed
    number = {} if credit else {"event_id": "e5", "id": 2, "invoice_number": 1002}
    event = transferred(acme, make(lines=lines, total_including_vat="0.00", **{"project": None} if credit else number))
    assert (event.status, say(event.reason)) == ("done", "")
    assert in_fortnox(acme, 1002)["Booked"]


@pytest.mark.parametrize("answer", ["refused", "ignored"])
@pytest.mark.parametrize("lines", [ZERO, CANCELLED_OUT])
def test_an_invoice_that_books_nothing_is_done_and_told_where_fortnox_does_not_post_it(
    acme: Unattended, lines: list[dict[str, Any]], answer: str
) -> None:
    acme.sandbox.tenant("acme", zero_posting=answer)
    event = transferred(acme, billed(lines=lines, total_including_vat="0.00"))
    assert (event.status, event.reason.key) == ("done", "invoice.nothing-to-post")
    assert not in_fortnox(acme)["Booked"]


@pytest.mark.parametrize("answer", ["refused", "ignored"])
def test_an_invoice_of_nothing_that_moves_an_amount_is_told_where_fortnox_does_not_post_it(
    acme: Unattended, answer: str
) -> None:
    acme.sandbox.tenant("acme", zero_posting=answer)
    event = transferred(acme, billed(lines=MOVED, total_including_vat="0.00"))
    assert event.status == "failed"
    assert event.reason


def test_a_fee_on_a_credit_note_is_posted_or_told(acme: Unattended) -> None:
    fee = a_line(account_number="3540", amount_excluding_vat="100", description="Avgift")
    lines = [a_line(amount_excluding_vat="-10000"), fee]
    transferred(acme, billed())
    acme.sandbox.tenant("acme", negative_price_refused=True)
    event = transferred(acme, credit_note_json(project=None, lines=lines, total_including_vat="-12375"))
    assert event.status == "failed"
    assert "negativt" in event.said
    acme.sandbox.tenant("acme", negative_price_refused=False)
    assert acme.run("e5") == "done"
    assert (in_fortnox(acme, 1002)["Booked"], in_fortnox(acme, 1002)["Total"]) == (True, -12375)


def test_a_rounding_account_that_is_missing_is_told_on_connecting(unattended: Unattended) -> None:
    unattended.sandbox.delete("accounts/3740?tenant=acme")
    unattended.connect()
    assert "account 3740" in say(unattended.event("e4").reason)
    assert "companies settings acme roundingAccount=" in say(unattended.event("e4").reason)
