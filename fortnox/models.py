"""Fortnox's answers: frozen models of the fields that are used. Pure. No I/O.

They are tolerant, because Fortnox is not uniform: unknown fields are ignored, amounts and document numbers come as
numbers or text, an empty text means none, and one field has two names (`Cancel` in a list, `Cancelled` elsewhere).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_pascal

NO_RIGHT = "API_NORIGHT"  # in place of a field's value: the grant may not read it
MOST = Decimal(10**13)  # more than any amount of a ledger; far below what arithmetic can choke on


def _or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _or_zero(value: Any) -> Any:
    return Decimal(0) if _or_none(value) is None else value


def _or_no(value: Any) -> Any:
    return False if _or_none(value) is None else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _or_none(value)


def _reference(value: Any) -> Any:
    """None for null, "" and 0: Fortnox uses all three for "no document"."""
    return None if (text := _as_text(value)) in {None, "0"} else text


Number = Annotated[Annotated[str, Field(max_length=1024)], BeforeValidator(_as_text)]
Text = Annotated[str | None, BeforeValidator(_as_text)]
Reference = Annotated[str | None, BeforeValidator(_reference)]
Day = Annotated[Annotated[date, Field(ge=date(1900, 1, 1), lt=date(2200, 1, 1))] | None, BeforeValidator(_or_none)]
Bounded = Annotated[Decimal, Field(gt=-MOST, lt=MOST)]
Amount = Annotated[Bounded | None, BeforeValidator(_or_none)]
AmountOrZero = Annotated[Bounded, BeforeValidator(_or_zero)]
Flag = Annotated[bool, BeforeValidator(_or_no)]  # also "true" and "false" as text
Account = Annotated[int | None, BeforeValidator(_or_none)]
Rate = Annotated[Annotated[Decimal, Field(gt=1 / MOST, lt=MOST)] | None, BeforeValidator(_or_none)]
RecentDay = Annotated[
    Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))] | None, BeforeValidator(_or_none)
]
ProjectNumber = Annotated[Annotated[str, Field(max_length=100)] | None, BeforeValidator(_as_text)]
LedgerAccount = Annotated[Annotated[int, Field(ge=0, lt=10**6)] | None, BeforeValidator(_or_none)]


class FortnoxModel(BaseModel):
    """Base of the objects that are read from Fortnox."""

    model_config = ConfigDict(alias_generator=to_pascal, validate_by_name=True, frozen=True, extra="ignore")


class TolerantModel(FortnoxModel):
    """A model whose fields are read one by one. A field that cannot be read has its default, and is named here.

    `hidden`: the grant may not read it (`API_NORIGHT`). `unreadable`: its value makes no sense. Both as Fortnox spells
    them.
    """

    hidden: frozenset[str] = Field(frozenset(), alias="@hidden")
    unreadable: frozenset[str] = Field(frozenset(), alias="@unreadable")

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(document, dict):
            return handler(document)
        hidden = frozenset(name for name, value in document.items() if value == NO_RIGHT)
        readable = {name: value for name, value in document.items() if name not in hidden} | {"@hidden": hidden}
        try:
            return handler(readable)
        except ValidationError as error:
            wrong = frozenset(str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False))
            readable = {name: value for name, value in readable.items() if name not in wrong}
            return handler(readable | {"@unreadable": wrong})


class FortnoxCustomer(FortnoxModel):
    customer_number: Number
    name: Text = None
    organisation_number: Text = None
    email: Text = None
    currency: Text = None
    country_code: Text = None
    customer_type: Text = Field(None, alias="Type")
    vat_type: Text = Field(None, alias="VATType")
    vat_number: Text = Field(None, alias="VATNumber")
    active: Annotated[bool | None, BeforeValidator(_or_none)] = None


class FortnoxProject(TolerantModel):
    project_number: Number
    description: Text = None
    start_date: Day = None
    end_date: Day = None
    status: Text = None


class InvoiceRow(FortnoxModel):
    account_number: Account = None
    description: Text = None
    delivered_quantity: AmountOrZero = Decimal(0)
    price: Amount = None
    price_excluding_vat: Amount = Field(None, alias="PriceExcludingVAT")
    total: Amount = None
    total_excluding_vat: Amount = Field(None, alias="TotalExcludingVAT")
    vat: Amount = Field(None, alias="VAT")
    project: Text = None
    cost_center: Text = None


class InvoiceListItem(FortnoxModel):
    """An invoice in a list, without rows."""

    document_number: Number
    customer_number: Text = None
    invoice_date: Day = None
    due_date: Day = None
    currency: Text = None
    total: Amount = None
    balance: Amount = None
    booked: Flag = False
    cancelled: Flag = False
    final_pay_date: Day = None
    ocr: Text = Field(None, alias="OCR")
    external_invoice_reference1: Text = None
    external_invoice_reference2: Text = None
    voucher_series: Text = None
    voucher_number: Annotated[int | None, BeforeValidator(_or_none)] = None
    voucher_year: Annotated[int | None, BeforeValidator(_or_none)] = None


class FortnoxInvoice(InvoiceListItem):
    """An invoice with rows and sums. `total` includes VAT and the rounding `round_off`."""

    customer_number: Number
    customer_name: Text = None
    total: Bounded
    vat_included: Flag = Field(False, alias="VATIncluded")
    net: Amount = None
    gross: Amount = None
    total_vat: Amount = Field(None, alias="TotalVAT")
    total_to_pay: Amount = None
    round_off: AmountOrZero = Decimal(0)
    freight: AmountOrZero = Decimal(0)
    administration_fee: AmountOrZero = Decimal(0)
    currency_rate: Amount = None
    currency_unit: Amount = None
    credit: Flag = False
    credit_invoice_reference: Reference = None
    invoice_reference: Reference = None  # on a credit note: the invoice it credits
    not_completed: Flag = False
    accounting_method: Text = None
    project: Text = None
    cost_center: Text = None
    remarks: Text = None
    our_reference: Text = None
    your_reference: Text = None
    invoice_rows: tuple[InvoiceRow, ...] = ()


class InvoicePayment(FortnoxModel):
    """A payment of a customer invoice. `amount` is in the ledger's currency, `amount_currency` in the payment's; a list
    has only the first.
    """

    number: Number
    invoice_number: Number
    amount: AmountOrZero = Decimal(0)
    amount_currency: Amount = None
    currency: Text = None
    payment_date: Day = None
    booked: Flag = False


class InboxFile(FortnoxModel):
    """An uploaded file. An attachment refers to it by `archive_file_id`, not by `id`."""

    id: Text = None
    archive_file_id: Number
    name: Text = None
    size: Annotated[int | None, BeforeValidator(_or_none)] = None


class AttachedFile(FortnoxModel):
    """A file attached to a document. Its fields are camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: Text = None
    entity_id: Annotated[int | None, BeforeValidator(_or_none)] = None
    entity_type: Text = None
    file_id: Number
    include_on_send: Flag = False


class SupplierInvoiceListItem(TolerantModel):
    """A supplier invoice in a list, without rows. Only `GivenNumber` has to be readable."""

    given_number: Number
    invoice_number: Text = None
    supplier_number: Text = None
    supplier_name: Text = None
    invoice_date: RecentDay = None
    booked: Flag = False
    cancelled: Flag = Field(False, validation_alias=AliasChoices("Cancelled", "Cancel"))
    credit: Flag = False
    currency: Text = None
    currency_rate: Rate = None
    currency_unit: Rate = None
    total: Amount = None
    project: ProjectNumber = None


class SupplierInvoiceRow(TolerantModel):
    """A row of the voucher. `code` is TOT for the payable, VAT for the tax, and neither for a cost.

    A row with an article can have its amount in `total` alone, in the invoice's currency.
    """

    account: LedgerAccount = None
    code: Text = None
    debit: AmountOrZero = Decimal(0)
    credit: AmountOrZero = Decimal(0)
    debit_currency: AmountOrZero = Decimal(0)
    credit_currency: AmountOrZero = Decimal(0)
    total: AmountOrZero = Decimal(0)
    project: ProjectNumber = None
    item_description: Text = None
    transaction_information: Text = None


class SupplierInvoice(SupplierInvoiceListItem):
    """A supplier invoice with its rows."""

    supplier_invoice_rows: tuple[SupplierInvoiceRow, ...] = ()


class CompanyInformation(FortnoxModel):
    """The company that gave a grant. `database_number` is its tenant id."""

    company_name: Text = None
    organization_number: Text = None
    database_number: Annotated[int | None, BeforeValidator(_or_none)] = None
    country_code: Text = None


class AccountInformation(FortnoxModel):
    """An account in the chart of accounts. Each setting is ALLOWED, MANDATORY or NOTALLOWED."""

    number: int
    description: Text = None
    active: Flag = False
    vat_code: Text = Field(None, alias="VATCode")
    project_settings: Text = None
    cost_center_settings: Text = None
    year: Annotated[int | None, BeforeValidator(_or_none)] = None


class Currency(FortnoxModel):
    """A currency in the register. `buy_rate` and `sell_rate` are the price of `unit` of it in the company's own."""

    code: Number
    description: Text = None
    buy_rate: Amount = None
    sell_rate: Amount = None
    unit: Amount = None
    date: Day = None

    @property
    def rate(self) -> Decimal | None:
        """The rate of a sale for one unit. None if the register has no rate: never assume 1."""
        rate = self.sell_rate or self.buy_rate
        return rate / (self.unit or 1) if rate else None


class LockedPeriod(FortnoxModel):
    """No voucher may be dated on `end_date` or before."""

    end_date: Day = None


class FinancialYear(FortnoxModel):
    """`accounting_method` is ACCRUAL or CASH."""

    id: int
    from_date: Day = None
    to_date: Day = None
    accounting_method: Text = None
