"""Notebook kernels, forked from a process that did their imports."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

_FORKS = sys.platform == "linux"  # libraries of macOS may not be used in a fork
_CONTEXT = multiprocessing.get_context("forkserver" if _FORKS else "spawn")


def prepare() -> None:
    """Begin the imports of all kernels."""
    _CONTEXT.set_forkserver_preload(["dualsink_workbench.runner.kernel_imports"])
    if _FORKS:
        forkserver.ensure_running()


class Kernel:
    """Process that waits to become a notebook's kernel.

    It waits in the notebook's folder, and ends when this process does. It, and all that it starts, write past the
    notebook into `log` instead of on the terminal. Looks like a `subprocess.Popen` to Jupyter.
    """

    stdin = stdout = stderr = None

    def __init__(self, folder: Path, log: Path):
        theirs, self._order = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_become_kernel, args=(theirs, folder, log))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid

    def manager(self, more: Mapping[str, str]) -> type[AsyncKernelManager]:
        """Return a kernel manager for papermill.

        This process becomes its kernel, with `more` in its environment.
        """
        kernel = self

        class Provisioner(LocalProvisioner):
            async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
                self.process = kernel
                self.pid = self.pgid = kernel.pid
                self.cwd = options.get("cwd")
                kernel.begin(cmd[cmd.index("-f") :], {**options["env"], **more})
                return self.connection_info

        class Manager(AsyncKernelManager):
            async def start_kernel(self, **options: Any) -> None:
                self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
                await super().start_kernel(**options)

        return Manager

    def begin(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        """Become a kernel with the arguments that Jupyter gives it."""
        with suppress(BrokenPipeError):  # it was killed: Jupyter notices
            self._order.send((arguments, dict(environment)))

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for the end; return the exit code."""
        self._process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()


def _become_kernel(order: Connection, folder: Path, log: Path) -> None:
    os.setsid()
    os.chdir(folder)
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    Thread(target=_end_with_parent, daemon=True).start()
    from dualsink_workbench.runner import kernel_imports  # noqa: F401 - done already in a fork

    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, environment = order.recv()
    os.environ.update(environment)
    from ipykernel.kernelapp import launch_new_instance

    # Its parent's id tells a kernel that no person sits at it.
    launch_new_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
