"""Payloads to Fortnox: frozen models with Fortnox's field names, in Fortnox's order. Pure. No I/O.

`None` means "empty in Moment". It is sent as the literal `API_BLANK` in an update, where an empty string or null
changes nothing, and in the create of an invoice, where the customer's card fills in what is left out. Other creates
leave it out. A field that is not set is never sent: Moment does not own it. Lengths are from Fortnox's document.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_pascal

API_BLANK = "API_BLANK"  # documented by Fortnox as the way to empty a field

Text50 = Annotated[str, Field(max_length=50)]
Text80 = Annotated[str, Field(max_length=80)]
Text255 = Annotated[str, Field(max_length=255)]
Text1024 = Annotated[str, Field(max_length=1024)]
Amount = Annotated[Decimal, Field(decimal_places=2)]
DocumentNumber = Annotated[int, PlainSerializer(str)]  # Fortnox wants the digits as text


class Payload(BaseModel):
    """Base of the objects that are sent to Fortnox."""

    model_config = ConfigDict(alias_generator=to_pascal, validate_by_name=True, frozen=True, extra="forbid")

    def for_create(self) -> dict[str, Any]:
        """Return the fields for a POST, without empty ones. Values stay `Decimal` and `date` for the client."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)

    def for_update(self) -> dict[str, Any]:
        """Return the fields for a PUT, with `API_BLANK` for empty ones."""
        return _blanked(self.model_dump(by_alias=True, exclude_unset=True))


def _blanked(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: API_BLANK if value is None else _in_rows(_blanked, value) for name, value in fields.items()}


def without_blanks(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are to be emptied, in rows too."""
    return {name: _in_rows(without_blanks, value) for name, value in fields.items() if value != API_BLANK}


def _in_rows(change: Callable[[Mapping[str, Any]], dict[str, Any]], value: Any) -> Any:
    return tuple(map(change, value)) if isinstance(value, tuple) else value


class CustomerPayload(Payload):
    """`/3/customers`"""

    required: ClassVar[str] = "Name"  # in every write, says Fortnox's OpenAPI document

    customer_number: Annotated[str, Field(max_length=1024)]
    name: Annotated[str, Field(min_length=1, max_length=1024)]
    organisation_number: Annotated[str, Field(max_length=30)] | None = None
    address1: Text1024 | None = None
    address2: Text1024 | None = None
    zip_code: Annotated[str, Field(max_length=10)] | None = None
    city: Text1024 | None = None
    country_code: Annotated[str, Field(min_length=2, max_length=2)] | None = None
    email: Text1024 | None = None


class ProjectPayload(Payload):
    """`/3/projects`"""

    required: ClassVar[str] = "Description"

    project_number: Annotated[str, Field(max_length=20)]
    description: Annotated[str, Field(min_length=1, max_length=50)]
    start_date: date
    end_date: date | None = None
    status: Literal["NOTSTARTED", "ONGOING", "COMPLETED"]


class InvoiceRowPayload(Payload):
    """A row of `/3/invoices`: quantity 1 (-1 on a credit note) and the summed price excluding VAT."""

    account_number: Annotated[int, Field(ge=1000, le=9999)]
    delivered_quantity: str
    description: Text255
    price: Amount
    discount: Amount = Decimal(0)
    vat: Decimal = Field(ge=0, le=100, alias="VAT")
    project: Annotated[str, Field(max_length=20)] | None = None


class InvoicePayload(Payload):
    """`/3/invoices`"""

    document_number: DocumentNumber
    customer_number: Annotated[str, Field(max_length=1024)]
    invoice_date: date
    due_date: date
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    currency_rate: Decimal | None = None
    currency_unit: int | None = None
    vat_included: bool = Field(alias="VATIncluded")
    freight: Amount
    administration_fee: Amount
    ocr: str | None = Field(None, alias="OCR")
    our_reference: Text50 | None = None
    your_reference: Text50 | None = None
    project: Annotated[str, Field(max_length=20)] | None = None
    cost_center: None = None  # Moment has none
    remarks: Text1024 | None = None
    external_invoice_reference1: Text80
    external_invoice_reference2: Text80 | None = None
    credit_invoice_reference: str | None = None
    invoice_rows: tuple[InvoiceRowPayload, ...]

    def for_create(self) -> dict[str, Any]:
        """Return the fields for a POST, with `API_BLANK` for empty ones."""
        return self.for_update()


class AttachmentPayload(BaseModel):
    """An element of the array sent to `/api/fileattachments/attachments-v1`. Its fields are camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entityId: int
    entityType: Literal["F"] = "F"  # F is a customer invoice
    fileId: str
    includeOnSend: bool
