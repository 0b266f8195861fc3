"""Which company and which event a person means."""

from difflib import get_close_matches
from typing import Final

from delivery.services import Services
from messages import Message
from operations.errors import UnknownCompany, UnknownEvent, WrongArgument

NAMED: Final = 5  # companies that have an event of the same id, of those that are told


def check_company(services: Services, company: str) -> None:
    """Raises `UnknownCompany` where no event of the company was ever accepted, with the name that is most like it."""
    if services.ordering.has_company(company):
        return
    known = services.ordering.companies()
    alike = get_close_matches(company.casefold(), known, n=1) or get_close_matches(company, known, n=1)
    raise UnknownCompany(company, alike[0] if alike else "")


def find_event(services: Services, first: str, second: str | None = None) -> tuple[str, str]:
    """The company and the id of an event, given as `acme` and `e3`, as `acme/e3`, or as `e3` where one company has it.

    Raises `UnknownEvent` where no company has it, and `WrongArgument` where the company is unknown or several have it.
    """
    if second is not None:
        check_company(services, first)
        return first, second
    companies = services.ordering.companies_with(first)
    if len(companies) == 1:
        return companies[0], first
    if companies:
        named = ", ".join(companies[:NAMED]) + (f", … ({len(companies)})" if len(companies) > NAMED else "")
        raise WrongArgument(Message("operation.event-of-several", event=first, companies=named))
    company, slash, event_id = first.partition("/")
    if slash and services.ordering.event(company, event_id):
        return company, event_id
    raise UnknownEvent("", first)
