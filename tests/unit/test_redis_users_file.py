"""redis-users.acl.example grants the application what it uses and no more, and docs/operations.md says the same."""

import re
from pathlib import Path
from typing import Final

from tests.redis_commands import used_by_the_code

ROOT: Final = Path(__file__).parents[2]
# What the libraries send. tests/acceptance/test_redis_users.py runs them under these rules.
LIBRARIES: Final = {
    "redis-py": "PING SELECT CLIENT|SETINFO CLIENT|SETNAME SCRIPT|EXISTS SCRIPT|LOAD EVALSHA",
    "kombu's queues": "BRPOP LPUSH RPUSH RPOP LLEN SADD SREM SMEMBERS EXISTS DEL PEXPIRE MULTI EXEC",
    "kombu's unacknowledged messages": "HSET HGET HDEL ZADD ZREM ZREVRANGEBYSCORE WATCH UNWATCH SET GET PTTL",
    "kombu's monitors": "PUBLISH PSUBSCRIBE PUNSUBSCRIBE SUBSCRIBE UNSUBSCRIBE",
    "kombu's bindings": "EVALSHA TIME ZADD ZREM SADD EXISTS DEL ZRANGE",
    "redbeat": "HGET HSET HSETNX ZADD ZRANGEBYSCORE ZREM SADD SREM SMEMBERS DEL MULTI EXEC",
    "limits": "EVALSHA LINDEX LPUSH LTRIM EXPIRE LRANGE",
    "whoever looks how Redis is": "INFO",
    "config/redis_replicas.py, over the connection itself": "PUBLISH WAIT",
}


# Redis refuses a file that grants what it does not know. docs/operations.md says when to grant it.
SINCE_7_2: Final = {"WAITAOF"}


def granted(user: str) -> set[str]:
    (line,) = [line for line in _users() if line.split()[1] == user]
    return {word[1:].upper() for word in line.split() if word.startswith("+")}


def patterns(user: str) -> set[str]:
    (line,) = [line for line in _users() if line.split()[1] == user]
    return {word.removeprefix("~") for word in line.split() if word.startswith("~")}


def documented(user: str) -> tuple[set[str], set[str]]:
    """The patterns and the commands that the section on this user in docs/operations.md names."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition(f"#### {user}\n")[2].partition("\n#")[0]
    keys, _, commands = section.partition("\nCommands")
    cells = "\n".join(line.split("|")[1] for line in keys.splitlines() if line.startswith("| `"))
    return set(re.findall(r"`([^`]+)`", cells)), set(re.findall(r"`([^`]+)`", commands))


def _users() -> list[str]:
    lines = (ROOT / "redis-users.acl.example").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("user ")]


def test_the_application_may_send_what_it_and_its_libraries_send_and_nothing_else() -> None:
    libraries = {command for commands in LIBRARIES.values() for command in commands.split()}
    assert granted("app") == (used_by_the_code() - SINCE_7_2) | libraries


def test_nothing_that_stops_or_empties_redis_or_lists_all_keys_is_granted() -> None:
    for user in ("app", "producer", "outcomes", "health"):
        assert not granted(user) & {"KEYS", "FLUSHALL", "FLUSHDB", "SHUTDOWN", "CONFIG", "CONFIG|SET", "DEBUG", "ACL"}
        assert not any(word.startswith("@") for word in granted(user) - {"@CONNECTION"})


def test_the_page_names_the_keys_and_commands_of_the_application() -> None:
    keys, commands = documented("app")
    assert keys == patterns("app")
    assert commands == {command.replace("|", " ") for command in granted("app")}


def test_what_the_code_sends_is_seen() -> None:
    assert {"XAUTOCLAIM", "GETDEL", "ZPOPMIN", "HSCAN", "CONFIG|GET"} <= used_by_the_code()
