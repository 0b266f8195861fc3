"""What a worker of the benchmark is told by whoever starts it, beside the system's own settings."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

SystemName = Literal["celery", "defaults", "lock", "ordered"]


class WorkerSettings(BaseSettings):
    """From the environment: `BENCH_SYSTEM`, `BENCH_RECORD`."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True)

    system: SystemName
    record: Path
