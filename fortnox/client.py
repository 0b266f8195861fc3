"""Fortnox's API for one company: a small method for each endpoint. No decisions, no retries.

    fortnox = Fortnox(transport, "acme")
    invoice = fortnox.invoices.create(payload.for_create())
    fortnox.invoices.bookkeep(invoice.document_number)

Each method makes one request (a list: one for each page) and raises `FortnoxError` (see `fortnox.errors`).
Endpoints: https://api.fortnox.se/apidocs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import IO, Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from fortnox import models as m
from fortnox.multipart import MultipartFile
from fortnox.payloads import AttachmentPayload
from fortnox.responses import Json
from fortnox.transport import Transport

M = TypeVar("M", bound=m.FortnoxModel)
T = TypeVar("T")
Fields = Mapping[str, Any]

PAGE_SIZE = 500  # Fortnox's largest
LARGEST_PAGE = 10_000
MOST_READINGS = 3  # of a list that changes while it is read
STOCKHOLM = ZoneInfo("Europe/Stockholm")  # Fortnox reads and writes its times there
CUSTOMER_INVOICE_INBOX = "inbox_kf"
CUSTOMER_INVOICE = "F"
ATTACHMENTS = "/api/fileattachments/attachments-v1"


class Fortnox:
    """The API of one company. Requests leave `leave` slots of the rate limit free for more urgent work."""

    def __init__(self, transport: Transport, company: str, *, leave: int = 0) -> None:
        access = Access(transport, company, leave)
        self.company = company
        self._transport = transport
        self.customers = Register(access, "customer", "/3/customers", "Customer", "CustomerNumber", m.FortnoxCustomer)
        self.projects = Register(access, "project", "/3/projects", "Project", "ProjectNumber", m.FortnoxProject)
        self.invoices = Invoices(access)
        self.inbox = Inbox(access)
        self.attachments = Attachments(access)
        self.supplier_invoices = SupplierInvoices(access)
        self.invoice_payments = InvoicePayments(access)
        self.accounts = Accounts(access)
        self.currencies = Currencies(access)
        self._access = access

    @property
    def now(self) -> datetime:
        """The time by Fortnox's clock, as its latest answer gave it."""
        return self._transport.now

    def company_information(self) -> m.CompanyInformation:
        return self._access.get(one("CompanyInformation", m.CompanyInformation), "/3/companyinformation")

    def financial_years(self, on: date) -> tuple[m.FinancialYear, ...]:
        """Return the financial year of a date; empty if there is none."""
        return self._access.get(
            many("FinancialYears", m.FinancialYear), "/3/financialyears", params={"date": on.isoformat()}
        )

    def locked_until(self) -> date | None:
        """Return the last day of the locked period; None if nothing is locked. Personal locks do not show."""
        return self._access.get(one("LockedPeriod", m.LockedPeriod), "/3/settings/lockedperiod").end_date


class Access:
    """A transport bound to one company."""

    def __init__(self, transport: Transport, company: str, leave: int) -> None:
        self._transport = transport
        self._company = company
        self._leave = leave

    def call(
        self,
        decode: Callable[[Json], T],
        method: str,
        path: str,
        *numbers: str | int,
        params: Mapping[str, str] | None = None,
        body: Json | MultipartFile | None = None,
        repeatable: bool | None = None,
    ) -> T:
        return self._transport.call(
            self._company,
            method,
            path,
            *numbers,
            decode=decode,
            params=params,
            body=body,
            repeatable=repeatable,
            leave=self._leave,
        )

    def get(
        self,
        decode: Callable[[Json], T],
        path: str,
        *numbers: str | int,
        params: Mapping[str, str] | None = None,
    ) -> T:
        return self.call(decode, "GET", path, *numbers, params=params)


class Register(Generic[M]):
    """Customers or projects: created once under Moment's number, then updated."""

    def __init__(self, access: Access, kind: str, path: str, envelope: str, number_field: str, model: type[M]) -> None:
        self.kind = kind
        self.number_field = number_field
        self._access = access
        self._path = path
        self._envelope = envelope
        self._decode = one(envelope, model)

    def get(self, number: str) -> M:
        """Raises `NotFound`."""
        return self._access.get(self._decode, self._path + "/{number}", number)

    def readable(self) -> None:
        """Check with one request that we may read the register. Raises the `Rejected` that says why not."""
        self._access.get(lambda _: None, self._path, params={"limit": "1"})

    def create(self, fields: Fields) -> M:
        return self._access.call(self._decode, "POST", self._path, body={self._envelope: dict(fields)})

    def update(self, number: str, fields: Fields) -> M:
        """Change the given fields, but never the number. Raises `NotFound`."""
        changed = {name: value for name, value in fields.items() if name != self.number_field}
        return self._access.call(self._decode, "PUT", self._path + "/{number}", number, body={self._envelope: changed})


class Invoices:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._decode = one("Invoice", m.FortnoxInvoice)

    def get(self, document_number: int | str) -> m.FortnoxInvoice:
        """Raises `NotFound`."""
        return self._access.get(self._decode, "/3/invoices/{number}", document_number)

    def create(self, fields: Fields) -> m.FortnoxInvoice:
        return self._access.call(self._decode, "POST", "/3/invoices", body={"Invoice": dict(fields)})

    def bookkeep(self, document_number: int | str) -> m.FortnoxInvoice:
        """Post the invoice. Not repeatable: after `OutcomeUnknown` read `booked` first."""
        return self._access.call(
            self._decode, "PUT", "/3/invoices/{number}/bookkeep", document_number, repeatable=False
        )

    def find(self, external_reference: str) -> tuple[m.InvoiceListItem, ...]:
        """Return the invoices with exactly this `ExternalInvoiceReference1`. Fortnox's own filter matches any part."""
        found = self._access.get(
            many("Invoices", m.InvoiceListItem),
            "/3/invoices",
            params={"externalinvoicereference1": external_reference, "limit": str(PAGE_SIZE)},
        )
        return tuple(item for item in found if item.external_invoice_reference1 == external_reference)

    def page(self, number: int, *, modified_since: datetime | None) -> "ListPage[m.InvoiceListItem]":
        """Return one page of the invoices that changed since then. Pages count from 1."""
        params = _page_params(number, modified_since)
        return self._access.get(
            lambda document: _page(document, "Invoices", m.InvoiceListItem, number), "/3/invoices", params=params
        )


class InvoicePayments:
    def __init__(self, access: Access) -> None:
        self._access = access

    def get(self, number: str) -> m.InvoicePayment:
        """Raises `NotFound`."""
        return self._access.get(one("InvoicePayment", m.InvoicePayment), "/3/invoicepayments/{number}", number)

    def page(self, number: int, *, modified_since: datetime | None) -> "ListPage[m.InvoicePayment]":
        """Return one page of the payments that changed since then, without their `amount_currency`."""
        params = _page_params(number, modified_since)
        return self._access.get(
            lambda document: _page(document, "InvoicePayments", m.InvoicePayment, number),
            "/3/invoicepayments",
            params=params,
        )

    def of_invoice(self, document_number: int | str) -> tuple[m.InvoicePayment, ...]:
        """Return the payments of this invoice. Fortnox's own filter may match any part."""
        found = self._access.get(
            many("InvoicePayments", m.InvoicePayment),
            "/3/invoicepayments",
            params={"invoicenumber": str(document_number), "limit": str(PAGE_SIZE)},
        )
        return tuple(item for item in found if item.invoice_number == str(document_number))


class Inbox:
    def __init__(self, access: Access) -> None:
        self._access = access

    def upload(self, file_name: str, stream: IO[bytes], content_type: str = "application/octet-stream") -> m.InboxFile:
        """Upload a file to the inbox of customer invoices. The stream must be seekable; it is read in pieces.

        Not repeatable: after `OutcomeUnknown` an unattached file may be left in the inbox.
        """
        return self._access.call(
            one("File", m.InboxFile),
            "POST",
            "/3/inbox",
            params={"path": CUSTOMER_INVOICE_INBOX},
            body=MultipartFile("file", file_name, stream, content_type),
        )


class Attachments:
    def __init__(self, access: Access) -> None:
        self._access = access

    def list(self, document_number: int | str) -> tuple[m.AttachedFile, ...]:
        """Return the files attached to a customer invoice."""
        return self._access.get(
            _attachments,
            ATTACHMENTS,
            params={"entityid": str(document_number), "entitytype": CUSTOMER_INVOICE},
        )

    def attach(self, attachments: Sequence[AttachmentPayload]) -> tuple[m.AttachedFile, ...]:
        """Attach uploaded files in one request. Not repeatable: after `OutcomeUnknown` list them first."""
        return self._access.call(
            _attachments, "POST", ATTACHMENTS, body=[attachment.model_dump() for attachment in attachments]
        )


class SupplierInvoices:
    def __init__(self, access: Access) -> None:
        self._access = access

    def list(
        self,
        *,
        modified_since: datetime | None = None,
        only: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[m.SupplierInvoiceListItem]:
        """Yield each supplier invoice once, with a request for each page. `only` is a value of Fortnox's `filter=`.

        A list is no snapshot. If the number of invoices changes while it is read, rows may have moved to a page
        already read, so the list is read again and what is new is yielded.
        """
        seen: set[str] = set()
        for _ in range(MOST_READINGS):
            totals: set[int | None] = set()
            for number in range(1, LARGEST_PAGE):
                page = self.page(number, modified_since=modified_since, only=only, page_size=page_size)
                totals.add(page.total)
                fresh = [item for item in page.items if item.given_number not in seen]
                seen.update(item.given_number for item in fresh)
                yield from fresh
                if page.is_last:
                    break
            if len(totals) <= 1:
                return

    def page(
        self,
        number: int,
        *,
        modified_since: datetime | None = None,
        only: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "SupplierInvoicePage":
        """Return one page, so that a caller can continue later. Pages count from 1."""
        params = {"limit": str(page_size), "page": str(number)}
        if modified_since is not None:
            params["lastmodified"] = fortnox_minute(modified_since)
        if only is not None:
            params["filter"] = only
        return self._access.get(
            lambda document: _supplier_invoice_page(document, number, page_size), "/3/supplierinvoices", params=params
        )

    def get(self, given_number: str) -> m.SupplierInvoice:
        """Return the invoice with its rows. Raises `NotFound`."""
        return self._access.get(one("SupplierInvoice", m.SupplierInvoice), "/3/supplierinvoices/{number}", given_number)

    def pending_approval(self) -> frozenset[str]:
        """Return the given numbers of all invoices that await approval."""
        return frozenset(item.given_number for item in self.list(only="authorizepending"))


class Accounts:
    def __init__(self, access: Access) -> None:
        self._access = access

    def get(self, number: int | str) -> m.AccountInformation:
        """Return an account of the current financial year. Raises `NotFound`."""
        return self._access.get(one("Account", m.AccountInformation), "/3/accounts/{number}", number)

    def list(self) -> Iterator[m.AccountInformation]:
        """Yield the chart of accounts of the current financial year, with a request for each 500."""
        for number in range(1, LARGEST_PAGE):
            params = {"limit": str(PAGE_SIZE), "page": str(number)}
            page = self._access.get(many("Accounts", m.AccountInformation), "/3/accounts", params=params)
            yield from page
            if len(page) < PAGE_SIZE:
                return


class Currencies:
    def __init__(self, access: Access) -> None:
        self._access = access

    def get(self, code: str) -> m.Currency:
        """Return a currency of the company's register, with its rates. Raises `NotFound`."""
        return self._access.get(one("Currency", m.Currency), "/3/currencies/{number}", code)


class ListPage(NamedTuple, Generic[M]):
    """A page of a list. `total` counts the entries on all pages; None if not given."""

    items: tuple[M, ...]
    total: int | None
    is_last: bool


class SupplierInvoicePage(NamedTuple):
    """A page of the list. `total` counts the invoices on all pages. `total` and `pages` are None if not given."""

    items: tuple[m.SupplierInvoiceListItem, ...]
    total: int | None
    pages: int | None
    is_last: bool


def fortnox_minute(moment: datetime) -> str:
    """Return a time as `lastmodified` wants it: Stockholm time, rounded down to the minute.

    Raises ValueError for a time without a zone. In autumn one hour occurs twice and Fortnox cannot tell which is
    meant, so the hour before is used.
    """
    if moment.tzinfo is None:
        raise ValueError("a time zone is missing")
    local = moment.astimezone(STOCKHOLM)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        local -= timedelta(hours=1)
    return local.strftime("%Y-%m-%d %H:%M")


def one(envelope: str, model: type[M]) -> Callable[[Json], M]:
    """Return a reader of `{"Customer": {…}}`. It raises ValueError for anything else."""

    def decode(document: Json) -> M:
        return model.model_validate(_opened(document, envelope))

    return decode


def many(envelope: str, model: type[M]) -> Callable[[Json], tuple[M, ...]]:
    """Return a reader of `{"Invoices": [{…}, …]}`. It raises ValueError for anything else."""

    def decode(document: Json) -> tuple[M, ...]:
        return _all(model, _opened(document, envelope))

    return decode


def _opened(document: Json, envelope: str) -> Json:
    if not isinstance(document, dict) or envelope not in document:
        raise ValueError(f"there is no {envelope}")
    return document[envelope]


def _all(model: type[M], items: Json) -> tuple[M, ...]:
    if not isinstance(items, list):
        raise ValueError("a list was expected")
    return tuple(model.model_validate(item) for item in items)


def _attachments(document: Json) -> tuple[m.AttachedFile, ...]:
    return _all(m.AttachedFile, [] if document is None else document)


def _supplier_invoice_page(document: Json, number: int, page_size: int) -> SupplierInvoicePage:
    items = many("SupplierInvoices", m.SupplierInvoiceListItem)(document)
    meta = document.get("MetaInformation")
    meta = meta if isinstance(meta, dict) else {}
    pages = _whole(meta.get("@TotalPages"))
    # Without the number of pages, the first page that is not full is the last.
    is_last = number >= pages if pages is not None else len(items) < page_size
    is_last = is_last or not items or number >= LARGEST_PAGE  # a number of pages may make no sense
    return SupplierInvoicePage(items, _whole(meta.get("@TotalResources")), pages, is_last)


def _page_params(number: int, modified_since: datetime | None) -> dict[str, str]:
    params = {"limit": str(PAGE_SIZE), "page": str(number)}
    return params if modified_since is None else params | {"lastmodified": fortnox_minute(modified_since)}


def _page(document: Json, envelope: str, model: type[M], number: int) -> ListPage[M]:
    items = many(envelope, model)(document)
    meta = document.get("MetaInformation")
    meta = meta if isinstance(meta, dict) else {}
    pages = _whole(meta.get("@TotalPages"))
    is_last = number >= pages if pages is not None else len(items) < PAGE_SIZE
    return ListPage(items, _whole(meta.get("@TotalResources")), is_last or not items or number >= LARGEST_PAGE)


def _whole(value: Json) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
