"""What holds for all tests."""

import os

from hypothesis import settings

# How long an example takes depends on how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for other processes half of the time, so two of them share a core. Eight need 6 GB."""
    return min(2 * (os.cpu_count() or 1), 8)
