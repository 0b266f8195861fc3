"""Tests that run side by side (`make test`): what shares started services stays together in one process."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TOGETHER = ("acceptance", "integration")  # each folder has services for a session; the others' files stand alone


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder, *below = item.path.relative_to(TESTS).parts
        name = folder if folder in TOGETHER else "/".join((folder, *below))
        item.add_marker(pytest.mark.xdist_group(name))
