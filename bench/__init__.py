"""The benchmark: plain Celery, Celery with the lock-or-retry recipe, and the ordering engine on the same work.

Everything runs on this machine and on 127.0.0.1: a Redis of its own for each run, real worker processes, the
production options (`config.celery`), the production code path (`delivery.runner`, `worker.pump`) and a handler
that makes no request. `make bench`, or `python -m bench --help`.
"""
