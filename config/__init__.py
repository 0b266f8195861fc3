"""Settings, Celery options and logging. Nothing else in the system reads the environment."""

from config.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]
