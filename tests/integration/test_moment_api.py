"""Moment's adapter over HTTP: what it asks, and which error each answer is."""

import pickle
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import SecretStr

from messages.catalogue import say
from moment import errors
from moment.api import MomentApi
from moment.errors import (
    ExpenseExists,
    ExpenseInvoiced,
    KeyRefused,
    MomentError,
    MomentRefused,
    MomentUnavailable,
    NotThere,
    ProjectNotThere,
)
from moment.expenses import Expense
from tests.services import Sandbox
from tests.unit.test_expense_changes import an_expense


@pytest.fixture
def api(sandbox: Sandbox) -> MomentApi:
    sandbox.moment_project("acme", "1")
    return MomentApi(f"{sandbox.moment}/api/1.0", SecretStr("sandbox-key"))


def in_moment(sandbox: Sandbox, method: str, control: str, **body: Any) -> None:
    sandbox.in_moment(method, control, body)


def test_an_expense_is_created_read_corrected_and_withdrawn(api: MomentApi, sandbox: Sandbox) -> None:
    expense = an_expense("-1000.50")
    api.create("acme", expense)
    assert sandbox.expenses("acme")["fortnox:17:1"]["amountExcludingVat"] == "-1000.50"
    assert expense.as_found(api.expense("acme", "fortnox:17:1"))
    api.correct("acme", an_expense("7"))
    assert not expense.as_found(api.expense("acme", "fortnox:17:1"))
    api.withdraw("acme", "fortnox:17:1")
    assert sandbox.expenses("acme") == {}


def test_a_project_is_found_on_any_page_and_only_by_its_whole_number(api: MomentApi, sandbox: Sandbox) -> None:
    for number in range(100, 350):
        sandbox.moment_project("acme", str(number))
    in_moment(sandbox, "POST", "options", ignore_filters=True)
    assert api.has_project("acme", "349")
    assert not api.has_project("acme", "34")
    in_moment(sandbox, "POST", "options", ignore_filters=False)
    assert api.has_project("acme", "1")
    assert not api.has_project("other", "1")


@pytest.mark.parametrize("paging", [{"first_page": 1}, {"first_page": 1, "number_from_0": True}])
def test_pages_may_count_from_1(api: MomentApi, sandbox: Sandbox, paging: dict[str, Any]) -> None:
    for number in range(100, 350):
        sandbox.moment_project("acme", str(number))
    in_moment(sandbox, "POST", "options", ignore_filters=True, **paging)
    assert all(api.has_project("acme", number) for number in ("1", "198", "199", "298", "299", "349"))
    assert not api.has_project("acme", "350")


def test_each_refusal_has_its_own_error(api: MomentApi, sandbox: Sandbox) -> None:
    expense = an_expense()
    for call in (
        lambda: api.expense("acme", "fortnox:17:1"),
        lambda: api.correct("acme", expense),
        lambda: api.withdraw("acme", "fortnox:17:1"),
    ):
        with pytest.raises(NotThere):
            call()
    api.create("acme", expense)
    with pytest.raises(ExpenseExists):
        api.create("acme", expense)
    in_moment(sandbox, "POST", "expenses", company="acme", externalId="fortnox:17:1", invoiced=True)
    for call in (lambda: api.correct("acme", expense), lambda: api.withdraw("acme", "fortnox:17:1")):
        with pytest.raises(ExpenseInvoiced):
            call()
    with pytest.raises(ProjectNotThere):
        api.create("acme", expense.model_copy(update={"project_number": "9"}))
    with pytest.raises(MomentRefused, match="currencyCode") as refused:
        api.create("acme", expense.model_copy(update={"currency_code": "kr"}))
    assert say(refused.value.reason) == "Moment refused it: “currencyCode: Must be three capital letters”"


def test_a_wrong_key_is_the_operators(sandbox: Sandbox) -> None:
    with pytest.raises(KeyRefused):
        MomentApi(f"{sandbox.moment}/api/1.0", SecretStr("wrong")).has_project("acme", "1")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "fail_next", "status": 500},
        {"kind": "fail_next", "status": 503, "body": "html"},
        {"kind": "fail_next", "status": 429},
        {"kind": "fail_next", "status": 302},
        {"kind": "fail_next", "status": 200, "body": "html"},
        {"kind": "fail_next", "status": 200, "body": "raw", "content": "[" * 100_000},
        {"kind": "fail_next", "status": 200, "body": "raw", "content": '{"content": 1E+999999999}'},
        {"kind": "fail_next", "status": 200, "body": "raw", "content": "[],"},
        {"kind": "drop_before"},
    ],
)
def test_trouble_is_tried_again(api: MomentApi, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    in_moment(sandbox, "POST", "faults", **fault)
    with pytest.raises(MomentUnavailable):
        api.has_project("acme", "1")
    assert api.has_project("acme", "1")


def test_an_answer_that_drips_or_never_ends_is_given_up() -> None:
    def drips(wait: float, piece: bytes) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):
                    while not ended.wait(wait):
                        self.wfile.write(piece)

            def log_message(self, *_: object) -> None: ...

        ended = Event()
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            ended.set()
            server.shutdown()

    for wait, piece in ((0.01, b" "), (0, b" " * 1_000_000)):
        for address in drips(wait, piece):
            started = time.monotonic()
            with pytest.raises(MomentUnavailable):
                MomentApi(address, SecretStr("k"), answer_within=0.5).has_project("acme", "1")
            assert time.monotonic() - started < 10


def test_nobody_listening_is_trouble_too() -> None:
    with pytest.raises(MomentUnavailable, match="no answer"):
        MomentApi("http://127.0.0.1:9/api/1.0", SecretStr("k")).create("acme", an_expense())


@pytest.mark.parametrize(
    "kind", [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, MomentError)]
)
def test_errors_survive_pickling_and_keep_moments_words_out_of_the_log(kind: type[MomentError]) -> None:
    error = kind("PUT", "/companies/{company}/projectExpenses/{id}", 400, "Virke AB is blocked", "supplierName")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (kind, error.args, str(error))
    assert "Virke" not in str(error)


def test_an_expense_read_back_with_more_fields_and_other_spelling_is_the_same() -> None:
    expense = an_expense("1000")
    found = {**expense.fields(), "amountExcludingVat": 1000, "billable": False, "id": 7, "version": 2}
    assert expense.as_found(found) is True
    assert expense.as_found({**found, "accountNumber": "4011"}) is False
    assert expense.as_found({}) is None
    assert isinstance(expense, Expense)
