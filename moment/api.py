"""The part of Moment's API that is used: which projects exist, expenses and payments from Fortnox.

The latter two are not in Moment's public documentation; docs/expenses.md and docs/payments.md list what is assumed.
Each method makes one request and never retries. Repeating a write is harmless: each thing has an id of ours.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from pydantic import SecretStr

from config.http import FAILURES, exchange, new_session, pieces
from config.json_limits import read_answer
from moment import errors as e
from moment.expenses import Expense
from moment.payments import MomentPayment

CONNECT, READ, WHOLE = 5.0, 30.0, 60.0  # seconds; the last for an exchange from end to end
LARGEST_ANSWER = 8_000_000  # bytes
PAGE_SIZE = 100
MOST_PAGES = 100
EXPENSES = "/companies/{company}/projectExpenses"
PAYMENT = "/companies/{company}/invoices/{number}/payments/{id}"
INVOICED = frozenset({409, 423})  # assumed answers to a change of an invoiced expense


class MomentApi:
    """Moment's API, with one key for all companies."""

    def __init__(self, api_url: str, api_key: SecretStr, *, whole: float = WHOLE) -> None:
        self._whole = whole
        self._url = api_url.rstrip("/")
        self._key = api_key
        self._session: requests.Session | None = None
        self._pid = 0

    def has_project(self, company: str, number: str) -> bool:
        """Return whether the project exists. Moment may ignore the filter, so the numbers are compared, page by page.

        Pages may count from 0 or from 1, so the first is requested without a number. A page read twice is harmless.
        """
        params, asked, seen = {"projectNumber": number, "size": str(PAGE_SIZE)}, 0, set[str]()
        for _ in range(MOST_PAGES):
            document = self._call("GET", "/companies/{company}/projects", company, params=params)
            found = document.get("content") if isinstance(document, Mapping) else None
            if not isinstance(found, list):
                raise e.MomentUnavailable("GET", "/companies/{company}/projects", 200, "not a list")
            seen |= {str(one.get("projectNumber")) for one in found if isinstance(one, Mapping)}
            if number in seen:
                return True
            page = Page.of(document)
            if not found or not page.has_more(len(seen)):
                return False
            asked = max(asked, page.number) + 1
            params["page"] = str(asked)
        return False

    def expense(self, company: str, external_id: str) -> Mapping[str, Any]:
        """Return the expense as it now is. Raises `NotThere`."""
        document = self._call("GET", EXPENSES + "/{id}", company, external_id)
        return document if isinstance(document, Mapping) else {}

    def create(self, company: str, expense: Expense) -> None:
        """Raises `ExpenseExists` and `ProjectNotThere`."""
        self._call("POST", EXPENSES, company, body=expense)

    def correct(self, company: str, expense: Expense) -> None:
        """Raises `NotThere`, `ExpenseInvoiced` and `ProjectNotThere`."""
        self._call("PUT", EXPENSES + "/{id}", company, expense.external_id, body=expense)

    def withdraw(self, company: str, external_id: str) -> None:
        """Raises `NotThere` and `ExpenseInvoiced`."""
        self._call("DELETE", EXPENSES + "/{id}", company, external_id)

    def put_payment(self, company: str, payment: MomentPayment) -> None:
        """Create or change a payment of an invoice. Raises `NotThere` where Moment has no such invoice."""
        number, external_id = payment.invoice_number, payment.external_id
        self._call("PUT", PAYMENT, company, external_id, number=number, body=payment)

    def undo_payment(self, company: str, invoice_number: str, external_id: str) -> None:
        """Raises `NotThere`."""
        self._call("DELETE", PAYMENT, company, external_id, number=invoice_number)

    def _call(
        self,
        method: str,
        path: str,
        company: str,
        external_id: str = "",
        *,
        number: str = "",
        params: Mapping[str, str] | None = None,
        body: Expense | MomentPayment | None = None,
    ) -> Any:
        named = {"company": company, "number": number, "id": external_id}
        filled = path.format(**{name: quote(value, safe="") for name, value in named.items()})
        try:
            with (
                exchange(self._whole, LARGEST_ANSWER),
                self._for_this_process().request(
                    method,
                    self._url + filled,
                    params=params,
                    json=None if body is None else body.fields(),
                    auth=("apikey", self._key.get_secret_value()),
                    timeout=(CONNECT, READ),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                content = b"".join(pieces(response, LARGEST_ANSWER))
            return _read(method, path, response.status_code, content)
        except FAILURES as error:
            raise e.MomentUnavailable(method, path, None, type(error).__name__) from None

    def _for_this_process(self) -> requests.Session:
        if self._session is None or self._pid != os.getpid():
            self._session, self._pid = new_session(), os.getpid()
        return self._session


def _read(method: str, path: str, status: int, content: bytes) -> Any:
    """Return the JSON of a good answer. Raises the `MomentError` of any other."""
    try:
        document = read_answer(content, most=LARGEST_ANSWER) if content else None
    except ValueError:
        document = ...
    if status in range(200, 300):
        if document is ...:
            raise e.MomentUnavailable(method, path, status, "not JSON")
        return document
    told = document if isinstance(document, Mapping) else {}
    message, field = str(told.get("message") or "")[:500], str(told.get("field") or "")[:100]
    raise _error(method, status, field)(method, path, status, message, field)


def _error(method: str, status: int, field: str) -> type[e.MomentError]:
    match method, status:
        case _, 401 | 403:
            return e.KeyRefused
        case _, 408 | 425 | 429:
            return e.MomentUnavailable
        case _ if status >= 500 or status < 400:
            return e.MomentUnavailable
        case "POST", 409:
            return e.ExpenseExists
        case "PUT" | "DELETE", _ if status in INVOICED:
            return e.ExpenseInvoiced
        case "POST" | "PUT", 404 if method == "POST" or field == "projectNumber":
            return e.ProjectNotThere
        case _, 404 | 410:
            return e.NotThere
    return e.MomentRefused


class Page(NamedTuple):
    """A page's own account of a list; 0 if it has none."""

    number: int
    pages: int
    elements: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Page":
        told = document.get("page")
        found = [
            told.get(name) if isinstance(told, Mapping) else 0 for name in ("number", "totalPages", "totalElements")
        ]
        return cls(*(one if isinstance(one, int) and 0 <= one < 10**9 else 0 for one in found))

    def has_more(self, seen: int) -> bool:
        """Return whether more pages follow after so many elements. If their number is unknown: until one is empty."""
        return seen < self.elements if self.elements else self.pages > 1
