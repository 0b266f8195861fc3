"""Moment's numbers, as they are: one that Fortnox cannot hold is an error, none is ever altered. Pure."""

from mappers.errors import BadNumber
from mappers.text import is_allowed

# Fortnox: alphanumeric, - – + / _ (documentation of CustomerNumber). A slash never gets here: see moment.events.
_CUSTOMER_NUMBER = frozenset("0123456789-–+_")
_PROJECT_NUMBER_LENGTH = 20  # Fortnox's OpenAPI document, Project.ProjectNumber


def customer_number(path: str, number: str) -> str:
    """The number. Raises `BadNumber`."""
    if not is_allowed(number, besides_letters=_CUSTOMER_NUMBER):
        raise BadNumber(
            path,
            number,
            "holds a character that Fortnox does not take in a customer number (letters, digits, - + _)",
            "Give the customer another number in Moment.",
        )
    return number


def project_number(path: str, number: str) -> str:
    """The number. Raises `BadNumber`."""
    if len(number) > _PROJECT_NUMBER_LENGTH:
        raise BadNumber(
            path,
            number,
            f"has {len(number)} characters; Fortnox takes at most {_PROJECT_NUMBER_LENGTH} in a project number",
            "Give the project a shorter number in Moment.",
        )
    if not is_allowed(number) or not number.strip("."):
        raise BadNumber(
            path,
            number,
            "holds a character that Fortnox does not take in a project number",
            "Give the project a number of letters, digits and - in Moment.",
        )
    return number
