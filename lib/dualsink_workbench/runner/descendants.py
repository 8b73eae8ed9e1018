"""Descendants of a process: a kernel's helpers, a JVM's workers.

None may be left behind. Local servers do not count, which a notebook may have restarted: they have an owner of their
own.
"""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from dualsink_workbench.servers.process import mark_of


class Offspring:
    """Process with all descendants, even without their parents."""

    def __init__(self, pid: int):
        self._seen: set[psutil.Process] = {psutil.Process(pid)}
        self._looked = 0.0

    def look(self) -> None:
        """Take note of new processes, once a second."""
        if time.monotonic() - self._looked > 1:
            for known in list(self._seen):
                with suppress(psutil.NoSuchProcess):
                    self._seen |= set(known.children(recursive=True))
            self._looked = time.monotonic()

    def end(self, timeout: float) -> None:
        """Wait `timeout` seconds for their end, then end them."""
        self._looked = 0.0
        self.look()
        _, alive = psutil.wait_procs([each for each in self._seen if not mark_of(each)], timeout=timeout)
        for send in (psutil.Process.terminate, psutil.Process.kill):
            for process in alive:
                _quietly(send, process)
            _, alive = psutil.wait_procs(alive, timeout=5)


def _quietly(send: Callable[[psutil.Process], None], process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        send(process)
