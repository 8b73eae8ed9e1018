"""One server process: start it detached, recognise it again, end it, and read its log. Ports and who holds them."""

import os
import random
import socket
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "DUALSINK_SERVER"
"""Environment variable by which a server is known as ours, also where nobody lived to record its process."""
NOISE = ("\tat ", "    at ", "\t... ", "    ... ")
TROUBLE = ("error", "fatal", "exception", "caused by", "cannot", "failed", "in use", "denied", "panic")


@dataclass(frozen=True)
class Command:
    """What to run: arguments, the folder to run in, and what to add to the environment or to leave out of it."""

    arguments: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    withhold: Iterable[str] = ()


@dataclass(frozen=True)
class Record:
    """A started process as the state file keeps it.

    `started` is in seconds since the machine booted, which no change of the clock moves; it tells the process from
    a later one with the same id.
    """

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The live process, or None when it ended or its id now belongs to another one."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(process)
                return None
            return process if abs(_since_boot(process) - self.started) < 0.05 else None
        except psutil.NoSuchProcess:
            return None


def launch(command: Command, log: Path, mark: str) -> tuple[Record, subprocess.Popen]:
    """Start a process that outlives this one, its output going to `log`; the previous log is kept as `.1`."""
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
    return Record(child.pid, _since_boot(psutil.Process(child.pid))), child


def find(mark: str) -> Record | None:
    """The process that was started with this mark; its own children, which inherit the mark, are younger."""
    found = [process for process in psutil.process_iter() if mark_of(process) == mark]
    return min((Record(p.pid, _since_boot(p)) for p in found), key=lambda record: record.started, default=None)


def mark_of(process: psutil.Process) -> str | None:
    """The mark of a server of ours, None for any other process."""
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def end(record: Record, kill: bool = False, patience: float = 20) -> None:
    """End a process: SIGTERM, `patience` seconds, then SIGKILL; at once with `kill`. An ended one is left alone."""
    process = record.process()
    if not process:
        return
    with suppress(psutil.NoSuchProcess):
        if not kill:
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(patience)
                return
        process.kill()
        process.wait(10)


def last_lines(log: Path, count: int = 8) -> list[str]:
    """The lines of a log that tell most about its end: those that speak of trouble, else the last ones."""
    if not log.is_file():
        return []
    with log.open("rb") as handle:
        handle.seek(max(0, log.stat().st_size - 200_000))
        lines = [line for line in handle.read().decode(errors="replace").splitlines() if line.strip()]
    spoken = [line for line in lines if not line.startswith(NOISE)]
    trouble = [line for line in spoken if any(word in line.lower() for word in TROUBLE)]
    return [line.strip()[:300] for line in (trouble or spoken)[-count:]]


def free_ports(count: int, low: int = 20_000, high: int = 32_000) -> list[int]:
    """Distinct free loopback ports, below the range from which outgoing connections take theirs."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(low, high)
        if port not in found and is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """True when nothing listens on the port, neither on loopback nor on every interface."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def connect(port: int) -> None:
    """Raise OSError unless something on loopback accepts a connection: the cheapest sign that it is too early."""
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


def holder(port: int) -> str:
    """The process that listens on a port, in words, as far as this user may see it."""
    try:
        listeners = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listeners if c.laddr.port == port and c.pid), None)
        if pid is None:
            return "another user's process"
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return "a process that this user may not see"


def _since_boot(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)


def _reap(process: psutil.Process) -> None:
    with suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
        process.wait(timeout=0)
