"""Completion for bash, zsh, fish and PowerShell: commands, options, companies, statuses and codes.

Typer's own completion imports the command, which takes a second. This reads a table of all commands, which a test keeps
equal to them (`python -m cli.completion_table` writes it), and asks Redis for the companies over a plain socket. It
imports the standard library alone and raises nothing: without Redis, no companies are offered.
"""

import json
import os
import re
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

VARIABLE: Final = "_MOMENT_FORTNOX_COMPLETE"
TABLE: Final = Path(__file__).parent / "completion_words.json"
PATIENCE: Final = 0.3  # seconds for Redis
PLAIN: Final = re.compile(r"[\w./-]+", re.ASCII)  # zsh runs its answer as code
Environment = Mapping[str, str]


def wanted(environment: Environment = os.environ) -> bool:
    """Whether a shell asks for completion."""
    return environment.get(VARIABLE) in ("complete_bash", "complete_zsh", "complete_fish", "complete_powershell")


def answer(environment: Environment = os.environ) -> tuple[str, int]:
    """The answer to the shell and the exit status, as the scripts that `--show-completion` prints expect them."""
    words, shell = complete(environment), environment[VARIABLE]
    if shell == "complete_zsh":
        quoted = "\n".join(f'"{word}"' for word in words if PLAIN.fullmatch(word))
        return f"_arguments '*: :(({quoted}))'" if quoted else "_files", 0
    if shell == "complete_powershell":
        return "\n".join(f"{word}::: " for word in words), 0  # a word and its description
    if environment.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":  # whether to offer words rather than files
        return "", 0 if words else 1
    return "\n".join(words), 0


def complete(environment: Environment = os.environ) -> list[str]:
    """The words that fit what is typed so far."""
    table = json.loads(TABLE.read_bytes())
    try:
        given, typed = _typed(environment)
    except (KeyError, ValueError):  # an open quotation mark
        return []
    return [word for word in _candidates(table, given, typed, environment) if word.startswith(typed)]


def _typed(environment: Environment) -> tuple[list[str], str]:
    """The words before the one that is being typed, and that one. Raises `KeyError` and `ValueError`."""
    if environment.get(VARIABLE, "complete_bash") == "complete_bash":
        words = shlex.split(environment["COMP_WORDS"])
        at = int(environment.get("COMP_CWORD", len(words)))
    elif environment[VARIABLE] == "complete_powershell":  # its line ends behind the last word
        words, typed = shlex.split(environment["_TYPER_COMPLETE_ARGS"]), environment["_TYPER_COMPLETE_WORD_TO_COMPLETE"]
        return words[1:-1] if typed else words[1:], typed
    else:
        line = environment["_TYPER_COMPLETE_ARGS"]
        words = shlex.split(line)
        at = len(words) if line.endswith(" ") else len(words) - 1
    return words[1:at], words[at] if at < len(words) else ""


def _candidates(table: Mapping[str, Any], given: list[str], typed: str, environment: Environment) -> list[str]:
    """`given`: the words before the one that is being typed."""
    commands: Mapping[str, Any] = table["commands"]
    name, places = "", 0
    option = ""  # the option whose value comes next
    for word in given:
        if option:
            option = ""
        elif word.startswith("-"):
            option = word if commands[name]["options"].get(word) else ""
        elif f"{name} {word}".strip() in commands:
            name = f"{name} {word}".strip()
        else:
            places += 1
    here = commands[name]
    if option:
        return _values(table, here["options"][option], environment)
    if typed.startswith("-"):
        return list(here["options"])
    kinds = here["arguments"]
    return [*here["groups"], *(_values(table, kinds[places], environment) if places < len(kinds) else ())]


def _values(table: Mapping[str, Any], kind: str, environment: Environment) -> list[str]:
    if kind == "company":
        return _companies(table["companies"], environment)
    return list(table["values"].get(kind, ()))


def _companies(key: str, environment: Environment) -> list[str]:
    given = {**_dotenv(), **{name: value for name, value in environment.items() if value}}
    url = urlsplit(given.get("REDIS_URL") or "redis://127.0.0.1:6379/0")
    commands: list[list[str]] = []
    if url.password:
        commands.append(["AUTH", *([unquote(url.username)] if url.username else []), unquote(url.password)])
    commands += [["SELECT", url.path.strip("/") or "0"], ["SMEMBERS", key]]
    try:
        url = _at_master(url, given)
        found = _asked(url, given, commands)
    except (OSError, ValueError):
        return []
    return sorted(one for one in found if not one.startswith("_")) if isinstance(found, list) else []


def _at_master(url: SplitResult, given: Environment) -> SplitResult:
    """The address of the master that a Sentinel names, where there are any. Raises `OSError` where none answers."""
    places, slash, master = given.get("REDIS_SENTINELS", "").partition("/")
    if not slash:
        return url
    password = given.get("REDIS_SENTINEL_PASSWORD")
    commands = [*([["AUTH", password]] if password else []), ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]]
    for place in places.split(","):
        try:
            host, port = _asked(url._replace(netloc=place.strip()), given, commands, 26379)
        except (OSError, ValueError, TypeError):
            continue
        return url._replace(netloc=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    raise OSError("no Sentinel knows the master")


def _asked(url: SplitResult, given: Environment, commands: list[list[str]], usual_port: int = 6379) -> Any:
    """What the last of the commands is answered."""
    with _connected(url, given.get("REDIS_CA"), usual_port) as connection:
        connection.sendall(b"".join(map(_request, commands)))
        with connection.makefile("rb") as answers:
            return [_answer(answers) for _ in commands][-1]


def _connected(url: SplitResult, authority: str | None, usual_port: int) -> socket.socket:
    host = url.hostname or "127.0.0.1"
    connection = socket.create_connection((host, url.port or usual_port), timeout=PATIENCE)
    if url.scheme != "rediss":
        return connection
    import ssl

    context = ssl.create_default_context(cafile=authority)
    if url.query == "ssl_cert_reqs=none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


def _request(words: list[str]) -> bytes:
    """https://redis.io/docs/latest/develop/reference/protocol-spec/"""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _answer(answers: Any) -> Any:
    """An answer of RESP 2: text, a list of answers, or nothing. Raises `ValueError` for an error."""
    line = answers.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"*":
        return [_answer(answers) for _ in range(int(rest))]
    if kind == b"$":
        return answers.read(int(rest) + 2)[:-2].decode()
    if kind in (b"+", b":"):
        return rest.decode()
    raise ValueError("Redis refuses it")


def _dotenv() -> dict[str, str]:
    """The settings of `.env` in this directory, as far as they are plain lines."""
    try:
        lines = Path(".env").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
