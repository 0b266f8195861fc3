"""Moment's numbers, as they are: one that Fortnox cannot hold is an error, none is ever altered. Pure."""

import re

from mappers.errors import BadNumber
from mappers.text import is_allowed

# Fortnox: alphanumeric, - – + / _ (documentation of CustomerNumber). A slash never gets here: see moment.events.
_CUSTOMER_NUMBER = re.compile(r"[\w\-–+]+")
_PROJECT_NUMBER_LENGTH = 20  # Fortnox's OpenAPI document, Project.ProjectNumber


def customer_number(path: str, number: str) -> str:
    """The number. Raises `BadNumber`."""
    if not _CUSTOMER_NUMBER.fullmatch(number) or not is_allowed(number):
        raise BadNumber(
            path,
            number,
            "Fortnox takes only letters, digits, and the signs - + _ in a customer number",
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
