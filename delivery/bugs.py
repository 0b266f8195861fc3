"""Unexpected errors: told to Sentry, where one is set up, and written whole to the event's timeline, which stays."""

import sentry_sdk

from delivery.attempt import current_attempt
from ordering import Claim, Failed, Outcome

CODE = "bug"  # what `delivery.retry_policy` gives an error that nobody foresaw


def is_bug(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.code == CODE


def report_bug(error: BaseException, claim: Claim) -> None:
    """Grouped by where it broke (`worker.sentry`), tagged with whose event it was."""
    if attempt := current_attempt():
        attempt.broke(error)
    with sentry_sdk.new_scope() as scope:
        for name in ("company", "type", "key"):
            scope.set_tag(name, getattr(claim, name))
        scope.set_tag("event_id", claim.id)
        sentry_sdk.capture_exception(error)
