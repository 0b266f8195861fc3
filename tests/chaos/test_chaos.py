"""The short variant of `make chaos`: a dozen kills, a zombie, and a Redis that dies."""

from pathlib import Path

import pytest

from tests.chaos.options import SHORT
from tests.chaos.run import run

pytestmark = pytest.mark.proof


def test_nothing_is_lost_doubled_or_reordered_whatever_is_killed(tmp_path: Path) -> None:
    report = run(SHORT, tmp_path)

    assert report.broken == [], report.table()
    assert report.own_ends == [], report.table()
    assert report.findings.acknowledged > 0.9 * SHORT.events
    assert report.damage.kills >= 8
    assert report.damage.stops >= 1
    assert report.damage.redis_restarts >= 1
