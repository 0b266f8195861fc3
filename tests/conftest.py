"""What holds for all tests."""

from hypothesis import settings

# How long an example takes depends on how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
