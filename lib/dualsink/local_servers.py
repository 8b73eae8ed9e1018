"""Local servers and their processes, by the state file."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from dualsink import invocation


@dataclass(frozen=True)
class Record:
    """Record of a started process in the state file.

    `started` is in seconds since the machine booted, which no change of the clock moves; it distinguishes the process
    from a later one with the same id.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, process: psutil.Process) -> "Record":
        """Record a live process."""
        return cls(process.pid, round(process.create_time() - psutil.boot_time(), 2))

    def process(self) -> psutil.Process | None:
        """Return the live process, or None.

        None if it ended or its id now belongs to another one.
        """
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(process)
                return None
            return process if abs(Record.of(process).started - self.started) < 0.05 else None
        except psutil.NoSuchProcess:
            return None


def advice(state: Path, logs: Path, silent: Iterable[str]) -> str:
    """Explain what to do about servers without an answer.

    They are local and given by name; `state` is the file that records them. One whose process lives needs no start: its
    address or its log says more.
    """
    known = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else {}
    live = {name: known[name] for name in silent if _lives(known.get(name, {}))}
    absent = [name for name in silent if name not in live]
    started = [f"Start {'them' if len(absent) > 1 else 'it'}: {invocation.command('up')}"] if absent else []
    return " ".join([_hung(name, entry, logs / f"{name}.log") for name, entry in live.items()] + started)


def _hung(name: str, entry: dict, log: Path) -> str:
    """Describe a live server; `up` takes it for started."""
    return (
        f"{name} runs at {entry['endpoint']} as process {entry['pid']}: see {log}, "
        f"or restart it with {invocation.command('down')} and {invocation.command('up')}."
    )


def _lives(entry: dict) -> bool:
    return "started" in entry and Record(entry["pid"], entry["started"]).process() is not None


def _reap(process: psutil.Process) -> None:
    with suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
        process.wait(timeout=0)
