"""Thin Celery tasks, one file per thing transferred: take the event, map, transfer, record, settle."""
