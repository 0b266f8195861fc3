"""Celery: the app, its workers and their threads. `from worker import publish` is for producers, and needs no Celery."""

from worker.publish import publish

__all__ = ["publish"]
