"""The state of a consent: stored, the company's own, used once, gone after ten minutes."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from moment.events import Integration
from operations import companies, consenting
from operations.audit import Actor, ActorKind
from operations.errors import WrongArgument
from stores.consents import GOOD_FOR, ConsentStore
from tests.unattended import Unattended

BACK = "https://ours.example/back"


def asked(world: Unattended, company: str = "acme") -> str:
    """The state in the address that is printed for the company."""
    settings = world.services.settings.model_copy(update={"fortnox_redirect_uri": BACK})
    object.__setattr__(world.services, "settings", settings)
    address = companies.consent_address(
        world.services, company, Integration(), by=Actor(ActorKind.COMMAND_LINE, "maja")
    )
    return parse_qs(urlsplit(address).query)["state"][0]


def back(**fields: str) -> str:
    return f"{BACK}?{urlencode(fields)}"


def test_the_code_of_the_companys_own_consent_is_taken_once(unattended: Unattended) -> None:
    address = back(code="c1", state=asked(unattended))
    assert companies.code_of(unattended.services, "acme", address) == "c1"
    with pytest.raises(WrongArgument):
        companies.code_of(unattended.services, "acme", address)


def test_a_state_of_another_company_is_refused_and_used_up(unattended: Unattended) -> None:
    address = back(code="c1", state=asked(unattended, "other"))
    for company in ("acme", "other"):
        with pytest.raises(WrongArgument):
            companies.code_of(unattended.services, company, address)


@pytest.mark.parametrize(
    "address",
    [back(code="c1"), back(code="c1", state=""), back(code="c1", state="invented"), f"{BACK}?", "http://[?code=c1"],
)
def test_an_address_without_a_state_of_ours_is_refused(unattended: Unattended, address: str) -> None:
    asked(unattended)
    with pytest.raises(WrongArgument):
        companies.code_of(unattended.services, "acme", address)


def test_an_address_with_two_states_is_refused(unattended: Unattended) -> None:
    state = asked(unattended)
    with pytest.raises(WrongArgument):
        companies.code_of(unattended.services, "acme", back(code="c1", state=state) + "&state=invented")


def test_a_consent_that_was_not_given_has_no_code(unattended: Unattended) -> None:
    address = back(error="access_denied", state=asked(unattended))
    with pytest.raises(WrongArgument) as refused:
        companies.code_of(unattended.services, "acme", address)
    assert refused.value.message.key == "operation.no-code"


def test_a_state_is_gone_after_ten_minutes_and_never_in_redis_itself(unattended: Unattended) -> None:
    redis = unattended.services.redis
    state = ConsentStore(redis).ask("acme")
    (key,) = redis.keys("mf:consent:*")
    assert state not in key
    assert 0 < redis.ttl(key) <= GOOD_FOR.total_seconds() == 600


@pytest.mark.parametrize("payments", [True, False])
def test_consent_is_asked_for_what_is_chosen_and_a_refused_permission_is_told_with_them_all(
    unattended: Unattended, payments: bool
) -> None:
    settings = unattended.services.settings.model_copy(update={"fortnox_redirect_uri": BACK})
    object.__setattr__(unattended.services, "settings", settings)
    by = Actor(ActorKind.COMMAND_LINE, "maja")
    choices = {"payments.enabled": payments}
    address = consenting.ask_consent(unattended.services, "acme", choices, browser="b", by=by)
    query = parse_qs(urlsplit(address).query)
    assert ("payment" in query["scope"][0].split()) is payments

    with pytest.raises(consenting.ConsentRefused) as refused:
        consenting.come_back(
            unattended.services, query["state"][0], "", "invalid_scope", browser="b", company="acme", by=by
        )

    assert refused.value.message.key == "consent.scope-refused"
    assert str(refused.value.message.params["scopes"]).replace(",", "").split() == query["scope"][0].split()
