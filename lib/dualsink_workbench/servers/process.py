"""Server processes: start detached, find again, end; logs and ports."""

import getpass
import os
import random
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dualsink.errors import PlatformError
from dualsink.local_servers import Record

MARK = "DUALSINK_SERVER"
"""Environment variable by which a server is known as ours, also if nobody recorded its process."""
NOISE = ("\tat ", "    at ", "\t... ", "    ... ")
TROUBLE = ("error", "fatal", "exception", "caused by", "cannot", "failed", "in use", "denied", "panic")


@dataclass(frozen=True)
class Command:
    """Command to run: arguments, folder, changes to the environment."""

    arguments: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    withhold: Iterable[str] = ()


def launch(command: Command, log: Path, mark: str) -> tuple[Record, subprocess.Popen]:
    """Start a process that outlives this one.

    Its output goes to `log`; the previous log is kept as `.1`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    environment = {k: v for k, v in os.environ.items() if k not in set(command.withhold)}
    environment |= {**command.environment, MARK: mark}
    with log.open("ab") as output:
        child = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Record.of(psutil.Process(child.pid)), child


def find(mark: str) -> Record | None:
    """Find the process that was started with this mark.

    Its own children, which inherit the mark, are younger.
    """
    marked = [process for process in psutil.process_iter() if mark_of(process) == mark]
    return min(map(Record.of, marked), key=lambda record: record.started, default=None)


def mark_of(process: psutil.Process) -> str | None:
    """Return the mark of a server, None for other processes."""
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def end(record: Record, kill: bool = False, timeout: float = 20) -> None:
    """End a process: SIGTERM, `timeout` seconds, then SIGKILL.

    With `kill` SIGKILL comes at once. A process that has ended is left alone.
    """
    process = record.process()
    if not process:
        return
    with suppress(psutil.NoSuchProcess):
        if not kill:
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(timeout)
                return
        process.kill()
        process.wait(10)


def last_lines(log: Path, count: int = 8) -> list[str]:
    """Return the lines of a log that explain its end.

    These are lines that mention trouble, else the last ones.
    """
    if not log.is_file():
        return []
    with log.open("rb") as handle:
        handle.seek(max(0, log.stat().st_size - 200_000))
        lines = [line for line in handle.read().decode(errors="replace").splitlines() if line.strip()]
    spoken = [line for line in lines if not line.startswith(NOISE)]
    # A line of INFO that holds such a word holds it in a name, as that of the option ExitOnOutOfMemoryError.
    trouble = [line for line in spoken if " INFO " not in line and any(word in line.lower() for word in TROUBLE)]
    return [line.strip()[:300] for line in (trouble or spoken)[-count:]]


def free_ports(count: int, low: int = 20_000, high: int = 32_000) -> list[int]:
    """Return distinct free loopback ports, drawn at random.

    Below the range from which outgoing connections take theirs. They are this process's until it ends: a server binds
    its port seconds after it was drawn, and nobody else may be given it in between. Raises PlatformError if fewer are
    left between `low` and `high`.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(range(low, high), high - low):
        if len(found) == count:
            break
        if is_free(port) and _reserve(port):
            found.append(port)
    if len(found) < count:
        raise PlatformError(f"No {count} ports are free between {low} and {high}: stop servers that nobody needs.")
    return found


_reservations: list[FileLock] = []
"""Locks of this process's ports: one that is let go of ends with its lock."""


def _reserve(port: int) -> bool:
    """Reserve a port for this process, if it is free."""
    folder = Path(tempfile.gettempdir()) / f"dualsink-ports-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / str(port))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    _reservations.append(lock)
    return True


def is_free(port: int) -> bool:
    """Return whether nothing listens on the port.

    Neither on loopback nor on every interface.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def connect(port: int) -> None:
    """Raise OSError unless something accepts connections on loopback.

    A refusal is the cheapest sign that it is too early.
    """
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


def holder(port: int) -> str:
    """Describe the process that listens on a port.

    Only what this user may see is described.
    """
    try:
        listeners = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listeners if c.laddr.port == port and c.pid), None)
        if pid is None:
            return "another user's process"
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return "a process that this user may not see"
