"""Moment: projects, expenses and files."""

from typing import Any

import pytest
import requests

from tests.sandbox.sandbox_client import Sandbox

BASE = "/api/1.0/companies/acme"
EXPENSE = {
    "externalId": "fortnox:7:3",
    "projectNumber": "1",
    "date": "2026-11-02",
    "description": "Virke",
    "supplierName": "Virke AB",
    "supplierInvoiceNumber": "F-7",
    "accountNumber": "4010",
    "amountExcludingVat": "1000.00",
    "currencyCode": "SEK",
    "billable": True,
}

OPTIONAL = ("description", "supplierName", "supplierInvoiceNumber")


class Moment:
    def __init__(self, sandbox: Sandbox, headers: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.headers = headers

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        url = f"{self.sandbox.moment}{BASE}{path}"
        return self.sandbox.session.request(method, url, headers=self.headers, **more)

    def create(self, **changes: Any) -> requests.Response:
        return self("POST", "/projectExpenses", json={**EXPENSE, **changes})


@pytest.fixture
def moment(sandbox: Sandbox, moment_key: dict[str, str]) -> Moment:
    sandbox.moment_control("projects", company="acme", projectNumber="1", name="Ombyggnad")
    sandbox.moment_control("projects", company="acme", projectNumber="11")
    return Moment(sandbox, moment_key)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YXBpa2V5Ondyb25n"}, {"Authorization": "Bearer x"}])
def test_the_key_is_needed(sandbox: Sandbox, header: dict[str, str]) -> None:
    answer = sandbox.session.get(f"{sandbox.moment}{BASE}/projects", headers=header)
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


def test_projects_are_found_by_number(moment: Moment) -> None:
    found = moment("GET", "/projects", params={"projectNumber": "1"}).json()
    assert [project["name"] for project in found["content"]] == ["Ombyggnad"]
    assert found["page"] == {"number": 0, "size": 100, "totalElements": 1, "totalPages": 1}
    assert moment("GET", "/projects", params={"projectNumber": "9"}).json()["content"] == []


def test_filters_can_be_silently_ignored(moment: Moment) -> None:
    moment.sandbox.moment_control("options", ignore_filters=True)
    assert len(moment("GET", "/projects", params={"projectNumber": "1"}).json()["content"]) == 2


def test_lists_are_paged_from_nought(moment: Moment) -> None:
    second = moment("GET", "/projects", params={"page": 1, "size": 1}).json()
    assert [project["projectNumber"] for project in second["content"]] == ["11"]
    assert second["page"]["totalPages"] == 2


@pytest.mark.parametrize(("number_from_0", "said"), [(False, 2), (True, 1)])
def test_pages_can_be_made_to_count_from_1(moment: Moment, number_from_0: bool, said: int) -> None:
    moment.sandbox.moment_control("options", first_page=1, number_from_0=number_from_0)
    second = moment("GET", "/projects", params={"page": 2, "size": 1}).json()
    assert [project["projectNumber"] for project in second["content"]] == ["11"]
    assert second["page"]["number"] == said
    assert moment("GET", "/projects", params={"page": 0}).status_code == 400
    assert len(moment("GET", "/projects").json()["content"]) == 2


def test_an_expense_lives(moment: Moment) -> None:
    path = "/projectExpenses/fortnox%3A7%3A3"
    assert moment.create().status_code == 201
    assert moment.create().status_code == 409
    changed = {**EXPENSE, "amountExcludingVat": "900.00"}
    assert moment("PUT", path, json=changed).status_code == 200
    assert moment("GET", path).json()["amountExcludingVat"] == "900.00"
    assert moment("GET", "/projectExpenses").json()["page"]["totalElements"] == 1
    assert moment("DELETE", path).status_code == 204
    gone = [moment("PUT", path, json=changed), moment("DELETE", path), moment("GET", path)]
    assert [answer.status_code for answer in gone] == [404, 404, 404]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        *[(name, None, 400) for name in EXPENSE if name not in OPTIONAL],
        ("colour", "red", 400),
        ("externalId", 7, 400),
        ("accountNumber", 4010, 400),
        ("supplierName", "", 400),
        ("billable", "true", 400),
        ("currencyCode", "kr", 400),
        ("amountExcludingVat", "1.005", 400),
        ("amountExcludingVat", "1,00", 400),
        ("amountExcludingVat", True, 400),
        ("date", "2026-02-30", 400),
        ("date", "20260201", 400),
        ("projectNumber", "404", 404),
    ],
)  # fmt: skip
def test_a_wrong_expense_is_refused_by_the_name_of_its_field(
    moment: Moment, field: str, value: Any, status: int
) -> None:
    answer = moment.create(**{field: value})
    assert (answer.status_code, answer.json()["field"]) == (status, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", None),
        ("supplierName", None),
        ("amountExcludingVat", 12.5),
        ("amountExcludingVat", "-3"),
    ],
)
def test_an_expense_with_less_is_taken(moment: Moment, field: str, value: Any) -> None:
    assert moment.create(**{field: value}).status_code == 201


@pytest.mark.parametrize("status", [409, 423])
def test_an_invoiced_expense_cannot_be_changed(moment: Moment, status: int) -> None:
    moment.create()
    moment.sandbox.moment_control("options", invoiced_status=status)
    moment.sandbox.moment_control("expenses", company="acme", externalId="fortnox:7:3", invoiced=True)
    path = "/projectExpenses/fortnox:7:3"
    assert moment("PUT", path, json=EXPENSE).status_code == status
    assert moment("DELETE", path).status_code == status
    url = f"{moment.sandbox.moment}/_sandbox/expenses"
    assert moment.sandbox.session.get(url, params={"company": "acme"}).json()[0]["invoiced"] is True


class TestFiles:
    def add(self, sandbox: Sandbox, **file: Any) -> str:
        added = sandbox.moment_control("files", **{"company": "acme", "name": "f.pdf", **file})
        return f"{sandbox.moment}{added['path']}"

    def test_a_file_needs_the_key_and_a_public_one_does_not(self, moment: Moment) -> None:
        private = self.add(moment.sandbox, size=5000)
        public = self.add(moment.sandbox, public=True)
        get = moment.sandbox.session.get
        assert get(private).status_code == 401
        answer = get(private, headers=moment.headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content.startswith(b"%PDF")
        assert len(answer.content) >= 5000
        assert get(public).status_code == 200

    @pytest.mark.parametrize("size", [0, 1000, 5000])
    def test_a_made_file_has_the_size_asked_for(self, moment: Moment, size: int) -> None:
        url = self.add(moment.sandbox, size=size, content_type="text/plain", name="a.txt")
        assert len(moment.sandbox.session.get(url, headers=moment.headers).content) == (size or 6)

    def test_its_behaviour_is_told(self, moment: Moment) -> None:
        def get(**file: Any) -> requests.Response:
            url = self.add(moment.sandbox, **file)
            return moment.sandbox.session.get(url, headers=moment.headers, allow_redirects=False)

        assert get(status=404).status_code == 404
        redirect = get(redirect="https://elsewhere.example/f.pdf")
        assert (redirect.status_code, redirect.headers["location"]) == (
            302,
            "https://elsewhere.example/f.pdf",
        )
        assert get(delay=0.1).elapsed.total_seconds() >= 0.1
        assert get(content_base64="aGVq", content_type="text/plain").content == b"hej"
        assert len(get(size=2000, trickle=0.1).content) >= 2000
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            get(size=5000, cut_after=1000)

    def test_an_unknown_file_is_missing_unless_files_are_made_on_the_spot(self, moment: Moment) -> None:
        assert moment("GET", "/files/x.pdf").status_code == 404
        moment.sandbox.moment_control("options", generate_files=True)
        assert moment("GET", "/files/x.pdf").content.startswith(b"%PDF")


def test_it_has_faults_and_a_log_of_its_own(moment: Moment) -> None:
    moment.sandbox.moment_control("faults", kind="fail_next", status=503, body="html", path=f"{BASE}/projects")
    assert moment("GET", "/projects").status_code == 503
    moment.sandbox.moment_control("faults", kind="drop_response_after_write")
    with pytest.raises(requests.ConnectionError):
        moment.create()
    assert moment.create().status_code == 409
    log = moment.sandbox.session.get(f"{moment.sandbox.moment}/_sandbox/requests").json()
    assert [entry["status"] for entry in log["requests"]] == [503, None, 409]
