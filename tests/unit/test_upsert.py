"""Create or update: as few requests as can be, never a change lost, never a write without a look when in doubt."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from delivery.upsert import CREATING, UPDATING, Written, create_or_update, digest
from fortnox import errors as e
from fortnox.errors import Details
from fortnox.payloads import CustomerPayload
from stores.links import LinkRecord


class MemoryLinks:
    def __init__(self) -> None:
        self.records: dict[tuple[str, str], LinkRecord] = {}

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        return self.records.get((kind, number))

    def remember(self, kind: str, number: str, digest: str, *, confirmed: bool = False) -> None:
        self.records[kind, number] = LinkRecord(digest)

    def forget(self, kind: str, number: str) -> None:
        self.records.pop((kind, number), None)

    @property
    def digest(self) -> str | None:
        record = self.remembered("customer", "10001")
        return record.digest if record else None


class FakeRegister:
    """A register with state; `fail` makes the next request end with an error, before or after it took effect."""

    kind = "customer"
    number_field = "CustomerNumber"
    taken: type[e.Rejected] = e.NumberTaken

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.reserved: set[str] = set()
        self.requests: list[str] = []
        self.sent: dict[str, Any] = {}  # with the last update
        self.locked: dict[str, str] = {}  # field -> the words in which an update of it is refused
        self._faults: list[tuple[str, Exception, bool]] = []

    def fail(self, method: str, error: Exception, *, landed: bool = False) -> None:
        self._faults.append((method, error, landed))

    def get(self, number: str) -> dict[str, Any]:
        return self._request("GET", lambda: self._held(number))

    def create(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return self._request("POST", lambda: self._create(dict(fields)))

    def update(self, number: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return self._request("PUT", lambda: self._update(number, dict(fields)))

    def _request(self, method: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.requests.append(method)
        if self._faults and self._faults[0][0] == method:
            _, error, landed = self._faults.pop(0)
            if landed:
                act()
            raise error
        return act()

    def _held(self, number: str) -> dict[str, Any]:
        if number not in self.held:
            raise e.NotFound(Details())
        return self.held[number]

    def _create(self, fields: dict[str, Any]) -> dict[str, Any]:
        number = fields["CustomerNumber"]
        if number in self.held or number in self.reserved:
            raise self.taken(Details())
        self.held[number] = fields
        return fields

    def _update(self, number: str, fields: dict[str, Any]) -> dict[str, Any]:
        there = self._held(number)
        self.sent = fields
        for name in fields:
            if name in self.locked:
                raise e.Rejected(Details(message=self.locked[name]))
        there.update(fields)
        return fields


class MemoryNotes:
    def __init__(self) -> None:
        self.noted: dict[str, str] = {}

    def cached(self, what: str) -> str | None:
        return self.noted.get(what)

    def remember(self, what: str, found: str) -> None:
        self.noted[what] = found


class Throttling(MemoryNotes):
    """There is room for one request: after each that is noted comes one for which there is none."""

    def __init__(self, memory: MemoryNotes) -> None:
        self.noted = memory.noted

    def remember(self, what: str, found: str) -> None:
        super().remember(what, found)
        raise e.WindowFull(Details(), 1.0)


@pytest.fixture
def links() -> MemoryLinks:
    return MemoryLinks()


@pytest.fixture
def register() -> FakeRegister:
    return FakeRegister()


def a_customer(name: str = "Skånska Bygg AB", **fields: Any) -> CustomerPayload:
    return CustomerPayload(customer_number="10001", name=name, **fields)


def test_a_new_one_costs_one_request(register: FakeRegister, links: MemoryLinks) -> None:
    assert create_or_update(register, links, a_customer()).written is Written.CREATED
    assert register.requests == ["POST"]


def test_an_unchanged_one_costs_none(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer())
    register.requests.clear()

    assert create_or_update(register, links, a_customer()).written is Written.UNCHANGED
    assert register.requests == []


def test_a_changed_one_costs_one_request(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer(email="a@b.example"))
    register.requests.clear()

    assert create_or_update(register, links, a_customer(email=None)).written is Written.UPDATED
    assert register.requests == ["PUT"]
    assert register.held["10001"]["Email"] == "API_BLANK"


@pytest.mark.parametrize("taken", [e.NumberTaken, e.NumberReserved, e.Rejected])
def test_one_that_fortnox_already_has_is_taken_over(
    register: FakeRegister, links: MemoryLinks, taken: type[e.Rejected]
) -> None:
    register.held["10001"] = {"Name": "Old"}
    register.taken = taken

    assert create_or_update(register, links, a_customer()).written is Written.UPDATED
    assert register.requests == ["POST", "GET", "PUT"]
    assert register.held["10001"]["Name"] == "Skånska Bygg AB"


def test_one_that_fortnox_already_has_is_shown_to_the_check_before_it_is_touched(
    register: FakeRegister, links: MemoryLinks
) -> None:
    register.held["10001"] = {"Name": "Somebody else"}

    def check(found: dict[str, Any]) -> None:
        raise PermissionError(found["Name"])

    for _ in range(2):
        with pytest.raises(PermissionError, match="Somebody else"):
            create_or_update(register, links, a_customer(), check=check)

    assert register.held["10001"] == {"Name": "Somebody else"}
    assert "PUT" not in register.requests


def test_our_own_is_not_shown_to_the_check(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer())

    def check(_: dict[str, Any]) -> None:
        pytest.fail("it was ours")

    assert create_or_update(register, links, a_customer("New name"), check=check).written is Written.UPDATED


def test_one_deleted_in_fortnox_is_created_again(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer())
    register.held.clear()
    register.requests.clear()

    assert create_or_update(register, links, a_customer("New name")).written is Written.CREATED
    assert register.requests == ["PUT", "POST"]


def test_a_number_that_fortnox_keeps_reserved_is_a_clear_error_each_time(
    register: FakeRegister, links: MemoryLinks
) -> None:
    create_or_update(register, links, a_customer())
    register.held.clear()
    register.reserved.add("10001")
    register.taken = e.NumberReserved

    for _ in range(2):
        with pytest.raises(e.NumberReserved):
            create_or_update(register, links, a_customer("New name"))
    with pytest.raises(e.NumberReserved):  # the old wording is not taken for what Fortnox still holds
        create_or_update(register, links, a_customer())


@pytest.mark.parametrize(("refusal", "looks"), [(e.ValueRefused, ["GET"]), (e.MissingScope, [])])
def test_a_refusal_for_its_own_reason_is_told_after_a_look_unless_it_names_what_is_missing(
    register: FakeRegister, links: MemoryLinks, refusal: type[e.Rejected], looks: list[str]
) -> None:
    register.fail("POST", refusal(Details()))

    with pytest.raises(refusal):
        create_or_update(register, links, a_customer())

    assert register.requests == ["POST", *looks]
    assert links.digest is None


@pytest.mark.parametrize("landed", [True, False])
def test_a_create_of_unknown_outcome_is_looked_up_before_the_next_write(
    register: FakeRegister, links: MemoryLinks, landed: bool
) -> None:
    register.fail("POST", e.OutcomeUnknown(Details()), landed=landed)
    with pytest.raises(e.OutcomeUnknown):
        create_or_update(register, links, a_customer())
    register.requests.clear()

    create_or_update(register, links, a_customer())

    assert register.requests == ["GET", "PUT" if landed else "POST"]
    assert create_or_update(register, links, a_customer()).written is Written.UNCHANGED


@pytest.mark.parametrize("landed", [True, False])
def test_an_update_without_an_answer_never_passes_for_what_was_there_before(
    register: FakeRegister, links: MemoryLinks, landed: bool
) -> None:
    create_or_update(register, links, a_customer("First"))
    register.fail("PUT", e.Unavailable(Details()), landed=landed)
    with pytest.raises(e.Unavailable):
        create_or_update(register, links, a_customer("Second"))

    create_or_update(register, links, a_customer("First"))

    assert register.held["10001"]["Name"] == "First"
    assert register.requests == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize("before", [None, "First"])
def test_a_crash_in_the_middle_of_a_write_is_found_afterwards(
    register: FakeRegister, links: MemoryLinks, before: str | None
) -> None:
    if before:
        create_or_update(register, links, a_customer(before))
    register.fail("PUT" if before else "POST", KeyboardInterrupt(), landed=True)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        create_or_update(register, links, a_customer("Second"))

    assert links.digest == (UPDATING if before else CREATING)
    assert create_or_update(register, links, a_customer("First")).written is Written.UPDATED
    assert register.held["10001"]["Name"] == "First"


@pytest.mark.parametrize(
    "error",
    [e.WindowFull(Details(), 1.0), e.Throttled(Details(), 5.0), e.GrantDead(Details()), e.TokenRefused(Details())],
    ids=lambda error: type(error).__name__,
)
def test_what_was_not_executed_leaves_the_record_as_it_was(
    register: FakeRegister, links: MemoryLinks, error: e.FortnoxError
) -> None:
    register.fail("POST", error)
    with pytest.raises(type(error)):
        create_or_update(register, links, a_customer())
    assert links.digest is None

    create_or_update(register, links, a_customer())
    remembered = links.digest
    register.fail("PUT", error)
    with pytest.raises(type(error)):
        create_or_update(register, links, a_customer("Second"))

    assert links.digest == remembered
    assert register.requests == ["POST", "POST", "PUT"]


def test_an_attempt_that_was_throttled_is_followed_by_one_that_goes_on_from_there(
    register: FakeRegister, links: MemoryLinks
) -> None:
    """With one request at a time and many who want it, three in a row would be hard to come by."""
    register.held["10001"] = {"Name": "Skånska Bygg"}
    memory, shown = MemoryNotes(), []
    for method in ("POST", "GET", "PUT"):
        register.fail(method, e.WindowFull(Details(), 1.0))
        with pytest.raises(e.WindowFull):
            create_or_update(register, links, a_customer(), check=shown.append, memory=memory)

    assert create_or_update(register, links, a_customer(), check=shown.append, memory=memory).written is Written.UPDATED
    assert register.requests == ["POST", "POST", "GET", "GET", "PUT", "PUT"]
    assert len(shown) == 1


def test_what_was_seen_does_not_outlive_the_notes(register: FakeRegister, links: MemoryLinks) -> None:
    """A person may have put something else under the number since."""
    register.held["10001"] = {"Name": "Skånska Bygg"}
    shown: list[object] = []
    register.fail("PUT", e.MissingScope(Details()))
    with pytest.raises(e.MissingScope):
        create_or_update(register, links, a_customer(), check=shown.append)

    create_or_update(register, links, a_customer(), check=shown.append)
    assert register.requests == ["POST", "GET", "PUT", "POST", "GET", "PUT"]
    assert len(shown) == 2


def test_a_look_that_found_nothing_is_not_repeated_when_the_create_is_throttled(
    register: FakeRegister, links: MemoryLinks
) -> None:
    links.remember("customer", "10001", CREATING)
    memory = MemoryNotes()
    register.fail("POST", e.WindowFull(Details(), 1.0))
    with pytest.raises(e.WindowFull):
        create_or_update(register, links, a_customer(), memory=memory)

    assert create_or_update(register, links, a_customer(), memory=memory).written is Written.CREATED
    assert register.requests == ["GET", "POST", "POST"]


@pytest.mark.parametrize("before", [None, CREATING])
def test_a_refusal_of_another_kind_is_told_however_often_it_is_throttled(
    register: FakeRegister, links: MemoryLinks, before: str | None
) -> None:
    if before:
        links.remember("customer", "10001", before)
    register.taken = e.ValueRefused
    register.reserved.add("10001")
    memory = MemoryNotes()
    steps = ["POST", "GET", "POST"] if before is None else ["GET", "POST", "GET", "POST"]
    for at, _ in enumerate(steps, 1):
        with pytest.raises(e.WindowFull if at < len(steps) else e.ValueRefused):
            create_or_update(register, links, a_customer(), memory=Throttling(memory))
    assert register.requests == steps


def test_a_number_that_was_taken_while_it_was_looked_for_is_taken_over(
    register: FakeRegister, links: MemoryLinks
) -> None:
    """A create that was given up on lands after the look."""
    links.remember("customer", "10001", CREATING)
    register.fail("GET", e.NotFound(Details()))
    register.held["10001"] = {"Name": "Skånska Bygg AB"}

    assert create_or_update(register, links, a_customer(email="a@b.example")).written is Written.UPDATED
    assert register.requests == ["GET", "POST", "GET", "PUT"]


def test_a_record_of_a_former_version_sends_every_field_once(register: FakeRegister, links: MemoryLinks) -> None:
    register.held["10001"] = {"Name": "Skånska Bygg AB"}
    links.remember("customer", "10001", "0" * 64)

    create_or_update(register, links, a_customer(email="a@b.example", city="Malmö"))
    assert set(register.sent) == {"Name", "Email", "City"}
    assert create_or_update(register, links, a_customer(email="a@b.example", city="Malmö")).written is Written.UNCHANGED


def test_an_update_sends_what_changed_and_the_name(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer(email="a@b.example", organisation_number="556677-8899", city="Lund"))
    create_or_update(register, links, a_customer(email="c@d.example", organisation_number="556677-8899", city=None))
    assert register.sent == {"Name": "Skånska Bygg AB", "Email": "c@d.example", "City": "API_BLANK"}


def test_a_field_that_is_not_mentioned_is_neither_sent_nor_forgotten(
    register: FakeRegister, links: MemoryLinks
) -> None:
    create_or_update(register, links, a_customer(email="a@b.example"))
    assert create_or_update(register, links, a_customer()).written is Written.UNCHANGED
    assert create_or_update(register, links, a_customer(email="a@b.example")).written is Written.UNCHANGED


LOCKED = "Organisationsnumret kan inte ändras: kunden har en aktiv e-fakturakoppling."


def test_a_refused_field_is_left_out_told_and_sent_again_next_time(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer(organisation_number="1"))
    register.requests.clear()
    register.locked = {"OrganisationNumber": LOCKED}
    changed = a_customer(organisation_number="2", email="a@b.example")

    result = create_or_update(register, links, changed)
    assert (result.written, [*result.refused]) == (Written.UPDATED, ["OrganisationNumber"])
    assert register.requests == ["PUT", "PUT"]
    assert register.held["10001"]["Email"] == "a@b.example"

    register.locked = {}
    assert create_or_update(register, links, changed).written is Written.UPDATED
    assert register.sent == {"Name": "Skånska Bygg AB", "OrganisationNumber": "2"}


@pytest.mark.parametrize("throttled", [False, True])
def test_a_refusal_that_names_no_field_has_each_tried_alone(
    register: FakeRegister, links: MemoryLinks, throttled: bool
) -> None:
    create_or_update(register, links, a_customer())
    register.requests.clear()
    register.locked = {"Email": "Det går inte.", "City": "Det går inte."}
    changed = a_customer(email="a@b.example", city="Lund", zip_code="222 22")
    memory = MemoryNotes()
    while throttled:
        try:
            result = create_or_update(register, links, changed, memory=Throttling(memory))
            break
        except e.WindowFull:
            continue
    else:
        result = create_or_update(register, links, changed)

    assert {*result.refused} == {"Email", "City"}
    assert register.held["10001"]["ZipCode"] == "222 22"
    assert len(register.requests) <= 2 * 3 + 1


def test_a_refused_name_does_not_take_the_others_with_it(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer())
    register.locked = {"Name": "Kundnamn kan inte vara tomt."}
    result = create_or_update(register, links, a_customer("New", city="Lund"))
    assert [*result.refused] == ["Name"]
    assert register.held["10001"] | {"City": "Lund"} == register.held["10001"]


def test_a_refused_name_that_did_not_change_is_not_blamed_on_what_did(
    register: FakeRegister, links: MemoryLinks
) -> None:
    create_or_update(register, links, a_customer())
    register.locked = {"Name": "Kundnamn kan inte ändras."}
    assert create_or_update(register, links, a_customer(email="a@b.example")).refused == {}
    assert register.sent == {"Email": "a@b.example"}


@pytest.mark.parametrize("there", [True, False])
def test_a_number_said_to_be_deleted_is_believed_after_a_look(
    register: FakeRegister, links: MemoryLinks, there: bool
) -> None:
    create_or_update(register, links, a_customer())
    register.fail("PUT", e.NumberReserved(Details(situation="customer-deleted", message="Kundnumret raderat")))
    if there:
        why = create_or_update(register, links, a_customer("New")).refused["Name"]
        assert why.remedy.key == "fortnox.set-right"
        return
    register.held.clear()
    with pytest.raises(e.NumberReserved):
        create_or_update(register, links, a_customer("New"))


def test_an_access_that_is_missing_is_no_refused_field(register: FakeRegister, links: MemoryLinks) -> None:
    create_or_update(register, links, a_customer())
    before = links.digest
    register.fail("PUT", e.MissingLicence(Details()))
    with pytest.raises(e.MissingLicence):
        create_or_update(register, links, a_customer("New"))
    assert links.digest == before


def test_the_digest_tells_values_apart() -> None:
    assert digest("a") != digest("b")
