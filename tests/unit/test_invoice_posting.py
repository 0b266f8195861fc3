"""What is known of an invoice decides whether it is looked at before it is posted, and whether a refusal is final."""

import pytest

from tasks.invoices import AS_BILLED, AS_BILLED_AND_REFUSED, REFUSED, PostingState


@pytest.mark.parametrize(
    ("in_doubt", "seen", "compared_long_ago", "needs_look", "refusal_is_final"),
    [
        (False, None, False, False, False),  # just created and compared
        (False, None, True, True, False),  # a person may have edited it since
        (False, AS_BILLED, True, False, False),  # a throttled attempt compared it a moment ago
        (False, AS_BILLED, False, False, False),
        (False, REFUSED, False, True, False),  # refused: perhaps since it is posted already, or was edited
        (False, AS_BILLED_AND_REFUSED, True, False, True),  # refused, looked at, and as billed
        (True, None, False, True, False),  # an earlier attempt may have posted it
        (True, AS_BILLED, False, True, False),
        (True, AS_BILLED_AND_REFUSED, False, True, True),
    ],
)
def test_what_is_known_decides_what_comes_before_posting(
    in_doubt: bool, seen: str | None, compared_long_ago: bool, needs_look: bool, refusal_is_final: bool
) -> None:
    state = PostingState(in_doubt, seen, compared_long_ago)
    assert (state.needs_look, state.refusal_is_final) == (needs_look, refusal_is_final)
