"""Drivers seen from outside: start, watch, signal, kill."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from dualsink import polling
from dualsink.errors import PlatformError
from dualsink_workbench.chaos.faults import Plan

# A driver lives for seconds: the JVM's second compiler would cost it half of them.
_SHORT_LIFE = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_MARK = "DUALSINK_CHAOS_DRIVER"
# Lines that say nothing of a failure: frames of a Java stack, what the JVM says of its options, click's word.
_NOISE = ("at ", "... ", "Picked up ", "Aborted", "Suppressed: ")


@dataclass(frozen=True)
class End:
    """End of a driver: exit status and last error line.

    A negative status is the signal that killed it.
    """

    status: int
    error: str
    seconds: float

    def __str__(self) -> str:
        how = f"killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"exit {self.status}"
        return f"{how}: {self.error}" if self.error else how


class Driver:
    """Driver process, with all that it starts.

    Each of them carries its mark in the environment, so none can hide.
    """

    def __init__(self, plan: Plan, folder: Path, environment: Mapping[str, str] | None = None):
        self.folder = folder
        self._mark = uuid.uuid4().hex
        self._began = time.monotonic()
        file = folder / "plan.json"
        plan.write(file)
        with (folder / "out.log").open("wb") as out, (folder / "error.log").open("wb") as error:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dualsink_workbench.chaos.faults", str(file)],
                env=os.environ | {"SPARK_SUBMIT_OPTS": _SHORT_LIFE, _MARK: self._mark} | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=error,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """True until the driver ends."""
        return self._process.poll() is None

    @property
    def has_jvm(self) -> bool:
        """True once Spark's JVM was started."""
        return bool(self._those(_is_jvm))

    def await_file(self, name: str, timeout: float = 300) -> None:
        """Wait until the driver announced a point.

        Raises PlatformError if it ended before, or did not announce it within `timeout` seconds.
        """
        self._await((self.folder / name).exists, f"to announce {name!r}", timeout)

    def await_batches(self, count: int, timeout: float = 300) -> None:
        """Wait until the driver has done `count` batches.

        Raises PlatformError as `await_file` does.
        """
        self._await(lambda: len(list(self.folder.glob("done-*"))) >= count, f"{count} batches", timeout)

    def _await(self, so: Callable[[], bool], what: str, timeout: float) -> None:
        def so_or_ended() -> bool:
            if so():
                return True
            if not self.running:
                raise PlatformError(f"Waited for a driver {what}, and it ended ({self.end()}): see {self.folder}.")
            return False

        if not polling.until(so_or_ended, timeout, every=0.02):
            raise PlatformError(f"Waited {timeout} s for a driver {what}: see {self.folder}.")

    def go(self) -> None:
        """Let a paused driver go on."""
        (self.folder / "go").touch()

    def signal(self, kind: signal.Signals) -> None:
        """Send a signal as a terminal or a supervisor would.

        SIGINT goes to the whole group, others to the driver.
        """
        if kind is signal.SIGINT:
            os.killpg(self._process.pid, kind)
        else:
            self._process.send_signal(kind)

    def kill(self) -> None:
        """SIGKILL for all that carries the mark, driver first."""
        self._process.kill()
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def freeze(self) -> None:
        """Suspend all of its processes, as a sleeping machine does."""
        for process in self.family():
            process.suspend()

    def thaw(self) -> None:
        """Let frozen processes go on."""
        for process in self.family():
            process.resume()

    def kill_python_only(self) -> None:
        """Kill the driver alone; its JVM has to notice."""
        self._process.kill()

    def kill_jvm(self) -> None:
        """SIGKILL for Spark's JVM alone."""
        self._kill_those(_is_jvm)

    def kill_workers(self) -> None:
        """SIGKILL for the Python workers of Spark's tasks alone."""
        self._kill_those(lambda process: "pyspark.daemon" in process.cmdline())

    def _kill_those(self, chosen: Callable[[psutil.Process], bool]) -> None:
        for process in self._those(chosen):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _those(self, chosen: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
        matching = []
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                matching += [process] if chosen(process) else []
        return matching

    def end(self, timeout: float = 400) -> End:
        """Wait for the end.

        Raises PlatformError, and kills the driver, after `timeout` seconds.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PlatformError(f"A driver did not end within {timeout} s: see {self.folder}.") from None
        return End(status, self._error() if status in (1, 2) else "", round(time.monotonic() - self._began, 1))

    def orphans(self, timeout: float = 20) -> list[str]:
        """Return processes that survive the driver by `timeout` seconds.

        They are ended then.
        """
        _, alive = psutil.wait_procs(self.family(), timeout=timeout)
        names = [f"{process.pid} {process.name()}" for process in alive]
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return names

    def family(self) -> list[psutil.Process]:
        """Return every living process that carries the mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def _error(self) -> str:
        lines = [line.strip() for line in (self.folder / "error.log").read_text(errors="replace").splitlines()]
        spoken = [line for line in lines if line and not line.startswith(_NOISE)]
        return spoken[-1] if spoken else ""


def _is_jvm(process: psutil.Process) -> bool:
    return process.name() == "java"
