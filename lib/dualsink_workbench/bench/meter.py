"""CPU and memory of processes over time, sampled from outside."""

import math
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

INTERVAL = 0.2


@dataclass(frozen=True)
class Sample:
    """CPU seconds so far and resident bytes now, by role."""

    moment: float
    cpu: dict[str, float]
    memory: dict[str, int]


class Meter(threading.Thread):
    """Sampler of named processes and a driver's descendants.

    It samples until its `with` block ends. Roles are the servers' names, and of a driver's family `spark` (its JVM),
    `workers` (Spark's Python) and `driver`.
    """

    def __init__(self, servers: Mapping[str, int], driver: int | None = None):
        super().__init__(daemon=True)
        self._servers = {name: psutil.Process(pid) for name, pid in servers.items()}
        self._driver = psutil.Process(driver) if driver else None
        self._spent: dict[tuple[str, int], float] = {}
        self._ended = threading.Event()
        self.samples: list[Sample] = []

    def __enter__(self) -> "Meter":
        self._look()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.join()
        self._look()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._ended.wait(INTERVAL):
            self._look()

    def cpu(self, start: float, end: float) -> dict[str, float]:
        """CPU seconds by role between two moments (`time.monotonic`)."""
        first, last = self._at(start), self._at(end)
        return {role: round(last.cpu[role] - first.cpu.get(role, 0.0), 3) for role in last.cpu}

    def peak(self, start: float = 0, end: float = math.inf) -> dict[str, int]:
        """Largest resident bytes by role between two moments (`time.monotonic`)."""
        peak: Counter[str] = Counter()
        for sample in self.samples:
            if start <= sample.moment <= end:
                peak |= Counter(sample.memory)
        return dict(peak)

    def _at(self, moment: float) -> Sample:
        """Return the last sample before a moment."""
        place = bisect_left([sample.moment for sample in self.samples], moment)
        return self.samples[max(place - 1, 0)]

    def _look(self) -> None:
        memory: Counter[str] = Counter()
        for role, process in self._processes():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    self._spent[role, process.pid] = times.user + times.system
                    memory[role] += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        cpu: Counter[str] = Counter()
        for (role, _), seconds in self._spent.items():
            cpu[role] += seconds
        self.samples.append(Sample(time.monotonic(), dict(cpu), dict(memory)))

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        processes = list(self._servers.items())
        if self._driver:
            try:
                family = self._driver.children(recursive=True)
                processes += [("driver", self._driver), *((_role(process), process) for process in family)]
            except psutil.NoSuchProcess:
                pass
        return processes


def _role(process: psutil.Process) -> str:
    try:
        return "spark" if process.name() == "java" else "workers"
    except psutil.NoSuchProcess:
        return "workers"
