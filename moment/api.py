"""Moment's API as far as it is used: which projects exist, and the expenses that come back from Fortnox.

The one small adapter for an endpoint that Moment does not document publicly; docs/expenses.md lists what is assumed.
One request a method, explicit time-outs, no retries: an expense has an id of ours, so twice is the same as once.
"""

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
import simplejson
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from moment import errors as e
from moment.expenses import Expense

CONNECT, READ, ANSWER = 5.0, 30.0, 60.0  # seconds: to connect, until the next bytes, for a whole answer
PIECE = 64 * 1024
LARGEST_ANSWER = 8_000_000  # bytes
PAGE_SIZE = 100
MOST_PAGES = 100
EXPENSES = "/companies/{company}/projectExpenses"
INVOICED = frozenset({409, 423})  # what a change to an invoiced expense is assumed to answer


class MomentApi:
    """Moment, with one key for all companies: it reaches every company that the key's user can reach."""

    def __init__(self, api_url: str, api_key: SecretStr, *, answer_within: float = ANSWER) -> None:
        self._answer_within = answer_within
        self._url = api_url.rstrip("/")
        self._key = api_key
        self._session: requests.Session | None = None
        self._pid = 0

    def has_project(self, company: str, number: str) -> bool:
        """Whether the project exists. Filters may be ignored silently, so answers are compared, page by page.

        Pages may count from 0 or from 1: the first is not asked for by its number, and what comes twice does no harm.
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
        """The expense as it now is. Raises `NotThere`."""
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

    def _call(
        self,
        method: str,
        path: str,
        company: str,
        external_id: str = "",
        *,
        params: Mapping[str, str] | None = None,
        body: Expense | None = None,
    ) -> Any:
        filled = path.format(company=quote(company, safe=""), id=quote(external_id, safe=""))
        try:
            with self._for_this_process().request(
                method,
                self._url + filled,
                params=params,
                json=None if body is None else body.fields(),
                auth=("apikey", self._key.get_secret_value()),
                timeout=(CONNECT, READ),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._body(response)
                if content is None:
                    raise e.MomentUnavailable(method, path, response.status_code, "too long or too slow")
                return _read(method, path, response.status_code, content)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise e.MomentUnavailable(method, path, None, type(error).__name__) from None

    def _body(self, response: requests.Response) -> bytes | None:
        """Return the body; None if it is too long or takes too long: a read timeout alone lets it drip for ever."""
        deadline, body = time.monotonic() + self._answer_within, bytearray()
        while piece := response.raw.read1(PIECE, decode_content=True):
            body += piece
            if len(body) > LARGEST_ANSWER or time.monotonic() > deadline:
                return None
        return bytes(body)

    def _for_this_process(self) -> requests.Session:
        if self._session is None or self._pid != os.getpid():
            self._session, self._pid = requests.Session(), os.getpid()
            self._session.trust_env = False  # no proxy or .netrc of the machine's comes between
            self._session.headers["User-Agent"] = "moment-fortnox"
        return self._session


def _read(method: str, path: str, status: int, content: bytes) -> Any:
    """The JSON of a good answer. Raises the `MomentError` of any other."""
    try:
        document = simplejson.loads(content, use_decimal=True) if content else None
    except (ValueError, RecursionError):
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
    """What a page of a list says of itself; 0 where it does not."""

    number: int
    pages: int
    elements: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Page":
        told = document.get("page")
        found = [
            told.get(name) if isinstance(told, Mapping) else 0 for name in ("number", "totalPages", "totalElements")
        ]
        return cls(*(one if isinstance(one, int) else 0 for one in found))

    def has_more(self, seen: int) -> bool:
        """Whether there are pages after so many elements. Where their number is not told, until a page is empty."""
        return seen < self.elements if self.elements else self.pages > 1
