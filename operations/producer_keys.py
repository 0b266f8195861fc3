"""The keys of producers' programs: making one, listing them, revoking one."""

import re
from collections.abc import Collection
from typing import Final

from delivery.services import Services
from messages import Message
from operations.audit import Actor, acting
from operations.errors import OperationError, WrongArgument
from stores.producer_keys import EVERY, ProducerKey

CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # as moment.events.CompanyCode


def make(services: Services, name: str, companies: Collection[str], *, by: Actor) -> str:
    """A new key for these companies, or for `EVERY`. Nobody can read it later.

    Raises `WrongArgument`, and `OperationError` where the name is taken.
    """
    if not CODE.fullmatch(name):
        raise WrongArgument(Message("operation.key-name", name=name))
    if not companies:
        raise WrongArgument(Message("operation.key-of-nobody"))
    for company in () if list(companies) == [EVERY] else companies:
        if not CODE.fullmatch(company):
            raise WrongArgument(Message("operation.key-company", company=company))
    with acting(services, by, "producer-key.made", _one(companies), key=name, companies=", ".join(sorted(companies))):
        key = services.stores.producer_keys.make(name, companies)
        if key is None:
            raise OperationError(Message("operation.key-taken", name=name))
    return key


def all_keys(services: Services) -> list[ProducerKey]:
    """All keys by name, without their secrets."""
    return services.stores.producer_keys.all()


def revoke(services: Services, name: str, *, by: Actor) -> None:
    """Revoke the key of this name: from now on it opens nothing. Raises `WrongArgument` where there is none."""
    companies = next((one.companies for one in all_keys(services) if one.name == name), frozenset[str]())
    with acting(services, by, "producer-key.revoked", _one(companies), key=name):
        if not services.stores.producer_keys.revoke(name):
            raise WrongArgument(Message("operation.no-such-key", name=name))


def _one(companies: Collection[str]) -> str:
    """The company, where it is one alone."""
    return next(iter(companies)) if len(companies) == 1 and EVERY not in companies else ""
