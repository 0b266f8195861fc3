"""Checks of Moment's numbers. None is ever altered: one that Fortnox cannot hold is an error. Pure."""

from mappers.errors import BadNumber
from mappers.text import is_allowed
from messages import Message

# Fortnox: alphanumeric, - – + / _ (documentation of CustomerNumber). An event's numbers hold no slash.
_CUSTOMER_NUMBER = frozenset("0123456789-–+_")
_PROJECT_NUMBER_LENGTH = 20  # Fortnox's OpenAPI document, Project.ProjectNumber


def customer_number(path: str, number: str) -> str:
    """The number. Raises `BadNumber`."""
    if not is_allowed(number, besides_letters=_CUSTOMER_NUMBER):
        raise BadNumber(
            path,
            number,
            Message("customer.number-characters"),
            Message("customer.number-characters.remedy"),
        )
    return number


def project_number(path: str, number: str) -> str:
    """The number. Raises `BadNumber`."""
    if len(number) > _PROJECT_NUMBER_LENGTH:
        raise BadNumber(
            path,
            number,
            Message("project.number-too-long", length=str(len(number)), most=str(_PROJECT_NUMBER_LENGTH)),
            Message("project.number-too-long.remedy"),
        )
    if not is_allowed(number) or not number.strip("."):
        raise BadNumber(
            path,
            number,
            Message("project.number-characters"),
            Message("project.number-characters.remedy"),
        )
    return number
