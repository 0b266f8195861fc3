"""Signing in to the console with a password, at most a few attempts in a while for each account and each address."""

from datetime import timedelta
from typing import Final

from config.settings import Account
from delivery.services import Services
from operations.accounts import find_account
from stores.attempts import Attempts

MOST: Final = 10  # attempts of an account, and of an address
WINDOW: Final = timedelta(minutes=15)


class TooManyAttempts(Exception):
    """The account or the address has used up its attempts; the password was not looked at."""


def sign_in(services: Services, name: str, password: str, address: str) -> Account | None:
    """The account that the name and password are those of, or None. Raises `TooManyAttempts`."""
    attempts = Attempts(services.redis, "sign-in", WINDOW)
    if attempts.count(f"account {name}", f"address {address}") > MOST:
        raise TooManyAttempts
    found = find_account(services, name, password)
    if found is not None:
        attempts.forget(f"account {name}")
    return found
