"""Command `doctor`: this machine, what is missing, what comes next.

Nothing is changed.
"""

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from dualsink import invocation, words
from dualsink.errors import DualsinkError, PlatformError
from dualsink.operations.plan import Result, Say
from dualsink.settings import Settings
from dualsink.spark import jars, java
from dualsink.stream.health import Check, Servers
from dualsink_workbench.runner.runner import LEAST_FREE_BYTES
from dualsink_workbench.servers import process
from dualsink_workbench.servers.definitions import servers
from dualsink_workbench.servers.server import Server
from dualsink_workbench.servers.stack import LocalServers, ServerStatus


@dataclass(frozen=True)
class Diagnosis(Result):
    """Diagnosis: everything that was checked.

    An optional server that could not run is no problem.
    """

    checks: list[Check]
    advice: str

    @property
    def exit_status(self) -> int:
        """1 if something is missing."""
        return int(not all(check.ok for check in self.checks))

    @property
    def fact(self) -> str:
        """Problems of the machine, or the next step."""
        missing = [check.name for check in self.checks if not check.ok]
        return f"{words.count(len(missing), 'problem')}: {', '.join(missing)}" if missing else self.advice

    def lines(self) -> list[str]:
        """Return every check."""
        return [str(check) for check in self.checks]


def run(settings: Settings, say: Say) -> Result:
    """Check Python, memory, disk, Javas and servers.

    Ports and jars of local servers, or whether external ones answer.
    """
    checks = [_python(), _machine(), *_disks(settings), _java("Java of Spark", java.SPARK)]
    if settings.servers == "external":
        return Diagnosis([*checks, _jars("spark"), *Servers.of(settings).check()], "all servers answer")
    found = LocalServers(settings, say=lambda line: None).status()
    local = servers(settings)
    for state in found:
        checks += _server(local[state.name], state)
    absent = [state.name for state in found if not (state.running or state.optional)]
    start = f"{invocation.command('up')} starts {', '.join(absent)}" if absent else "all servers run"
    return Diagnosis([*checks, _jars("spark")], f"nothing is missing; {start}")


def _python() -> Check:
    packages = ", ".join(f"{name} {version(name)}" for name in ("dualsink", "pyspark", "opensearch-py", "pyiceberg"))
    return Check("Python", True, f"{platform.python_version()} on {platform.platform()}; {packages}")


def _machine() -> Check:
    memory = psutil.virtual_memory()
    size = f"{words.size(memory.total)} of memory, {words.size(memory.available)} free"
    return Check("machine", True, f"{words.count(psutil.cpu_count() or 1, 'core')}, {size}")


def _disks(settings: Settings) -> Iterator[Check]:
    places = {"data_dir": settings.data_path, "runs_dir": settings.runs_path, "jars": jars.cache_folder()}
    for name, folder in places.items():
        free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
        held = f"{words.size(_size(folder))} in {folder}" if folder.exists() else f"{folder} is not there yet"
        yield Check(f"disk of {name}", free >= LEAST_FREE_BYTES, f"{held}, {words.size(free)} free")


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def _java(name: str, need: java.Need) -> Check:
    try:
        found = java.find(need)
    except PlatformError as error:
        return Check(name, False, str(error))
    return Check(name, True, f"{found}; {found.reason}")


def _jars(conf: str) -> Check:
    ready = jars.is_complete(jars.cache_folder() / "jars" / f"{conf}-{jars.key(conf)}")
    return Check(f"jars of {conf}", True, "in the cache" if ready else f"to be fetched, {jars.NEEDED_MB[conf]} MB")


def _server(server: Server, state: ServerStatus) -> list[Check]:
    """Check a server's port and, unless running, Java and jars."""
    if state.running:
        return [Check(server.name, state.healthy, f"runs at {state.endpoint}, process {state.pid}")]
    checks = [_port(server)]
    if server.need:
        checks += [_java(f"Java of {server.name}", server.need), *map(_jars, server.artifacts)]
    if server.optional:
        return [Check(check.name, True, f"optional; {check.detail}") for check in checks]
    return checks


def _port(server: Server) -> Check:
    try:
        free = process.is_free(server.port)
    except DualsinkError as error:
        return Check(f"port of {server.name}", False, str(error))
    return Check(f"port of {server.name}", free, f"{server.port} {'is free' if free else _holder(server)}")


def _holder(server: Server) -> str:
    return f"is held by {process.holder(server.port)}; choose another with -p {server.port_parameter}"
