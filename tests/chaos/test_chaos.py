"""The short variant of `make chaos`: a dozen kills, a zombie, and a Redis that dies."""

from pathlib import Path

import pytest

from tests.chaos.options import HA_SHORT, SHORT
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


def test_nothing_is_lost_doubled_or_reordered_when_redis_fails_over(tmp_path: Path) -> None:
    report = run(HA_SHORT, tmp_path)

    assert [one for one in report.broken if one not in {"speed", "recovery"}] == [], report.table()
    assert report.findings.acknowledged > 0.9 * HA_SHORT.events
    assert len({one.kind for one in report.damage.failovers}) == 4
