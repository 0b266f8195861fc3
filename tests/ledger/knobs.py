"""What real companies have set in their ledgers, drawn at random, and what it means for what must be in them. Pure.

Half of the companies of a run draw: each knob is theirs or not. A new setting of the sandbox is one more line in
`KNOBS`, or in `LEFT_OUT` with the reason; a test holds that every setting is in one of the two.
"""

import random
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple


@dataclass(frozen=True, slots=True)
class Expected:
    """What differs from a ledger as it is without knobs."""

    whole_kronor: bool = False  # invoices are billed to whole kronor there
    unlinked: bool = False  # no credit note is linked to its invoice, and that is told


AS_USUAL: Final = Expected()


class Knob(NamedTuple):
    """A setting and the values that it may have there."""

    setting: str
    values: tuple[Any, ...]
    expected: Expected = AS_USUAL


VAGUE: Final = "Ett fel har inträffat."


KNOBS: Final = (
    Knob("round_to_whole_kronor", (True,), Expected(whole_kronor=True)),
    Knob("credit_refused", (VAGUE, "Fakturan är såld till factoringbolaget."), Expected(unlinked=True)),
    Knob("text_row", ("Tack för er beställning",)),
    Knob("blank_on_create", ("ignored", "refused", "literal")),
    Knob("ocr_refused", (VAGUE, "Betalningsreferensen godtas inte.")),
    Knob("administration_fee", (45,)),
    Knob("freight", (99.5,)),
    Knob("fee_vat", (12,)),
    Knob("administration_fee_account", (None,)),
    Knob("freight_account", (None,)),
    Knob("default_sales_account", (3041,)),
    Knob("default_vat", (12,)),
    Knob("default_terms_of_payment", ("10",)),
    Knob("invoice_voucher_series", ("A",)),
    Knob("next_document_number", (1001,)),
    Knob("ocr_generated", (False,)),
    Knob("ocr_must_be_valid", (True,)),
    Knob("ocr_must_be_unique", (True,)),
    Knob("vat_rates", ([25, 12, 6, 0, 19],)),
    Knob("company_name", ("Snickeri & Måleri i Åmål AB",)),
    Knob("organisation_number", ("556677-8899",)),
    Knob("duplicate_document_code", (2000637,)),
    Knob("already_booked_code", (2001243,)),
    Knob("completed_project_refused", (True,)),
    Knob("project_without_start_refused", (True,)),
    Knob("refused_on_update", ({"OrganisationNumber": "Organisationsnumret kan inte ändras."},)),
)

LEFT_OUT: Final = {
    "accounting_method": "nothing is posted",
    "project_module": "invoices on projects wait for it",
    "warehouse_module": "nothing is posted before it is completed in the warehouse",
    "warehouse_migrating": "nothing is posted meanwhile",
    "api_licence": "nothing is transferred",
    "unlicensed_scopes": "what needs them waits",
    "denied_resources": "what needs them waits",
    "easy_vat": "the plan's rates are not those of its accounts, and Fortnox refuses them",
    "locked_until": "what is dated before waits for a person",
    "locked_period_code": "no period is locked",
    "vat_rounding": "invoices whose VAT differs from ours are refused",
    "credit_reference_on_create": "`credit_refused` says the same; a link that is ignored is not told",
    "document_number_on_create": "no invoice with another number is posted",
    "currency_unit_on_create": "an invoice in yen is not posted for a hundredth",
    "posting_ignored": "nothing is posted",
    "posting_stopped": "nothing is posted",
    "zero_posting": "an invoice that Fortnox does not post is told, and stays unposted",
    "negative_price_refused": "an invoice with a negative price waits for a person",
    "vat_numbers_refused": "the plan's customers are in Sweden",
    "row_description_max": "tests/integration tries it by itself",
    "max_rows": "the plan has few rows",
    "lastmodified_inclusive": "of lists, which invoices do not need",
    "attest_changes_lastmodified": "of supplier invoices",
    "supplier_invoices_by_change": "of supplier invoices",
    "article_rows_without_debit": "of supplier invoices",
    "reverse_charge_bases": "of supplier invoices",
    "hidden_fields": "of supplier invoices",
    "payments_change_invoice": "of payments",
    "credit_notes_settle": "of payments",
    "include_on_send_overflow": "the plan has few files",
    "attachment_max_bytes": "the plan has small files",
    "attachments_max_total_bytes": "the plan has small files",
    "attachments_max_included": "the plan has few files",
    "attachments_max_in_request": "the plan has few files",
}


# What a customer's card says of invoices, where people entered it before the company was connected.
CARD: Final[dict[str, tuple[Any, ...]]] = {
    "InvoiceDiscount": (0, 10, 100),
    "CostCenter": ("", "MA"),
    "OurReference": ("", "Tidigare handläggare"),
    "YourReference": ("", "Tidigare kontakt"),
    "InvoiceRemark": ("", "Gammal text"),
    "Currency": ("SEK", "EUR"),
    "ShowPriceVATIncluded": (False, True),
    "InvoiceAdministrationFee": ("0", "29"),
    "InvoiceFreight": ("0", "95"),
    "TermsOfPayment": ("30", "10"),
}
PROJECTS: Final = ("", "1")  # only where it can be emptied: else the invoice rightly waits for a person

Draw = tuple[dict[str, Any], dict[str, Any], Expected]


def drawn(seed: int, companies: int) -> list[Draw]:
    """For each company the settings of its ledger, its customers' cards, and what they mean. Every second has none."""
    dice = random.Random(f"knobs {seed}")
    return [_draw(dice) if n % 2 else ({}, {}, AS_USUAL) for n in range(companies)]


def _draw(dice: random.Random) -> Draw:
    knobs = [knob for knob in KNOBS if dice.random() < 0.5]
    settings = {knob.setting: dice.choice(knob.values) for knob in knobs}
    card = {name: dice.choice(choices) for name, choices in CARD.items()}
    if "blank_on_create" not in settings:
        card["Project"] = dice.choice(PROJECTS)
    means = {one.name: any(getattr(knob.expected, one.name) for knob in knobs) for one in fields(Expected)}
    return settings, card, Expected(**means)
