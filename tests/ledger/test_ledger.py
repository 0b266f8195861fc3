"""The short variant of `make ledger`, and the proof that it would notice."""

import copy
import random
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.fortnox.settings import Settings
from tests.ledger import check
from tests.ledger.knobs import KNOBS, LEFT_OUT, drawn
from tests.ledger.plan import Company, plan
from tests.ledger.run import run

pytestmark = pytest.mark.proof


def test_every_invoice_is_there_once_and_exact_whatever_fails_on_the_way(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    report = run(100, seed, tmp_path)
    assert report.broken == [], f"seed {seed}\n{report}"
    assert report.invoices + report.credit_notes == 100


def test_every_setting_of_the_sandbox_is_drawn_or_left_out_with_a_reason() -> None:
    named = [knob.setting for knob in KNOBS] + [*LEFT_OUT]
    assert sorted(named) == sorted(one.name for one in fields(Settings))


def test_half_of_the_companies_draw_each_knob_in_some_run_and_the_same_seed_draws_the_same() -> None:
    ledgers = drawn(7, 100)
    assert ledgers == drawn(7, 100) != drawn(8, 100)
    assert sum(not settings for settings, _, _ in ledgers) == 50
    assert {name for settings, _, _ in ledgers for name in settings} == {knob.setting for knob in KNOBS}
    assert all(expected.whole_kronor == ("round_to_whole_kronor" in settings) for settings, _, expected in ledgers)


# Without faults, by hand


def a_right_ledger(company: Company) -> dict[str, Any]:
    numbers = {document.number for document in company.documents}
    return {
        "counters": {check.LOST_UPLOADS: 1},
        "orphans": [{"sha256": "lost"}],
        "invoices": [
            {
                "DocumentNumber": str(document.number),
                "Total": document.total,
                "TotalVAT": check.vat(document),
                "CustomerNumber": document.event["invoice"]["customer"]["customerNumber"],
                "InvoiceRows": [
                    {"AccountNumber": account, "VAT": rate, "Project": project, "Price": net, "DeliveredQuantity": "1"}
                    for (account, rate, project), net in check.rows(document).items()
                ],
                "Project": check.project(document),
                "Currency": document.event["invoice"]["currencyCode"],
                "Booked": True,
                "writes": {"POST": 1, "bookkeep": 1},
                "attachments": [{"sha256": digest, "includeOnSend": True} for digest in document.files],
                "InvoiceReference": str(document.credited) if document.credited in numbers else "0",
                "ExternalInvoiceReference2": str(document.credited or ""),
            }
            for document in company.documents
        ],
    }


@pytest.fixture(scope="module")
def company() -> Company:
    return plan(400, 7, "http://moment.example")[0]


def found_in(company: Company, ledger: dict[str, Any]) -> list[str]:
    reasons = {
        document.event["id"]: "without these files" + "".join(document.missing) if document.missing else ""
        for document in company.documents
    }
    return check.broken(company, ledger, reasons, ["lost"])


def test_a_ledger_that_is_right_is_found_so(company: Company) -> None:
    assert found_in(company, a_right_ledger(company)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ledger: ledger["invoices"].pop(),
        lambda ledger: ledger["invoices"].append(ledger["invoices"][0] | {"DocumentNumber": "4711"}),
        lambda ledger: ledger["invoices"][0].update(Total=ledger["invoices"][0]["Total"] + Decimal("0.01")),
        lambda ledger: ledger["invoices"][0].update(Booked=False),
        lambda ledger: ledger["invoices"][0].update(writes={"POST": 1, "bookkeep": 2}),
        lambda ledger: ledger["invoices"][0].update(CustomerNumber="3"),
        lambda ledger: ledger["invoices"][0].update(TotalVAT=ledger["invoices"][0]["TotalVAT"] + Decimal("0.01")),
        lambda ledger: ledger["invoices"][0]["InvoiceRows"][0].update(AccountNumber=3999),
        lambda ledger: ledger["invoices"][0]["InvoiceRows"][0].update(VAT=7),
        lambda ledger: ledger["invoices"][0]["InvoiceRows"][0].update(Project="9"),
        lambda ledger: ledger["invoices"][0].update(Project="9"),
        lambda ledger: ledger["invoices"][0]["InvoiceRows"][0].update(DeliveredQuantity="2"),
        lambda ledger: next(
            one for one in ledger["invoices"] if one["attachments"]
        )["attachments"][0].update(includeOnSend=False),
        lambda ledger: ledger["invoices"][0]["attachments"].append({"sha256": "another", "includeOnSend": True}),
        lambda ledger: ledger["orphans"].append({"sha256": "untold"}),
        lambda ledger: ledger["counters"].clear(),
        lambda ledger: ledger["counters"].update({"invoices.bookkeep_repeated": 1}),
        lambda ledger: next(
            one for one in ledger["invoices"] if one["ExternalInvoiceReference2"]
        ).update(InvoiceReference="1"),
    ],
)  # fmt: skip
def test_each_way_of_being_wrong_is_noticed(company: Company, spoil: Any) -> None:
    ledger = copy.deepcopy(a_right_ledger(company))
    spoil(ledger)
    assert found_in(company, ledger)
