"""Command `chaos`: break, recover, compare both stores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualsink.errors import SettingsError
from dualsink.operations.plan import Say
from dualsink.settings import Settings, project_root
from dualsink.spark.session import spark_session
from dualsink_workbench.chaos import report
from dualsink_workbench.chaos.trial import World
from dualsink_workbench.servers.stack import LocalServers

ORACLE = "tests/oracle/test_oracle.py"


def run(settings: Settings, say: Say, only: str, output: Path, table: Path | None, hours: float | None) -> int:
    """Run the scenarios, or print a table of outcomes.

    With `hours` run the adversary of `tests/oracle` for so long instead. Returns 0 if every ledger holds, 1 if one does
    not.
    """
    if hours:
        return adversary(hours)
    if table:
        say(report.table(report.read(table)).rstrip("\n"))
        return 0
    names = report.choose(report.listed(only))
    with standing(settings) as world:
        outcomes = report.run(world, names, say)
    report.write(output, outcomes)
    say(f"\n{report.table(outcomes)}\nWritten to {output}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def adversary(hours: float) -> int:
    """Run the tests' adversary, on servers of its own.

    It prints its seed, and the steps that led to a fault. Raises SettingsError outside of a checkout.
    """
    root = project_root()
    if not (root / ORACLE).is_file():
        raise SettingsError(f"--hours needs a checkout of the project: there is no {ORACLE} below {root}.")
    seconds = {"DUALSINK_ORACLE_SECONDS": str(round(hours * 3600))}
    command = [sys.executable, "-m", "pytest", "--capture=no", ORACLE]
    return subprocess.run(command, cwd=root, env=os.environ | seconds, check=False).returncode


@contextmanager
def standing(settings: Settings) -> Iterator[World]:
    """Run a world on the local servers of an environment.

    Servers that had to be started are stopped at the end. Raises SettingsError for external servers.
    """
    servers = LocalServers(settings, say=lambda line: None)
    started = servers.up()
    try:
        spark = spark_session(settings.as_keeper(), "chaos")
        try:
            yield World.of(spark, settings)
        finally:
            spark.stop()
    finally:
        servers.down(started)
