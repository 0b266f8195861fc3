"""Redis's users as an operator makes them from redis-users.acl.example, and the Redis of Debian."""

import shutil
import subprocess
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "redis-users.acl.example"
PASSWORDS = {
    "APPLICATION": "of-the-app",
    "PRODUCER": "of-producers",
    "REPLICAS": "of-replicas",
    "SENTINELS": "of-sentinels",
}


def users(server: Path) -> str:
    """The file for that server: without comments, with passwords, and for Redis 7.0 without what it does not know."""
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.startswith("user ")) + "\n"
    for whose, password in PASSWORDS.items():
        for the in ("THE-", ""):
            text = text.replace(f">REPLACE-THE-PASSWORD-OF-{the}{whose}", f">{password}")
    return text.replace(" +client|setinfo", "") if "v=7.0." in said else text


def redis_of_debian() -> Path | None:
    """Redis 7.0 with TLS; None where it is not on this machine. The package redis-tools has it under another name."""
    for name in ("redis-server", "redis-check-rdb"):
        found = shutil.which(name)
        linked = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout if found else ""
        if found and "libssl" in linked:
            return Path(found).resolve()
    return None
