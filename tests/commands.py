"""Runs `moment-fortnox` inside the test's process, with settings from an environment of its own."""

import subprocess
from collections.abc import Mapping

from typer.testing import CliRunner

from cli.main import cli


def run(*arguments: str, stdin: str = "", environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell would: its status, standard output and standard error.

    `environment` is added to the process's own while the command runs. An exception that the command does not handle
    is raised. Not for threads: a command writes to the process's standard streams.
    """
    env = {"COLUMNS": "80", **environment}
    done = CliRunner().invoke(cli, list(arguments), input=stdin, env=env, catch_exceptions=False)
    return subprocess.CompletedProcess(list(arguments), done.exit_code, done.stdout, done.stderr)
