"""The settings of one ledger: what a real company chooses in Fortnox, and options where Fortnox documents nothing."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from sandbox.fortnox import errors
from sandbox.fortnox.money import VatRounding
from sandbox.knobs import Knobs


@dataclass(slots=True)
class Settings(Knobs):
    # What a company decides in Fortnox
    company_name: str = ""
    organisation_number: str = "556000-0001"
    accounting_method: Literal["ACCRUAL", "CASH"] = "ACCRUAL"
    project_module: bool = True
    warehouse_module: bool = False
    warehouse_migrating: bool = False  # the module is being set up
    api_licence: bool = True
    unlicensed_scopes: list[str] = field(default_factory=list)
    denied_resources: list[str] = field(default_factory=list)  # what the consenting user may not touch
    round_to_whole_kronor: bool = False  # "öresavrundning"
    vat_rates: list[Decimal] = field(default_factory=lambda: [Decimal(n) for n in (25, 12, 6, 0)])
    easy_vat: bool = False
    administration_fee: Decimal = Decimal(0)  # predefined: used when an invoice leaves it out
    freight: Decimal = Decimal(0)
    fee_vat: Decimal = Decimal(25)
    administration_fee_account: int | None = 3540
    freight_account: int | None = 3520
    default_sales_account: int = 3001
    invoice_voucher_series: str | None = "B"  # the one recorded responses show; null: none is chosen
    default_vat: Decimal = Decimal(25)
    default_terms_of_payment: str = "30"
    next_document_number: int = 1
    ocr_generated: bool = True
    ocr_must_be_valid: bool = False
    ocr_must_be_unique: bool = False
    locked_until: date | None = None

    # Where Fortnox publishes nothing, or its sources disagree
    duplicate_document_code: int = errors.DUPLICATE_DOCUMENT
    already_booked_code: int = errors.ALREADY_BOOKED
    locked_period_code: int = 2000401  # also seen: 2002141
    vat_rounding: VatRounding = "per_rate"
    credit_reference_on_create: Literal["honoured", "ignored", "refused", "once"] = "honoured"
    ocr_refused: str = ""  # a reason to refuse every OCR number on create, in words that nobody has published
    blank_on_create: Literal["honoured", "ignored", "refused", "literal"] = "honoured"  # `API_BLANK` in a POST
    text_row: str = ""  # a row of text alone, put first on each new invoice
    credit_refused: str = ""  # a reason to refuse every credit reference on create, in words that nobody has published
    refused_on_update: dict[str, str] = field(default_factory=dict)  # a customer's or project's field -> in what words
    document_number_on_create: Literal["honoured", "ignored"] = "honoured"
    currency_unit_on_create: Literal["honoured", "ignored"] = "honoured"
    posting_ignored: bool = False  # answers a posting with the invoice as it was
    completed_project_refused: bool = False
    project_without_start_refused: bool = False
    posting_stopped: str = ""  # a reason to refuse all posting, in words that nobody has published
    zero_posting: Literal["posted", "refused", "ignored"] = "posted"  # of an invoice whose total is 0
    negative_price_refused: bool = False
    vat_numbers_refused: bool = False  # every `VATNumber` of a customer is invalid
    row_description_max: int = 255  # older documentation says 50
    max_rows: int = 500
    lastmodified_inclusive: bool = True
    attest_changes_lastmodified: bool = False
    supplier_invoices_by_change: bool = False
    article_rows_without_debit: bool = (
        False  # a supplier invoice's row with an article says its amount in `Total` alone
    )
    reverse_charge_bases: bool = False  # reverse-charge purchases are booked on base accounts too (4535 against 4598)
    hidden_fields: list[str] = field(default_factory=list)  # of supplier invoices and their rows: `API_NORIGHT`
    payments_change_invoice: bool = True  # whether a payment shows in its invoice's `lastmodified`
    credit_notes_settle: bool = True  # whether a posted credit note is set off against its invoice
    include_on_send_overflow: Literal["silent", "refused"] = "silent"
    attachment_max_bytes: int = 5_000_000
    attachments_max_total_bytes: int = 15_000_000
    attachments_max_included: int = 5
    attachments_max_in_request: int = 20
