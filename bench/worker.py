"""A worker of the benchmark, an entry point: `celery -A bench.worker worker`."""

from bench.settings import WorkerSettings
from bench.systems import system
from config import load_settings

app = system(WorkerSettings().system).create_app(load_settings())  # type: ignore[call-arg]  # from the environment
