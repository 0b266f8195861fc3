"""The settings of a benchmark's worker, in addition to the system's own."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

SystemName = Literal["celery", "defaults", "lock", "ordered"]


class WorkerSettings(BaseSettings):
    """From the environment: `BENCH_SYSTEM`, `BENCH_RECORD`."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True)

    system: SystemName
    record: Path
