"""The directory of `up`: nothing of anybody's is deleted, and one process at a time uses it."""

import socket
from pathlib import Path

import pytest

from local import Processes
from local.directory import MARKER, OURS, DirectoryUnusable, PortTaken, StateDirectory, check_ports
from local.redis import LOOPBACK
from local.sandbox import Sandbox
from local.stack import start_sandbox


def test_a_directory_with_other_files_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DirectoryUnusable, match="holds other files"), StateDirectory(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_path_that_is_a_file_or_below_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DirectoryUnusable), StateDirectory(path):
            pass
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_or_new_directory_is_taken_and_keeps_its_key(tmp_path: Path) -> None:
    with StateDirectory(tmp_path) as first:
        key = first.key
    with StateDirectory(tmp_path) as again:
        assert again.key == key
    with StateDirectory(tmp_path / "new" / "deep") as other:
        assert other.key != key


def test_a_second_process_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    with StateDirectory(tmp_path) as first:
        first.running_at("http://127.0.0.1:8701/")
        kept = (tmp_path / MARKER).read_text()
        with pytest.raises(DirectoryUnusable, match=r"already running \(pid \d+, http://127.0.0.1:8701/\)"):
            StateDirectory(tmp_path).__enter__()
        assert (tmp_path / MARKER).read_text() == kept
    with StateDirectory(tmp_path):  # free again
        pass


def test_emptying_deletes_what_up_made_and_nothing_else(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("mine")
    directory = tmp_path / "up"
    with StateDirectory(directory) as state:
        for name in OURS:
            (directory / name).mkdir()
            (directory / name / "inside").write_text("")
        (directory / "notes.txt").write_text("mine")
        (directory / "logs" / "inside").unlink()
        (directory / "logs").rmdir()
        (directory / "logs").symlink_to(elsewhere)
        state.empty()
    assert {path.name for path in directory.iterdir()} == {MARKER, "notes.txt"}
    assert (elsewhere / "kept").read_text() == "mine"


def test_a_port_in_use_is_named_with_its_option() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            check_ports({"--port-fortnox": 0, "--port-redis": port})
    assert str(taken.value) == f"port {port} is in use; choose another one with --port-redis"
    check_ports({"--port-redis": port})


def test_the_stand_ins_continue_with_what_they_held(tmp_path: Path) -> None:
    state = tmp_path / "sandbox.state"
    with Processes(tmp_path / "logs") as processes, Sandbox(start_sandbox(processes, state=state)) as sandbox:
        sandbox.tenant("acme")
        number = sandbox.supplier_invoice("acme", {"Account": 4010, "Debit": "100.00"})
        sandbox.moment_project("acme", "1")
        before = sandbox.state("acme")
        assert before["supplierInvoices"]
    with Processes(tmp_path / "logs") as processes, Sandbox(start_sandbox(processes, state=state)) as sandbox:
        assert sandbox.state("acme") == before
        assert int(sandbox.supplier_invoice("acme", {"Account": 4010, "Debit": "1.00"})) == int(number) + 1
        assert sandbox.tenant("other") != sandbox.tenant("acme")
