"""Which commands of Redis the code uses: read from the calls in its Python and Lua."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import redis

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = (
    *("cli", "config", "console", "delivery", "fortnox", "mails", "moment", "operations", "ordering", "stores"),
    *("tasks", "worker"),
)
CLIENT: Final = re.compile(r"redis|pipe|client\b|_storage")  # how a variable that holds a client or a pipeline is named
LUA: Final = re.compile(r"redis\.p?call\(\s*'(\w+)'")
# Methods of redis-py that are not named as their command.
COMMANDS: Final = {
    "client": (),  # one connection, of redis-py
    "close": (),
    "config_get": ("CONFIG|GET",),
    "delete": ("DEL",),
    "execute": (),
    "from_pool": (),
    "execute_command": (),  # its commands are in the arguments
    "hscan_iter": ("HSCAN",),
    "parse_response": (),
    "lock": ("SET", "GET", "DEL", "PTTL", "PEXPIRE"),
    "pipeline": ("MULTI", "EXEC"),
    "register_script": ("EVALSHA", "SCRIPT|LOAD", "SCRIPT|EXISTS"),
    "scan_iter": ("SCAN",),
    "watch": ("WATCH", "UNWATCH"),
    "xgroup_create": ("XGROUP|CREATE",),
    "xpending_range": ("XPENDING",),
    "zscan_iter": ("ZSCAN",),
}
# Methods that other objects have too: they count where the variable's name says that it is a client.
COMMON: Final = {
    *(
        "append",
        "close",
        "connect",
        "copy",
        "delete",
        "dump",
        "echo",
        "eval",
        "execute",
        "exists",
        "expire",
        "failover",
    ),
    *(
        "flush",
        "from_url",
        "get",
        "info",
        "keys",
        "lock",
        "move",
        "multi",
        "ping",
        "pipeline",
        "publish",
        "quit",
        "rename",
    ),
    *(
        "reset",
        "restore",
        "role",
        "save",
        "set",
        "shutdown",
        "sort",
        "subscribe",
        "sync",
        "time",
        "touch",
        "transaction",
    ),
    *(
        "type",
        "wait",
        "watch",
        "scan",
        "search",
        "json",
        "debug_object",
        "hello",
        "register_script",
        "monitor",
        "client",
    ),
    *("command", "digest", "parse_response"),
}
METHODS: Final = {name for name in dir(redis.Redis) if not name.startswith("_")} | {"watch", "multi"}


def used_by_the_code() -> set[str]:
    """Every command, in capitals; a subcommand as `CONFIG|GET`."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".lua")]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    found = {command.upper() for text in texts.values() for command in LUA.findall(text)}
    for path, text in texts.items():
        if path.suffix == ".py":
            found.update(_of_python(text))
    return found


def _of_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name = node.func.attr
        if name not in METHODS or (name in COMMON and not CLIENT.search(ast.unparse(node.func.value))):
            continue
        yield from COMMANDS.get(name, (name.upper(),))
        if name == "execute_command" and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
