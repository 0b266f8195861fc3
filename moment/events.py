"""The events that Moment sends: one frozen model for each type. Pure. No I/O.

JSON is camelCase, and money is read as `Decimal`. Unknown fields are ignored, and named (`EventBase.unknown_fields`); a
missing or wrong field raises `InvalidEvent` with its path. An event knows its ordering key and its prerequisites: the
keys whose earlier events must be through first.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from math import isfinite
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from config.json_limits import DIGITS, BeyondLimit, check_json
from messages import Message

MAX_EVENT_BYTES = 20_000_000  # base64 attachments travel inside an event; larger files come by URL
FIRST_YEAR, LAST_YEAR = 1990, 2200  # of dates and times


def _fault(kind: str) -> PydanticCustomError:
    """Return the error that a validator raises. `_KINDS` has the message of its kind."""
    return PydanticCustomError(kind, "{kind}", {"kind": kind})


def _plain_decimal(value: object) -> object:
    """Accept a number, or text of ASCII digits and a point. Drops trailing zeros (`12500.000000`)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _fault("decimal")
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value.strip()):
            raise _fault("decimal")
        value = Decimal(value.strip())
    return _without_tail(value) if isinstance(value, Decimal) else value


def _without_tail(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    if not (isinstance(exponent, int) and exponent < -4 and number.adjusted() < 20):
        return number
    short = number.normalize()
    if short != number:
        return number  # more digits than the context's 28: left for the limits to refuse
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def _whole_number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**DIGITS:
        return value
    if isinstance(value, float | Decimal) and isfinite(value) and -(10**20) < value < 10**20 and int(value) == value:
        return int(value)
    if not (isinstance(value, str) and _DIGITS.fullmatch(value)):
        raise _fault("whole_number")
    return value


def _iso_date(value: object) -> object:
    """Refuse times and timestamps: their day depends on a time zone."""
    if isinstance(value, datetime) or not (isinstance(value, date) or _DATE.fullmatch(str(value))):
        raise _fault("date_without_time")
    return value


def _iso_time(value: object) -> object:
    """Refuse a number: pydantic would accept it as a timestamp (seconds or milliseconds?)."""
    if not isinstance(value, datetime) and not _TIME.match(str(value)):
        raise _fault("time_with_zone")
    return value


def _date_in_range(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise _fault("date_range")
    return value


def _time_in_range(value: datetime) -> datetime:
    try:
        year = value.astimezone(UTC).year
    except OverflowError:  # the offset leads beyond the calendar
        year = 0
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _fault("time_range")
    return value


def _blank_is_null(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?")
_DIGITS = re.compile(r"-?[0-9]{1,30}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]")

COMPANY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
CompanyCode = Annotated[str, StringConstraints(pattern=COMPANY_PATTERN)]
EventId = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$")]
# It is part of an ordering key and of a path in Fortnox, so it holds no slash and no space.
EntityNumber = Annotated[str, StringConstraints(pattern=r"^[^\s/\x00-\x1f\x7f]{1,50}$")]
WHOLE = BeforeValidator(_whole_number)  # listed after the limits: pydantic applies the last one first
EXACT = BeforeValidator(_plain_decimal)
WholeNumber = Annotated[int, WHOLE]
IsoDate = Annotated[date, BeforeValidator(_iso_date), AfterValidator(_date_in_range)]
IsoTime = Annotated[AwareDatetime, BeforeValidator(_iso_time), AfterValidator(_time_in_range)]
# 15 significant digits survive a producer that writes JSON numbers (a double) unharmed.
Money = Annotated[Decimal, Field(max_digits=15, decimal_places=4, allow_inf_nan=False), EXACT]
Percentage = Annotated[Decimal, Field(ge=0, le=100, max_digits=6, decimal_places=3, allow_inf_nan=False), EXACT]
Quantity = Annotated[Decimal, Field(max_digits=15, decimal_places=8, allow_inf_nan=False), EXACT]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"\S")]
AccountNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{3}$")]
AccountRange = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{3}(-[1-9][0-9]{3})?$")]


class Model(BaseModel):
    """Base of an event's parts: immutable, camelCase in JSON, ignores unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True, extra="ignore")


class Address(Model):
    address1: Text | None = None
    address2: Text | None = None
    zip_code: Text | None = None
    city: Text | None = None
    country_code: Annotated[CountryCode | None, BeforeValidator(_blank_is_null)] = None


def _null_address(value: object) -> object:
    """A null address means that each of its fields is null."""
    return dict.fromkeys(Address.model_fields) if value is None else value


class Customer(Model):
    id: WholeNumber
    customer_number: EntityNumber
    name: Name
    organization_number: Text | None = None
    email: Text | None = None
    address: Annotated[Address, BeforeValidator(_null_address)] = Address()


class Project(Model):
    id: WholeNumber
    project_number: EntityNumber
    name: Name
    start_date: IsoDate | None = None
    end_date: IsoDate | None = None
    created_date: IsoTime
    project_state: Literal["notStarted", "inProgress", "completed", "closed"]


class CustomerRef(Model):
    id: WholeNumber
    customer_number: EntityNumber


class ProjectRef(Model):
    id: WholeNumber
    project_number: EntityNumber


class InvoiceLine(Model):
    description: Text | None = None
    account_number: AccountNumber
    vat_percentage: Percentage
    quantity: Quantity = Decimal(1)
    unit_price: Money | None = None
    amount_excluding_vat: Money
    project: ProjectRef | None = None


class Attachment(Model):
    """A file sent to the customer, given by `url` or as `content` (base64)."""

    file_name: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    content_type: Annotated[str, StringConstraints(max_length=200)] = "application/octet-stream"
    url: Annotated[str, StringConstraints(max_length=4000)] | None = None
    content: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if self.url is None and self.content is None:
            raise _fault("url_or_content")
        return self


class Invoice(Model):
    id: WholeNumber
    invoice_number: Annotated[int, Field(gt=0, lt=10**15), WHOLE]
    credited_invoice_number: Annotated[int, Field(gt=0, lt=10**15), WHOLE] | None = None
    description: Text | None = None
    customer: CustomerRef
    project: ProjectRef | None = None
    invoice_date: IsoDate
    due_date: IsoDate
    payment_id: Annotated[str, StringConstraints(max_length=50)] | None = None
    currency_code: CurrencyCode
    currency_rate: Annotated[Decimal, Field(gt=0, max_digits=15, allow_inf_nan=False), EXACT] | None = None
    total_including_vat: Money
    your_reference: Text | None = None
    their_reference: Text | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=5000)]
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()


class Transfers(Model):
    """Which kinds a company lets transfer."""

    customers: bool = True
    projects: bool = True
    invoices: bool = True


class ExpenseChoices(Model):
    """What a company has imported from Fortnox. Accounts are numbers or ranges such as `5000-5999`."""

    enabled: bool = False
    account_numbers: tuple[AccountRange, ...] = ()
    billable_by_default: bool = True
    from_date: IsoDate | None = None


class PaymentChoices(Model):
    """Whether payments of the transferred invoices go back to Moment, and from which payment date on."""

    enabled: bool = False
    from_date: IsoDate | None = None


class Integration(Model):
    authorization_code: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        default=None, repr=False
    )
    service_account: bool = False
    error_email: Text | None = None
    transfers: Transfers = Transfers()
    expenses: ExpenseChoices = ExpenseChoices()
    payments: PaymentChoices = PaymentChoices()


class OrderingKey(NamedTuple):
    """Events with the same key run one at a time, in order: `acme/customer/10001`."""

    company: str
    kind: str
    number: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class EventBase(Model):
    id: EventId
    company: CompanyCode
    occurred_at: IsoTime
    sequence: Annotated[int, Field(ge=0, lt=2**53), WHOLE] | None = None
    _unknown: tuple[str, ...] = PrivateAttr(())

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """The paths of fields that were given and are not of the contract, such as `customer.emial`."""
        return self._unknown

    @property
    def integration_key(self) -> OrderingKey:
        return OrderingKey(self.company, "integration")


class CustomerEvent(EventBase):
    """A customer was created or changed. The event has all its fields (a snapshot)."""

    type: Literal["customer.created", "customer.updated"]
    customer: Customer

    @property
    def key(self) -> OrderingKey:
        return OrderingKey(self.company, "customer", self.customer.customer_number)

    @property
    def prerequisites(self) -> tuple[OrderingKey, ...]:
        return (self.integration_key,)


class ProjectEvent(EventBase):
    """A project was created or changed. The event has all its fields (a snapshot)."""

    type: Literal["project.created", "project.updated"]
    project: Project

    @property
    def key(self) -> OrderingKey:
        return OrderingKey(self.company, "project", self.project.project_number)

    @property
    def prerequisites(self) -> tuple[OrderingKey, ...]:
        return (self.integration_key,)


class InvoiceEvent(EventBase):
    """An invoice or a credit note was finalized. It never changes afterwards."""

    type: Literal["invoice.finalized"]
    invoice: Invoice

    @property
    def key(self) -> OrderingKey:
        return OrderingKey(self.company, "invoice", str(self.invoice.invoice_number))

    @property
    def prerequisites(self) -> tuple[OrderingKey, ...]:
        """The connection, the customer, all projects and, for a credit note, the credited invoice."""
        invoice = self.invoice
        projects = [ref for ref in (invoice.project, *(line.project for line in invoice.lines)) if ref]
        keys = [
            self.integration_key,
            OrderingKey(self.company, "customer", invoice.customer.customer_number),
            *(OrderingKey(self.company, "project", ref.project_number) for ref in projects),
        ]
        if invoice.credited_invoice_number is not None:
            keys.append(OrderingKey(self.company, "invoice", str(invoice.credited_invoice_number)))
        return tuple(dict.fromkeys(key for key in keys if key != self.key))


class IntegrationEvent(EventBase):
    """A company enabled, changed or disabled the integration."""

    type: Literal["integration.enabled", "integration.updated", "integration.disabled"]
    integration: Integration = Integration()

    @property
    def key(self) -> OrderingKey:
        return self.integration_key

    @property
    def prerequisites(self) -> tuple[OrderingKey, ...]:
        return ()


Event = CustomerEvent | ProjectEvent | InvoiceEvent | IntegrationEvent
EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


class Problem(NamedTuple):
    """A fault of an event: its path (`invoice.lines.0.accountNumber`), what is wrong, and the given value.

    `value` is empty if there is none, or if it may be secret.
    """

    path: str
    problem: Message
    value: str | Message = ""

    @property
    def message(self) -> Message:
        """The problem with its path and value."""
        if not self.value:
            return Message("event.problem", path=self.path or Message("event.itself"), problem=self.problem)
        return Message(
            "event.problem-with-value",
            path=self.path or Message("event.itself"),
            problem=self.problem,
            value=self.value,
        )

    def __str__(self) -> str:
        from messages.catalogue import say  # imported when used: the catalogues take time to load

        return say(self.message)


class InvalidEvent(ValueError):
    """The input is not an event of the contract. `problems` lists each fault with its path."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    @property
    def message(self) -> Message:
        return Message.join(Message("event.not-valid"), *(problem.message for problem in self.problems))

    def __str__(self) -> str:
        """In English, for the producer's programmer. May repeat a value: never log it."""
        return "; ".join(map(str, self.problems))


def parse_stored(body: str) -> Event:
    """Return the event of what was stored of it. Raises `InvalidEvent`.

    Its text was checked against the limits on arrival, and what its producer sent beyond the contract was told then.
    """
    return parse_event(_loaded(body), names_unknown=False)


def parse_event(source: str | bytes | Mapping[str, Any], *, names_unknown: bool = True) -> Event:
    """Return the event of a JSON text, or of the object read from one. Raises `InvalidEvent`.

    A text has no limit in size here: `moment.limits` has. `names_unknown`: look for fields beyond the contract.
    """
    given = _read(source) if isinstance(source, str | bytes) else source
    if not isinstance(given, Mapping):
        raise InvalidEvent((Problem("", Message("event.not-an-object"), _shown(given)),))
    try:
        event = EVENT_ADAPTER.validate_python(dict(given))
    except ValidationError as error:
        faults = [fault for fault in error.errors(include_url=False) if not _is_echo(fault)]
        raise InvalidEvent(tuple(_problem(fault, given) for fault in faults)) from None
    if names_unknown:
        event._unknown = unknown_fields(given, event)
    return event


def _read(source: str | bytes) -> Any:
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    try:
        check_json(raw, most=len(raw))
    except BeyondLimit as error:
        raise beyond_limit(error) from None
    # Decoded here: `json.loads` would read bytes that look like UTF-16 as such, which nothing has checked.
    return _loaded(raw.decode("utf-8-sig"))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise InvalidEvent((Problem("", Message("event.not-json", why=str(error))),)) from None


def beyond_limit(error: BeyondLimit) -> InvalidEvent:
    """Return the `InvalidEvent` of a text that breaks a limit."""
    most = str(error.most)
    problems = {
        "bytes": Message("event.too-large", most=most),
        "utf8": Message("event.not-utf8", byte=most),
        "surrogate": Message("event.surrogate"),
        "depth": Message("event.deeper-than", levels=most),
        "values": Message("event.too-many-values", most=most),
        "digits": Message("event.number-too-long", digits=most),
        "exponent": Message("event.exponent-beyond", most=most),
    }
    return InvalidEvent((Problem("", problems[error.kind]),))


def event_json(event: Event) -> str:
    """Return the event's JSON: camelCase, money as decimal strings, only what was given."""
    return event.model_dump_json(by_alias=True, exclude_unset=True)


FIELDS_NAMED = 20  # unknown fields of one event that are named
_FIELD = re.compile(r"[^\W\d][\w-]{0,39}")  # a name that can be shown; another may be a value, or anything


def unknown_fields(given: Mapping[str, Any], model: BaseModel, path: str = "") -> tuple[str, ...]:
    """Return the paths of fields in `given` that `model` was made without, at most `FIELDS_NAMED`.

    The elements of a list share their path. A name that is no identifier is `?`.
    """
    return tuple(islice(dict.fromkeys(_unknown(given, model, path)), FIELDS_NAMED))


def _unknown(given: Any, made: Any, path: str) -> Iterator[str]:
    if isinstance(made, tuple) and isinstance(given, list | tuple):
        for one, part in zip(given, made, strict=False):
            yield from _unknown(one, part, path)
    elif isinstance(made, BaseModel) and isinstance(given, Mapping):
        names = _names(type(made))
        for name, value in given.items():
            if name in names:
                yield from _unknown(value, getattr(made, names[name]), f"{path}{name}.")
            else:
                yield path + (name if isinstance(name, str) and _FIELD.fullmatch(name) else "?")


@cache
def _names(model: type[BaseModel]) -> Mapping[str, str]:
    """The model's fields by each name that JSON may give them."""
    return {alias: name for name in model.model_fields for alias in (name, to_camel(name))}


_SECRET_FIELDS = frozenset({"authorizationCode", "content"})


def _is_echo(fault: Any) -> bool:
    """Whether pydantic calls a list too short only because its elements are wrong."""
    return bool(fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"])


def _problem(fault: Any, given: Mapping[str, Any]) -> Problem:
    location = [str(part) for part in fault["loc"]]
    if location and location[0] == given.get("type"):
        location = location[1:]  # pydantic puts the event's type first
    path = ".".join(location) or ("type" if fault["type"].startswith("union_tag") else "")
    if fault["type"] == "union_tag_not_found":
        return Problem("type", Message("event.missing"))
    if fault["type"] == "union_tag_invalid":
        expected = str(fault["ctx"]["expected_tags"]).replace("'", "")
        return Problem("type", Message("event.unknown-type", types=expected), _shown(given.get("type")))
    if fault["type"] == "missing":
        return Problem(path, Message("event.missing"))
    hidden = not location or location[-1] in _SECRET_FIELDS
    return Problem(path, _asked(fault), "" if hidden else _shown(fault["input"]))


def _asked(fault: Any) -> Message:
    """Return what is required of the value; in pydantic's words if its kind of fault is not in `_KINDS`."""
    kind, limits = fault["type"], fault.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return Message(f"event.pattern-{_PATTERNS[limits['pattern']]}")
    if kind in _KINDS:
        return Message(f"event.{_KINDS[kind]}", **{name: str(limits[name]) for name in _LIMITS if name in limits})
    return Message("event.other-fault", said=fault["msg"])


_LIMITS = (
    "max_digits",
    "decimal_places",
    "whole_digits",
    "gt",
    "ge",
    "lt",
    "le",
    "expected",
    "max_length",
    "min_length",
)
# pydantic's kind of fault → the message that says what is asked
_KINDS = {
    "bool_parsing": "bool",
    "bool_type": "bool",
    "date_from_datetime_parsing": "date",
    "date_parsing": "date",
    "date_range": "date-range",
    "date_without_time": "date-without-time",
    "datetime_from_date_parsing": "time-with-zone",
    "datetime_parsing": "time-with-zone",
    "decimal": "decimal",
    "decimal_max_digits": "max-digits",
    "decimal_max_places": "max-places",
    "decimal_whole_digits": "whole-digits",
    "dict_type": "object",
    "finite_number": "finite",
    "greater_than": "greater-than",
    "greater_than_equal": "at-least",
    "less_than": "less-than",
    "less_than_equal": "at-most",
    "literal_error": "one-of",
    "model_attributes_type": "object",
    "model_type": "object",
    "string_too_long": "max-characters",
    "string_too_short": "empty",
    "string_type": "text",
    "string_unicode": "surrogate",
    "time_range": "time-range",
    "time_with_zone": "time-with-zone",
    "timezone_aware": "time-with-zone",
    "too_long": "max-elements",
    "too_short": "min-elements",
    "tuple_type": "list",
    "url_or_content": "url-or-content",
    "whole_number": "whole-number",
}
_PATTERNS = {
    r"^[^\s/\x00-\x1f\x7f]{1,50}$": "number",
    r"^[^\s\x00-\x1f\x7f]{1,200}$": "id",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$": "company",
    r"^[1-9][0-9]{3}$": "account",
    r"^[1-9][0-9]{3}(-[1-9][0-9]{3})?$": "accounts",
    r"\S": "blank",
    r"^[A-Z]{3}$": "currency",
    r"^[A-Za-z]{2}$": "country",
}


def _shown(value: object) -> str | Message:
    """Return the value as text, at most 80 characters. Contents of an object or a list may be secret: not shown."""
    if isinstance(value, Mapping):
        return Message("event.an-object")
    if isinstance(value, list | tuple):
        return Message("event.a-list") if value else Message("event.an-empty-list")
    if isinstance(value, Decimal):
        text = str(value)
    else:
        text = repr(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
