"""The systems and settings that are compared."""

from bench.environment import Variant

CELERY = Variant("plain Celery", "celery")
CELERY_DEFAULTS = Variant("plain Celery, default options", "defaults")
OURS = Variant("ours", "ordered")
OURS_ALWAYS = Variant("ours, fsync always", "ordered", fsync="always")
OURS_ONE = Variant("ours, one company, cap 1000", "ordered", companies=1, cap=1000)
LOCK = Variant("lock-or-retry", "lock")
