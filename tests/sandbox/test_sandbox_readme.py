"""The sandbox's README names every knob there is."""

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from sandbox.faults import Kind
from sandbox.fortnox.options import Options
from sandbox.fortnox.settings import Settings
from sandbox.moment import Options as MomentOptions

ROOT = Path(__file__).parents[2]
README = (ROOT / "sandbox" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("knobs", [Settings, Options, MomentOptions])
def test_it_names_every_setting_and_option(knobs: type) -> None:
    missing = [one.name for one in fields(knobs) if f"`{one.name}`" not in README]
    assert missing == []


def test_it_names_every_fault() -> None:
    assert [kind for kind in get_args(Kind) if f"`{kind}`" not in README] == []


def test_it_names_every_control() -> None:
    source = (ROOT / "sandbox" / "control.py").read_text(encoding="utf-8")
    paths = {line.split('"')[3] for line in source.splitlines() if line.strip().startswith('("')}
    assert len(paths) > 20
    assert [path for path in paths if path.rpartition("/{action}")[0] == "" and path not in README] == []
