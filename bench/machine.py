"""The machine and the versions that the figures were measured with."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.environment import Environment
from bench.variants import OURS

PACKAGES = ("celery", "kombu", "redis", "hiredis", "billiard")


def machine() -> dict[str, str]:
    """Facts by name, as printed."""
    with Environment(OURS) as environment:
        server: Any = environment.redis.info("server")
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{os.cpu_count()} × {_processor()}",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Redis": f"{server['redis_version']}, 127.0.0.1, appendonly, appendfsync everysec unless a row says otherwise",
        "packages": versions,
        "load before": load,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
