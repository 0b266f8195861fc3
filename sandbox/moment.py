"""A stand-in for Moment: its project list, its files, and the expense endpoint the product assumes.

HTTP Basic, user `apikey`; lists as `content` and `page` (both from Moment's documentation and a live
client). The expense endpoint is not in Moment's public documentation: it is as this product's design
describes it, strict about every field. Files may be slow, cut short, redirected or missing.
"""

import asyncio
import base64
import binascii
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from starlette.types import Receive, Scope, Send

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.http import (
    Answer,
    Call,
    Dropped,
    Handler,
    Json,
    Router,
    answer_error,
    answer_json,
    cut_connection,
    load,
    read_call,
    send_answer,
)
from sandbox.journal import Journal
from sandbox.knobs import Knobs

API: Final = "/api/1.0/companies/{company}"
PAYMENTS: Final = f"{API}/invoices/{{invoiceNumber}}/payments"
DEFAULT_KEY: Final = "sandbox-key"
TEXT_FIELDS: Final = ("externalId", "projectNumber", "description", "supplierName", "supplierInvoiceNumber",
                      "accountNumber", "currencyCode")  # fmt: skip
NULLABLE: Final = frozenset({"description", "supplierName", "supplierInvoiceNumber"})
PAYMENT_FIELDS: Final = frozenset({"date", "amount", "currencyCode", "kind"})
PAYMENT_KINDS: Final = ("payment", "creditNote", "writeOff")
EXPENSE_FIELDS: Final = frozenset({*TEXT_FIELDS, "date", "amountExcludingVat", "billable"})


class MomentRefused(Exception):
    """An error of Moment's API. Its real error body is not documented; this one names the field."""

    def __init__(self, status: int, message: str, field_name: str | None = None) -> None:
        super().__init__(status, message, field_name)
        self.status = status
        self.message = message
        self.field_name = field_name

    def answer(self) -> Answer:
        document = {"status": self.status, "message": self.message}
        if self.field_name is not None:
            document["field"] = self.field_name
        return answer_json(document, self.status)


@dataclass(slots=True)
class File:
    """A file and how it behaves when fetched."""

    name: str
    content: bytes
    content_type: str = "application/pdf"
    public: bool = False
    status: int = 200
    redirect: str | None = None
    delay: float = 0.0  # seconds before the first byte
    trickle: float = 0.0  # seconds spent on sending the body
    cut_after: int | None = None  # bytes, then the connection is closed
    downloads: int = 0


@dataclass(slots=True)
class Expense:
    fields: dict[str, Json]
    invoiced: bool = False
    writes: dict[str, int] = field(default_factory=lambda: {"POST": 1, "PUT": 0})


@dataclass(slots=True)
class KeptPayment:
    """A payment of an invoice. `writes` counts every PUT, also one that changed nothing."""

    fields: dict[str, Json]
    writes: int = 0


@dataclass(slots=True)
class Company:
    projects: dict[str, Json] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    expenses: dict[str, Expense] = field(default_factory=dict)
    deleted_expenses: list[str] = field(default_factory=list)
    payments: dict[str, dict[str, KeptPayment]] = field(default_factory=dict)  # invoice number -> externalId -> payment
    deleted_payments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Options(Knobs):
    api_key: str = DEFAULT_KEY
    invoiced_status: int = 409  # the status of a change to an invoiced expense
    generate_files: bool = False  # answer any unknown *.pdf with a small one made on the spot
    ignore_filters: bool = False  # a client in production saw filters that were silently ignored
    unknown_invoices: list[str] = field(default_factory=list)  # numbers that Moment has no invoice with
    first_page: int = 0  # a client in production counts pages from 0, an untested one from 1
    number_from_0: bool = False  # the page number in an answer counts from 0, whatever the parameter does


CompanyHandler: TypeAlias = Callable[[Company, Call], Answer | File]


def make_pdf(name: str, size: int = 0) -> bytes:
    """A one-page PDF with the name on it, padded to `size` bytes if that is more."""
    label = name.encode("ascii", "replace").replace(b"(", b"").replace(b")", b"")
    stream = b"BT /F1 24 Tf 72 720 Td (" + label + b") Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >> stream\n%s\nendstream" % (len(stream), stream),
    )
    content = b"%PDF-1.4\n"
    offsets = []
    for number, one in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    content += b"%" + b"x" * max(0, size - len(content) - 200) + b"\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(content)
    whole = content + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer
    return whole + b"\n" * max(0, size - len(whole))


class Moment:
    """The ASGI application of the Moment port."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.faults = Faults()
        self.journal = Journal()
        self.clear()
        self._api: Router[CompanyHandler] = Router(
            (
                ("GET", f"{API}/projects", self._projects),
                ("GET", f"{API}/projects/{{id}}", self._project),
                ("GET", f"{API}/projectExpenses", self._expenses),
                ("POST", f"{API}/projectExpenses", self._create_expense),
                ("GET", f"{API}/projectExpenses/{{externalId}}", self._expense),
                ("PUT", f"{API}/projectExpenses/{{externalId}}", self._update_expense),
                ("DELETE", f"{API}/projectExpenses/{{externalId}}", self._delete_expense),
                ("GET", f"{PAYMENTS}/{{externalId}}", self._payment),
                ("PUT", f"{PAYMENTS}/{{externalId}}", self._put_payment),
                ("DELETE", f"{PAYMENTS}/{{externalId}}", self._delete_payment),
                ("GET", f"{API}/files/{{name}}", self._file),
            )
        )
        self._controls: Router[Handler] = Router(
            (
                ("POST", "/_sandbox/projects", self._control_project),
                ("DELETE", "/_sandbox/projects", self._control_remove_project),
                ("POST", "/_sandbox/files", self._control_file),
                ("GET", "/_sandbox/expenses", self._control_expenses),
                ("POST", "/_sandbox/expenses", self._control_mark_expense),
                ("GET", "/_sandbox/payments", self._control_payments),
                ("GET", "/_sandbox/state", self._control_state),
                ("GET", "/_sandbox/faults", lambda _: answer_json(self.faults.as_json())),
                ("POST", "/_sandbox/faults", self._control_faults),
                ("DELETE", "/_sandbox/faults", self._control_clear_faults),
                ("GET", "/_sandbox/requests", self._control_requests),
                ("DELETE", "/_sandbox/requests", self._control_clear_requests),
                ("POST", "/_sandbox/options", self._control_options),
                ("POST", "/_sandbox/reset", self._control_reset),
            )
        )

    def clear(self) -> None:
        self.options = Options()
        self.companies: dict[str, Company] = {}
        self.public_files: dict[str, File] = {}
        self.faults.clear()
        self.journal.clear()

    def company(self, name: str) -> Company:
        return self.companies.setdefault(name, Company())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await read_call(scope, receive)
        if call is None:
            return
        answer = await self._answer(call)
        if isinstance(answer, Dropped):
            await answer.perform(scope, receive)
        elif isinstance(answer, File):
            await _send_file(answer, scope, receive, send)
        else:
            answer.headers["Date"] = self._clock.http_date()
            await send_answer(answer, send)

    async def _answer(self, call: Call) -> Answer | File | Dropped:
        if call.segments[:1] == ["_sandbox"]:
            return self._control(call)
        call.received = self._clock.now().isoformat(timespec="milliseconds")
        tenant = call.segments[3] if len(call.segments) > 3 else None
        before = self.faults.before(call, tenant)
        if before.delay > 0:
            await asyncio.sleep(before.delay)
        if before.outcome is not None:
            return self._noted(call, tenant, "fault", before.outcome, before.name)
        kind, answer = self._served(call)
        status = answer.status if isinstance(answer, (Answer, File)) else 0
        after = self.faults.after(call, tenant, status)
        if after is not None:
            return self._noted(call, tenant, kind, after[0], after[1])
        return self._noted(call, tenant, kind, answer, before.name)

    def _served(self, call: Call) -> tuple[str, Answer | File]:
        if call.segments[:1] == ["public"] and call.method == "GET":
            return "GET /public/{name}", self._find(self.public_files, "/".join(call.segments[1:]))
        if not self._is_authorized(call):
            refused = answer_json({"status": 401, "message": "Unauthorized"}, 401)
            refused.headers["WWW-Authenticate"] = 'Basic realm="Moment"'
            return "unauthorized", refused
        found = self._api.find(call.method, call.segments)
        if isinstance(found, int):
            return "unknown", answer_json({"message": "Not found"}, found)
        call.params = found.params
        kind = f"{call.method} {found.template}"
        try:
            return kind, found.target(self.company(call.params["company"]), call)
        except MomentRefused as refused_call:
            return kind, refused_call.answer()

    def _is_authorized(self, call: Call) -> bool:
        kind, _, encoded = call.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return kind.lower() == "basic" and given == f"apikey:{self.options.api_key}"

    def _noted(
        self, call: Call, tenant: str | None, kind: str, answer: Answer | File | Dropped, fault: str | None
    ) -> Answer | File | Dropped:
        self.journal.note(
            time=call.received,
            tenant=tenant,
            method=call.method,
            path=call.path,
            query="&".join(f"{name}={value}" for name, value in call.query),
            kind=kind,
            status=None if isinstance(answer, Dropped) else answer.status,
            code=None,
            token=None,
            fault=fault,
        )
        return answer

    # -- the API ----------------------------------------------------------------------------------

    def _projects(self, company: Company, call: Call) -> Answer:
        chosen = list(company.projects.values())
        wanted = call.argument("projectNumber")
        if wanted is not None and not self.options.ignore_filters:
            chosen = [project for project in chosen if project["projectNumber"] == wanted]
        return self._page(call, chosen)

    def _project(self, company: Company, call: Call) -> Answer:
        for project in company.projects.values():
            if str(project["id"]) == call.params["id"]:
                return answer_json(project)
        raise MomentRefused(404, "Project not found")

    def _expenses(self, company: Company, call: Call) -> Answer:
        return self._page(call, [expense.fields for expense in company.expenses.values()])

    def _page(self, call: Call, everything: list[Json]) -> Answer:
        first = self.options.first_page
        size = _whole(call.argument("size"), 100) or 100
        at = _whole(call.argument("page"), first) - first
        if at < 0:
            raise MomentRefused(400, f"Pages count from {first}", "page")
        page = {
            "number": at + (0 if self.options.number_from_0 else first),
            "size": size,
            "totalElements": len(everything),
            "totalPages": -(-len(everything) // size),
        }
        return answer_json({"content": everything[at * size : (at + 1) * size], "page": page})

    def _expense(self, company: Company, call: Call) -> Answer:
        return answer_json(_existing(company, call).fields)

    def _create_expense(self, company: Company, call: Call) -> Answer:
        given = _expense_in(company, call)
        if given["externalId"] in company.expenses:
            raise MomentRefused(409, "An expense with this externalId exists", "externalId")
        company.expenses[given["externalId"]] = Expense(given)
        return answer_json(given, 201)

    def _update_expense(self, company: Company, call: Call) -> Answer:
        expense = self._changeable(company, call)
        given = _expense_in(company, call)
        if given["externalId"] != call.params["externalId"]:
            raise MomentRefused(400, "externalId differs from the path", "externalId")
        expense.fields = given
        expense.writes["PUT"] += 1
        return answer_json(given)

    def _delete_expense(self, company: Company, call: Call) -> Answer:
        self._changeable(company, call)
        del company.expenses[call.params["externalId"]]
        company.deleted_expenses.append(call.params["externalId"])
        return Answer(204, content_type="")

    def _changeable(self, company: Company, call: Call) -> Expense:
        expense = _existing(company, call)
        if expense.invoiced:
            raise MomentRefused(self.options.invoiced_status, "The expense is invoiced and cannot be changed")
        return expense

    def _payments_of(self, company: Company, call: Call) -> dict[str, KeptPayment]:
        number = call.params["invoiceNumber"]
        if number in self.options.unknown_invoices:
            raise MomentRefused(404, "Invoice not found", "invoiceNumber")
        return company.payments.setdefault(number, {})

    def _payment(self, company: Company, call: Call) -> Answer:
        payment = self._payments_of(company, call).get(call.params["externalId"])
        if payment is None:
            raise MomentRefused(404, "Payment not found")
        return answer_json(payment.fields)

    def _put_payment(self, company: Company, call: Call) -> Answer:
        payments, name = self._payments_of(company, call), call.params["externalId"]
        given = _body_in(call, PAYMENT_FIELDS, frozenset())
        _check_currency(given["currencyCode"])
        _check_amount(given["amount"], "amount")
        _check_date(given["date"])
        if given["kind"] not in PAYMENT_KINDS:
            raise MomentRefused(400, "Not a kind of payment", "kind")
        known = name in payments
        payment = payments.setdefault(name, KeptPayment(given))
        payment.fields = given
        payment.writes += 1
        return answer_json(given, 200 if known else 201)

    def _delete_payment(self, company: Company, call: Call) -> Answer:
        if self._payments_of(company, call).pop(call.params["externalId"], None) is None:
            raise MomentRefused(404, "Payment not found")
        company.deleted_payments.append(call.params["externalId"])
        return Answer(204, content_type="")

    def _file(self, company: Company, call: Call) -> File:
        return self._find(company.files, call.params["name"])

    def _find(self, files: dict[str, File], name: str) -> File:
        file = files.get(name)
        if file is None and self.options.generate_files and name.endswith(".pdf"):
            file = files[name] = File(name, make_pdf(name))
        if file is None:
            return File(name, b"Not found", "text/plain", status=404)
        file.downloads += 1
        return file

    # -- the controls -----------------------------------------------------------------------------

    def _control(self, call: Call) -> Answer:
        found = self._controls.find(call.method, call.segments)
        if isinstance(found, int):
            return answer_error(found, "no such control")
        call.params = found.params
        try:
            return found.target(call)
        except (ValueError, KeyError, TypeError) as error:
            return answer_error(400, f"{type(error).__name__}: {error}")

    def _control_project(self, call: Call) -> Answer:
        given = load(call.body)
        company, number = self.company(given.pop("company")), given["projectNumber"]
        identity = zlib.crc32(number.encode()) & 0x7FFFFFFF
        defaults = {"id": identity, "name": number, "startDate": None, "projectState": "inProgress"}
        company.projects[number] = {**defaults, **given}
        return answer_json(company.projects[number], 201)

    def _control_remove_project(self, call: Call) -> Answer:
        given = dict(call.query)
        removed = self.company(given["company"]).projects.pop(given["projectNumber"], None)
        return answer_json({"removed": removed is not None})

    def _control_file(self, call: Call) -> Answer:
        given = load(call.body)
        company = given.pop("company", None)
        name, size = given["name"], given.pop("size", 0)
        encoded = given.pop("content_base64", None)
        if encoded is not None:
            content = base64.b64decode(encoded)
        elif given.get("content_type", "application/pdf") == "application/pdf":
            content = make_pdf(name, size)
        else:
            content = (b"%s\n" % name.encode()) + b"." * max(0, size - len(name.encode()) - 1)
        for seconds in ("delay", "trickle"):
            given[seconds] = float(given.get(seconds, 0))
        file = File(content=content, **given)
        if file.public:
            self.public_files[name] = file
            path = f"/public/{name}"
        else:
            self.company(company).files[name] = file
            path = f"{API.format(company=company)}/files/{name}"
        return answer_json({"path": path, "size": len(content)}, 201)

    def _control_expenses(self, call: Call) -> Answer:
        return answer_json(_expense_state(self.company(dict(call.query)["company"])))

    def _control_payments(self, call: Call) -> Answer:
        return answer_json(_payment_state(self.company(dict(call.query)["company"])))

    def _control_mark_expense(self, call: Call) -> Answer:
        given = load(call.body)
        expense = self.company(given["company"]).expenses[given["externalId"]]
        expense.invoiced = bool(given["invoiced"])
        return answer_json({"externalId": given["externalId"], "invoiced": expense.invoiced})

    def _control_state(self, call: Call) -> Answer:
        names = [call.argument("company")] if call.argument("company") else list(self.companies)
        state = {}
        for name in names:
            company = self.company(str(name))
            state[str(name)] = {
                "projects": list(company.projects.values()),
                "expenses": _expense_state(company),
                "deletedExpenses": company.deleted_expenses,
                "payments": _payment_state(company),
                "deletedPayments": company.deleted_payments,
                "files": {file.name: file.downloads for file in company.files.values()},
            }
        public = {file.name: file.downloads for file in self.public_files.values()}
        return answer_json({"companies": state, "publicFiles": public})

    def _control_faults(self, call: Call) -> Answer:
        self.faults.configure(load(call.body))
        return answer_json(self.faults.as_json(), 201)

    def _control_clear_faults(self, _call: Call) -> Answer:
        self.faults.clear()
        return answer_json(self.faults.as_json())

    def _control_requests(self, call: Call) -> Answer:
        tenant = call.argument("company")
        entries = [e.as_json() for e in self.journal.entries if tenant in (None, e.tenant)]
        return answer_json({"requests": entries, **self.journal.count(tenant, "kind")})

    def _control_clear_requests(self, _call: Call) -> Answer:
        self.journal.clear()
        return answer_json({"requests": []})

    def _control_options(self, call: Call) -> Answer:
        self.options.change(load(call.body))
        return answer_json(self.options.as_json())

    def _control_reset(self, _call: Call) -> Answer:
        self.clear()
        return answer_json({"reset": True})


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default


def _existing(company: Company, call: Call) -> Expense:
    expense = company.expenses.get(call.params["externalId"])
    if expense is None:
        raise MomentRefused(404, "Expense not found")
    return expense


def _expense_in(company: Company, call: Call) -> dict[str, Json]:
    """The expense of a request body, every field checked."""
    given = _body_in(call, EXPENSE_FIELDS, NULLABLE)
    for name in TEXT_FIELDS:
        value = given.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise MomentRefused(400, "Must be a text", name)
    if not isinstance(given["billable"], bool):
        raise MomentRefused(400, "Must be true or false", "billable")
    _check_currency(given["currencyCode"])
    _check_amount(given["amountExcludingVat"], "amountExcludingVat")
    _check_date(given["date"])
    if given["projectNumber"] not in company.projects:
        raise MomentRefused(404, "Project not found", "projectNumber")
    return given


def _body_in(call: Call, fields: frozenset[str], nullable: frozenset[str]) -> dict[str, Json]:
    """The object of a request body, with these fields and no others."""
    if call.media_type() != "application/json":
        raise MomentRefused(415, "Content-Type must be application/json")
    try:
        given = load(call.body)
    except ValueError:
        raise MomentRefused(400, "The body is not JSON") from None
    if not isinstance(given, dict):
        raise MomentRefused(400, "The body is not an object")
    for name in sorted(set(given) - fields):
        raise MomentRefused(400, "Unknown field", name)
    for name in sorted(fields - nullable):
        if given.get(name) is None:
            raise MomentRefused(400, "Missing", name)
    return given


def _check_currency(value: Json) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise MomentRefused(400, "Must be three capital letters", "currencyCode")


def _check_amount(value: Json, name: str) -> None:
    try:
        amount = Decimal(value) if isinstance(value, (str, int, Decimal)) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or amount != round(amount, 2):
        raise MomentRefused(400, "Must be an amount with at most two decimals", name)


def _check_date(value: Json) -> None:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError(value)
        date.fromisoformat(value)
    except ValueError:
        raise MomentRefused(400, "Must be a date, YYYY-MM-DD", "date") from None


def _payment_state(company: Company) -> Json:
    return [
        {"invoiceNumber": number, "externalId": name, **payment.fields, "writes": payment.writes}
        for number, payments in company.payments.items()
        for name, payment in payments.items()
    ]


def _expense_state(company: Company) -> Json:
    return [
        {**expense.fields, "invoiced": expense.invoiced, "writes": expense.writes}
        for expense in company.expenses.values()
    ]


async def _send_file(file: File, scope: Scope, receive: Receive, send: Send) -> None:
    if file.delay > 0:
        await asyncio.sleep(file.delay)
    status = 302 if file.redirect else file.status
    headers = [
        (b"content-type", file.content_type.encode()),
        (b"content-length", str(0 if file.redirect else len(file.content)).encode()),
    ]
    if file.redirect:
        headers.append((b"location", file.redirect.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if file.redirect:
        await send({"type": "http.response.body", "body": b""})
        return
    sent = 0
    end = len(file.content) if file.cut_after is None else min(file.cut_after, len(file.content))
    step = max(1, len(file.content) // 20 if file.trickle else len(file.content))
    while sent < end:
        chunk = file.content[sent : min(sent + step, end)]
        sent += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if file.trickle:
            await asyncio.sleep(file.trickle / 20)
    if file.cut_after is not None:
        await asyncio.sleep(0.05)  # let the bytes reach the client before the cut
        await cut_connection(scope, receive)
        return
    await send({"type": "http.response.body", "body": b""})
