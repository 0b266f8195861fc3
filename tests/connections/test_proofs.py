"""The short variants of `make connections`."""

from pathlib import Path

import pytest

from tests.connections.kills import killed_in_refresh
from tests.connections.load import under_load

pytestmark = pytest.mark.proof


def test_no_refresh_token_is_used_twice_and_nothing_is_lost_under_load(tmp_path: Path) -> None:
    result = under_load(tmp_path, seconds=4, workers=1, concurrency=8)

    assert result.good, str(result)
    assert result.refreshes >= 8  # each company's token was renewed


@pytest.mark.parametrize("repeats_taken", [False, True])
def test_a_connection_survives_every_kill_that_fortnox_lets_it(tmp_path: Path, repeats_taken: bool) -> None:
    result = killed_in_refresh(tmp_path, kills=8, repeats_taken=repeats_taken)

    assert result.good, str(result)
