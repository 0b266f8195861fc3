"""Everything on this machine: the embedded Redis and the child processes of `demo`, `up` and the tests.

Not for production, where Docker Compose or systemd runs the processes (docker-compose.yml).
"""

from local.processes import ManagedProcess, ProcessDied, Processes
from local.redis import EmbeddedRedis, NoRedisServer, find_redis_server
from local.waiting import DeadlineExceeded, wait_until

__all__ = [
    "DeadlineExceeded",
    "EmbeddedRedis",
    "ManagedProcess",
    "NoRedisServer",
    "ProcessDied",
    "Processes",
    "find_redis_server",
    "wait_until",
]
