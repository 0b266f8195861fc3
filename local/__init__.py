"""Everything on this machine: the embedded Redis and the child processes of `demo`, `up` and the tests.

Production runs none of this; there Docker Compose or systemd does it (docker-compose.yml).
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
