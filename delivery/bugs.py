"""Unexpected errors: sent to Sentry where it is set up, and written in full to the event's timeline."""

from delivery.attempt import current_attempt
from ordering import Claim, Failed, Outcome

CODE = "bug"  # of an unexpected error, set by `delivery.retry_policy`


def is_bug(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.code == CODE


def report_error(error: BaseException, **tags: str) -> None:
    """Report an unexpected error that belongs to no attempt."""
    import sentry_sdk  # slow to import, and needed by no other command

    with sentry_sdk.new_scope() as scope:
        for name, value in tags.items():
            scope.set_tag(name, value)
        sentry_sdk.capture_exception(error)


def report_bug(error: BaseException, claim: Claim) -> None:
    """Report an unexpected error with the event's tags. `config.sentry` groups reports by where they were raised."""
    if attempt := current_attempt():
        attempt.broke(error)
    report_error(error, company=claim.company, type=claim.type, key=claim.key, event_id=claim.id)
