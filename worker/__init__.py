"""Celery: the app, its workers and their threads. `from worker import publish` is for producers, without Celery."""

from worker.publish import publish

__all__ = ["publish"]
