"""Faults inside a driver: pause or death between steps.

No request to a server could bring these about. `python -m dualsink_workbench.chaos.faults PLAN.json` runs a command of
`dualsink` with the plan's settings. The product has no hooks for faults: this process wraps the product's functions at
its start. Every other fault comes from outside, by a proxy before a server.
"""

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from dualsink.cli import main as command_line
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Batch
from dualsink.stream.sink import DualSink

PAUSE, KILL = "pause", "kill"


@dataclass(frozen=True)
class Plan:
    """Plan of a driver: a command, settings, and a fault.

    The fault is a pause or a kill in a batch. It pauses before the batch is written, and dies when both stores hold it
    and Spark does not know. `folder` is where it announces by touching `began`, `paused` and `done-<batch>`, and looks
    for `go`; `lock_timeout`, in seconds, is for a checkpoint in use.
    """

    params: str
    folder: str
    command: list[str]
    fault: str = ""
    batch: int = 0
    lock_timeout: float = 30

    @classmethod
    def read(cls, file: Path) -> "Plan":
        """Read the plan from a JSON file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Write it for a driver to read."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


def main(file: str) -> None:
    """Install the faults, then run the command.

    It ends with the exit status of the command line.
    """
    plan = Plan.read(Path(file))
    Faults(plan).install()
    command_line.main([*plan.command, "--params", plan.params])


def kill_everything() -> None:
    """SIGKILL for the JVM, the Python workers and this process."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


class Faults:
    """The wraps of one driver."""

    def __init__(self, plan: Plan):
        self._plan = plan

    def install(self) -> None:
        """Wrap the batch, to announce its steps, and the lock."""
        _wrap(DualSink, "write", self._around_batch)
        locked = Checkpoint.locked
        Checkpoint.locked = lambda checkpoint, spark: locked(checkpoint, spark, self._plan.lock_timeout)

    def _around_batch(self, write: Callable, sink: DualSink, records: Any, batch: Batch) -> Any:
        fault = self._plan.fault if batch.number == self._plan.batch else ""
        self._announce("began")
        if fault == PAUSE:
            self._announce("paused")
            self._wait_for_go()
        report = write(sink, records, batch)
        if fault == KILL:
            kill_everything()
        self._announce(f"done-{batch.number}")
        return report

    def _announce(self, name: str) -> None:
        (Path(self._plan.folder) / name).touch()

    def _wait_for_go(self) -> None:
        while not (Path(self._plan.folder) / "go").exists():
            time.sleep(0.05)


def _wrap(owner: Any, name: str, around: Callable) -> None:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(lambda *args, **kwargs: around(original, *args, **kwargs)))


if __name__ == "__main__":
    main(sys.argv[1])
