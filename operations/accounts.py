"""The console's accounts with a password: making one, and checking who signs in."""

import re
import secrets
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from config.settings import CONSOLE_ROLES, Account
from delivery.services import Services
from messages import Message
from operations.errors import WrongArgument

SHORTEST: Final = 12  # characters of a password
LONGEST: Final = 1000
NAME: Final = re.compile(r"[^\s:,'\"]{1,100}")


def new_account(name: str, role: str, password: str) -> str:
    """An entry for `CONSOLE_ACCOUNTS`: `name:role:hash`. Raises `WrongArgument`."""
    if not NAME.fullmatch(name):
        raise WrongArgument(Message("account.name", name=name))
    if role not in CONSOLE_ROLES:
        raise WrongArgument(Message("account.role", role=role, known=", ".join(CONSOLE_ROLES)))
    if not SHORTEST <= len(password) <= LONGEST:
        raise WrongArgument(Message("account.password", shortest=SHORTEST))
    return f"{name}:{role}:{PasswordHasher().hash(password)}"


def find_account(services: Services, name: str, password: str) -> Account | None:
    """The account of this name, where the password is its own. Takes as long for an unknown name."""
    found = next((account for account in services.settings.accounts if account.name == name), None)
    try:
        PasswordHasher().verify(found.hash if found else _nobodys_hash(), password[:LONGEST])
    except (Argon2Error, InvalidHashError):
        return None
    return found


@cache
def _nobodys_hash() -> str:
    return PasswordHasher().hash(secrets.token_urlsafe())
